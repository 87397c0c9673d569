"""Build a MkDocs project as it is and learn what its readers see.

The build runs in a temporary folder with two additions: the Markdown extension
that records code blocks, and a plugin that reads the finished pages.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateError
from markdown import Markdown
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, MkDocsException
from mkdocs.plugins import BasePlugin, event_priority
from selectolax.lexbor import LexborHTMLParser

from .places import Place, carry, compare
from .trace import TAG, Fence, Problem, Trace, TraceExtension, body_places


class BuildFailed(Exception):
    """The project does not build; the message says why."""


@dataclass
class TracedPage:
    """A built page: its trace and the blocks that its readers see.

    ``shown`` maps the id of each visible block to the text shown; ``unknown``
    holds the texts of visible blocks that carry no id.
    """

    file: str
    url: str
    trace: Trace
    html: str = ""
    shown: dict[int, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def fences(self) -> list[Fence]:
        """The visible blocks, in the order of the source."""
        seen = [fence for fence in self.trace.fences if fence.id in self.shown]
        return sorted(seen, key=lambda fence: (fence.start, fence.id))


@dataclass
class TracedSite:
    """A built project: its pages, configuration and the builder's warnings."""

    config: MkDocsConfig
    pages: list[TracedPage]
    warnings: list[str]
    handbook: bool

    def problems(self) -> Iterator[Problem]:
        """Yield what the page format found wrong."""
        for page in self.pages:
            yield from page.trace.problems


def trace_site(config_file: Path) -> TracedSite:
    """Build the project of ``config_file`` and trace its code blocks.

    :raises BuildFailed: the configuration or a page cannot be built.
    """
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    log = _Warnings()
    logger = logging.getLogger("mkdocs")
    logger.addHandler(log)
    logger.propagate = False
    previous = Path.cwd()
    try:
        with tempfile.TemporaryDirectory(prefix="check-site-") as site_dir:
            # Relative paths in a configuration mean the folder it lies in.
            os.chdir(config_file.parent)
            config = load_config(str(config_file), site_dir=site_dir)
            recorder = _Recorder(config)
            build(config)
    except (MkDocsException, Abort, SystemExit) as error:
        reason = "\n".join([*log.messages, str(error)]).strip()
        raise BuildFailed(reason) from error
    except TemplateError as error:
        raise BuildFailed(f"a template does not render: {error}") from error
    finally:
        os.chdir(previous)
        logger.removeHandler(log)
    return TracedSite(config, recorder.pages, log.messages, recorder.handbook)


class _Warnings(logging.Handler):
    """Keeps MkDocs' warnings and errors; they become findings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # The handbook's extension reports through its own record as well.
        if not record.name.startswith("mkdocs.handbook"):
            self.messages.append(record.getMessage())


class _Recorder(BasePlugin):
    """Gives each page a trace and reads the finished HTML."""

    def __init__(self, config: MkDocsConfig) -> None:
        self.pages: list[TracedPage] = []
        self.by_file: dict[str, TracedPage] = {}
        self.docs_dir = config.docs_dir
        self.handbook = any(
            "handbook.extension" in str(name) for name in config.markdown_extensions
        )
        config.markdown_extensions.append(TraceExtension(self._on_markdown))  # type: ignore[arg-type]
        macros = config.plugins.get("macros")
        if macros is not None:
            _mark_macros(macros, self)
        config.plugins["handbook-recorder"] = self
        self.file = self.source = ""
        self.places: list[Place] = []
        self.lines: list[str] = []

    @event_priority(1_000_000)
    def on_page_markdown(self, markdown: str, page: Any, **_: Any) -> str:
        """Note the page's lines before any plugin changes them."""
        self.file = page.file.src_uri
        self.source = page.file.content_string
        self.lines = markdown.split("\n")
        self.places = body_places(self.file, self.source, self.lines)
        return markdown

    def _on_markdown(self, md: Markdown, trace: Trace) -> None:
        # Called when the page's Markdown instance is made, just before it
        # converts the page whose lines were noted last.
        trace.file, trace.docs_dir = self.file, self.docs_dir
        trace.source = self.source
        trace.given = (self.lines, self.places)
        page = TracedPage(self.file, "", trace)
        self.by_file[self.file] = page

    def on_post_page(self, output: str, page: Any, **_: Any) -> str:
        """Read which blocks the finished page shows."""
        traced = self.by_file.get(page.file.src_uri)
        if traced is None:
            return output
        traced.url, traced.html = page.url, output
        traced.shown, traced.unknown = visible_blocks(output)
        self.pages.append(traced)
        return output


# The recorder must also be the last to see the finished page.
_Recorder.on_post_page = event_priority(-1_000_000)(_Recorder.on_post_page)


def visible_blocks(markup: str) -> tuple[dict[int, str], list[str]]:
    """Return the texts of the tagged blocks by number, and those of all others."""
    shown: dict[int, str] = {}
    unknown: list[str] = []
    tree = LexborHTMLParser(markup)
    for node in tree.css(f"[{TAG}]"):
        if _invisible(node):
            continue
        number = int(node.attributes[TAG] or 0)
        text = node.text(deep=True)
        if number in shown:
            text = shown[number].rstrip("\n") + "\n" + text
        shown[number] = text
    for node in tree.css("pre"):
        parent = node.parent
        linenos = parent is not None and "linenodiv" in (
            parent.attributes.get("class") or ""
        )
        if TAG not in node.attributes and not linenos and not _invisible(node):
            unknown.append(node.text(deep=True))
    return shown, unknown


def _invisible(node: Any) -> bool:
    while node is not None:
        if node.tag in ("template", "script", "style", "head"):
            return True
        if node.tag not in ("-document", "#document") and "hidden" in (
            node.attributes or {}
        ):
            return True
        node = node.parent
    return False


def _mark_macros(plugin: Any, recorder: _Recorder) -> None:
    """Carry the places of lines through the rendering of macros."""
    render = plugin.render

    def traced(markdown: str, force_rendering: bool = False) -> str:
        lines = markdown.split("\n")
        if lines != recorder.lines:
            return render(markdown=markdown, force_rendering=force_rendering)
        open_lines = _open_lines(plugin, markdown)

        def step(sent: list[str]) -> list[str]:
            return render(
                markdown="\n".join(sent), force_rendering=force_rendering
            ).split("\n")

        before = recorder.places
        result, places = carry(
            lines,
            before,
            step,
            lambda index, _: index in open_lines,
            calls=True,
        )
        if result == lines:
            return markdown  # the page does not ask for macros
        recorder.places = places if open_lines else compare(lines, result, before)
        recorder.lines = result
        return "\n".join(result)

    plugin.render = traced


def _open_lines(plugin: Any, markdown: str) -> set[int]:
    """Return the indexes of the lines that begin outside template syntax.

    Where the template strips white space, a mark on a blank line or before a
    tag would change the result, so those lines are left out.
    """
    environment = getattr(plugin, "env", None) or Environment()
    try:
        tokens = list(environment.lex(markdown))
    except TemplateError:
        return set()
    lines = markdown.split("\n")
    begun = set(range(len(lines)))
    for number, kind, value in tokens:
        if kind != "data":
            begun -= set(range(number, number + value.count("\n")))
    if re.search(r"[{][{%#]-|-[}%#][}]", markdown) or environment.lstrip_blocks:
        begun = {i for i in begun if re.match(r"\s*(?![{][{%#])\S", lines[i])}
    return begun


def add_scripts_to_path() -> None:
    """Let any project's configuration import the handbook's extension."""
    scripts = str(Path(__file__).resolve().parent.parent)
    if scripts not in sys.path:
        sys.path.insert(0, scripts)
