"""The Markdown extension of the page format, for MkDocs and Zensical.

It renders marked fences, exchanges and self-checks, puts the level below each
question, and reports what the format forbids with file and line.
"""

from __future__ import annotations

import html
import logging
import re
import xml.etree.ElementTree as etree
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.treeprocessors import Treeprocessor
from pymdownx.blocks import BlocksExtension
from pymdownx.superfences import SuperFencesBlockPreprocessor, SuperFencesCodeExtension

from .exchange import ExchangeError, read_exchanges, show_exchanges
from .marks import Marks, read_marks
from .page import LEVELS, Page, read_page
from .parsers import canonical
from .rules import (
    fence_mark_problems,
    fence_problems,
    front_matter_problems,
    page_problems,
)
from .selfcheck import CheckBlock, revise
from .trace import Problem, Trace, attach

log = logging.getLogger("mkdocs.handbook")

# The ids of each page rendered so far, to find one that two pages claim; per
# build, which MkDocs' collection of files stands for.
_ids: WeakKeyDictionary[object, dict[str, dict[str, int]]] = WeakKeyDictionary()


class HandbookExtension(BlocksExtension):
    """Registers the parts of the format; list it after all other extensions."""

    def extendMarkdownBlocks(self, md: Markdown, block_mgr: Any) -> None:  # noqa: N802
        """Register the self-check and everything else."""
        block_mgr.register(CheckBlock, self.getConfigs())
        fences = next(
            (
                e
                for e in md.registeredExtensions
                if isinstance(e, SuperFencesCodeExtension)
            ),
            None,
        )
        if fences is None:
            raise ValueError(
                "handbook.extension needs pymdownx.superfences before it in "
                "markdown_extensions"
            )
        trace = attach(md)
        show = _Fences(md, trace)
        fences.extend_super_fences("*", show, _keep_all, None)
        fences.superfences[0]["reset"] = None
        md.treeprocessors.register(_Answers(md), "handbook-answers", 4.5)
        md.treeprocessors.register(_Levels(md), "handbook-levels", 4)
        # Before the trace's own last step, so that tags are still there.
        md.postprocessors.register(_Review(md, trace), "handbook-review", -1e5)


def _keep_all(
    language: str, inputs: dict, options: dict, attrs: dict, md: Markdown
) -> bool:
    """Accept every key of a fence; the marks are judged with their line."""
    md.preprocessors["fenced_code_block"].get_hl_settings()  # type: ignore[attr-defined]
    options.update(inputs)
    return True


class _Fences:
    """Formats fences by their marks."""

    def __init__(self, md: Markdown, trace: Trace) -> None:
        self.md = md
        self.trace = trace

    def __call__(
        self,
        src: str = "",
        language: str = "",
        options: dict | None = None,
        md: Markdown | None = None,
        classes: list[str] | None = None,
        id_value: str = "",
        **_: Any,
    ) -> str:
        marks = read_marks(language or "", id_value, classes or [], options or {})
        fence = self.trace.current
        if fence is not None:
            fence.data, fence.shown = marks, src
        if canonical(marks.language) == "http":
            return self._exchange(src)
        code = self._highlight(src, marks.language, marks.title)
        caption, kind = _caption(marks, self._after_exchange())
        if not caption:
            return code
        return (
            f'<div class="{kind}"><p class="code-caption">{escape(caption)}</p>'
            f"{code}</div>"
        )

    def _exchange(self, source: str) -> str:
        fence = self.trace.current
        try:
            exchanges = read_exchanges(source)
        except ExchangeError as error:
            if fence is not None:
                self.trace.problems.append(
                    Problem(fence.place_of(error.line), "http-syntax", str(error))
                )
            return self._highlight(source, "http", "")
        if fence is not None:
            messages = [m for e in exchanges for m in (e.request, e.response) if m]
            fence.shown = "\n".join(m.text for m in messages)
        return show_exchanges(
            exchanges,
            lambda text: _pre(self._highlight(text, "http", "")),
        )

    def _after_exchange(self) -> bool:
        earlier = [f for f in self.trace.fences if f is not self.trace.current]
        return bool(earlier) and canonical(earlier[-1].language) == "http"

    def _highlight(self, source: str, language: str, title: str) -> str:
        fences: SuperFencesBlockPreprocessor = self.md.preprocessors[
            "fenced_code_block"
        ]  # type: ignore[assignment]
        options = {"title": title} if title else {}
        return fences.highlight(
            src=source,
            language=language,
            options=options,
            md=self.md,
            classes=[],
            id_value="",
            attrs={},
        )


def _pre(markup: str) -> str:
    match = re.search(r"<pre.*</pre>", markup, re.S)
    return match[0] if match else markup


def _caption(marks: Marks, after_exchange: bool) -> tuple[str, str]:
    """Return what stands above a block, and the class of its frame."""
    if "wrong" in marks:
        return "Don't copy", "code-wrong"
    if "no-run" in marks:
        return f"Not run here: {marks.why}", "code-norun"
    if "raises" in marks:
        return "Raises", "code-raises"
    if "syntax-error" in marks:
        return "Does not compile", "code-raises"
    if "output" in marks:
        return "Printed" if after_exchange else "Output", "output"
    return "", ""


class _Answers(Treeprocessor):
    """Names on each answer its question and the revision of what is asked."""

    def run(self, root: etree.Element) -> None:
        trace: Trace = self.md.trace  # type: ignore[attr-defined]
        heading: etree.Element | None = None
        stem: list[etree.Element] = []
        for element in root:
            classes = (element.get("class") or "").split()
            if element.tag == "h2":
                heading = element if set(LEVELS) & set(classes) else None
                stem = []
            elif heading is None:
                continue
            elif element.tag == "details" and "question" in classes:
                name = heading.get("id") or ""
                title = [
                    child for child in heading if child.get("class") != "headerlink"
                ]
                asked = "".join(
                    [
                        heading.text or "",
                        *("".join(c.itertext()) + (c.tail or "") for c in title),
                    ]
                )
                revision = revise(trace, [asked], stem, [])
                element.set("data-question", name)
                element.set("data-rev", revision)
                trace.revisions[name] = revision
                heading = None
            else:
                stem.append(element)


class _Levels(Treeprocessor):
    """Writes each question's level as a word below its heading.

    It runs after the table of contents was made, so that the level is text for
    every reader and yet no part of the question's title.
    """

    def run(self, root: etree.Element) -> None:
        for parent in list(root.iter()):
            for position, element in reversed(list(enumerate(parent))):
                if element.tag != "h2":
                    continue
                for level in LEVELS:
                    if level in (element.get("class") or "").split():
                        chip = etree.Element(
                            "p",
                            {
                                "class": f"level level--{level}",
                                "data-search-exclude": "",
                            },
                        )
                        chip.text = level.capitalize()
                        chip.tail = "\n"
                        parent.insert(position + 1, chip)


class _Review(Postprocessor):
    """Holds the finished page against the format and against its model."""

    def __init__(self, md: Markdown, trace: Trace) -> None:
        super().__init__(md)
        self.trace = trace

    def run(self, text: str) -> str:
        trace = self.trace
        if not trace.ready:
            return text
        lines = trace.masked()
        for index in trace.hidden():
            lines[index] = ""
        spans = [(f.start, f.end) for f in trace.fences if f.kind == "fence"]
        page = read_page(lines, spans)
        trace.model = page
        for fence in trace.fences:
            trace.problems.extend(fence_mark_problems(fence))
        trace.problems.extend(
            front_matter_problems(trace.file, trace.source, page.is_topic)
        )
        trace.problems.extend(page_problems(trace, page))
        trace.problems.extend(fence_problems(trace, page))
        trace.problems.extend(_reconcile(trace, page, text))
        steps = self.md.treeprocessors
        build = steps["relpath"].files if "relpath" in steps else Markdown  # type: ignore[attr-defined]
        claimed = _ids.setdefault(build, {})
        trace.problems.extend(_claimed_twice(trace, page, claimed))
        trace.problems.sort(key=lambda p: (p.place.line, p.column, p.rule))
        if not trace.keep_tags:
            for problem in trace.problems:
                place = problem.place
                log.warning(
                    "%s:%s:%s: %s %s",
                    place.file,
                    place.line,
                    problem.column,
                    problem.rule,
                    problem.message,
                )
        return text


def _reconcile(trace: Trace, page: Page, text: str) -> list[Problem]:
    """Compare the model with the HTML: what was written must have become it."""
    problems = []
    plain = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    written = [b for b in page.blocks if b.name == "check"]
    for block in written:
        name = escape(block.settings.get("id", ""))
        if f'data-check="{name}"' not in plain:
            problems.append(
                Problem(
                    trace.places[block.index],
                    "block-not-rendered",
                    "this did not become a self-check; keep its keys indented by "
                    "four spaces right below it, then a blank line",
                )
            )
    masked = trace.masked()
    without_code = re.sub(r"<pre.*?</pre>", "", plain, flags=re.S)
    for line in re.findall(r"(?:<p>|\n)(/{3,}[^\n<]*)", without_code):
        literal = html.unescape(line).strip()
        alike = [i for i, text in enumerate(masked) if text.strip() == literal]
        index = next((i for i in alike if i in page.stray), alike[0] if alike else 0)
        if not literal.strip("/") and index not in page.stray and problems:
            continue  # the closing line of a block that is reported already
        problems.append(
            Problem(
                trace.places[index],
                "block-not-rendered",
                f"readers see `{literal}` as text; check the block's name, keys "
                "and closing line",
            )
        )
    written = [b for b in page.blocks if b.name == "details"]
    rendered = len(re.findall(r"<details(?! class=\"check)", plain))
    if rendered < len(written) and not problems:
        problems += [
            Problem(
                trace.places[block.index],
                "block-not-rendered",
                f"{len(written)} `/// details` are written, {rendered} rendered; "
                "look for a line `///` too few or too many",
            )
            for block in written[rendered : rendered + 1]
        ]
    return problems


def _claimed_twice(
    trace: Trace, page: Page, claimed: dict[str, dict[str, int]]
) -> list[Problem]:
    """Find ids that another page has too; ids are unique across the site."""
    mine = {q.id: q.heading.index for q in page.questions if q.id and q.level}
    mine |= {c.id: c.block.index for c in page.checks if c.id}
    claimed[trace.file] = mine
    return [
        Problem(
            trace.places[index],
            "duplicate-id",
            f"`{name}` is taken by {other}; ids are unique across the site",
        )
        for name, index in mine.items()
        for other, ids in claimed.items()
        if other != trace.file and name in ids
    ]


def makeExtension(**kwargs: Any) -> Extension:  # noqa: N802
    """Return the extension (the name that Python-Markdown looks for)."""
    return HandbookExtension(**kwargs)
