"""Find every code block of a page while Markdown renders it.

No scanner of the source sees what a reader sees. So each fence is recorded at
the moment that the real fence processor accepts it, its HTML is tagged with a
number, and whatever ``<pre>`` is left in the result (indented code, raw HTML)
is tagged and located afterwards.
"""

from __future__ import annotations

import html
import io
import os
import re
import xml.etree.ElementTree as etree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.extensions.fenced_code import FencedBlockPreprocessor
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from pymdownx import snippets
from pymdownx.snippets import SnippetPreprocessor
from pymdownx.superfences import SuperFencesBlockPreprocessor

from .places import Place, carry, compare, mark, numbered

TAG = "data-trace"
_TAG = re.compile(rf' {TAG}="\d+"')
_PRE = re.compile(r"<pre(?=[\s>])", re.I)
_OPAQUE = re.compile(
    r"<!--.*?-->|<(script|style|textarea|template)\b.*?</\1\s*>", re.I | re.S
)
_FENCE_LIKE = re.compile(r"^[>\s]*(?:(?:[-*+:]|\d+[.)])\s+)*(`{3,}[^`]*|~{3,}.*)$")


@dataclass
class Fence:
    """A code block as the fence processor read it.

    ``source`` is the code without its container's indentation; ``places[0]``
    is the opening line, or the first line of code where there is no fence
    (``kind`` "indented" or "html"); ``places[first]`` is line 1 of the source,
    ``indent`` the columns before each of its lines. ``start`` and ``end`` delimit it in
    :attr:`Trace.lines`. ``shown`` is the text that the page must show, or None
    where a custom formatter shows something else.
    """

    id: int
    kind: str
    language: str
    source: str
    start: int
    end: int
    places: list[Place]
    header: str = ""
    first: int = 1
    indent: int = 0
    placeholder: str = ""
    shown: str | None = None
    data: Any = None

    @property
    def place(self) -> Place:
        """The line of the opening fence."""
        return self.places[0]

    def place_of(self, line: int) -> Place:
        """Return where line ``line`` (from 1) of the source stands."""
        index = self.first + line - 1
        return self.places[max(0, min(index, len(self.places) - 1))]


@dataclass
class Problem:
    """Something wrong with a page, found while it was rendered."""

    place: Place
    rule: str
    message: str
    column: int = 1


@dataclass
class Trace:
    """What was recorded while one page was rendered."""

    file: str = ""
    keep_tags: bool = False
    given: tuple[list[str], list[Place]] | None = None
    docs_dir: str = ""
    source: str = ""
    lines: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    current: Fence | None = None
    ready: bool = False
    model: Any = None
    # By id of a question or self-check: the hash of what it asks.
    revisions: dict[str, str] = field(default_factory=dict)

    def begin(self, lines: list[str]) -> None:
        """Start a page whose Markdown is ``lines``."""
        self.lines = list(lines)
        self.ready = False
        self.fences.clear()
        self.problems.clear()
        self.revisions.clear()
        if self.given and self.given[0] == self.lines:
            self.places = list(self.given[1])
        else:
            self.places = numbered(self.file, len(lines))

    def step(self, lines: list[str]) -> None:
        """Note that a preprocessor turned the lines into ``lines``."""
        self.places = compare(self.lines, lines, self.places)
        self.lines = list(lines)

    def hidden(self) -> set[int]:
        """Return the indexes of the lines that lie in HTML comments."""
        masked = self.masked()
        text = "\n".join(masked)
        hidden: set[int] = set()
        for match in re.finditer(r"<!--.*?-->", text, re.S):
            first = text.count("\n", 0, match.start())
            hidden.update(range(first, first + match[0].count("\n") + 1))
        return hidden

    def masked(self) -> list[str]:
        """Return the lines with every fenced block blanked."""
        lines = list(self.lines)
        for fence in self.fences:
            if fence.kind == "fence":
                lines[fence.start : fence.end] = [""] * (fence.end - fence.start)
        return lines

    def fence_like(self, visible: set[int]) -> list[int]:
        """Return the indexes of fence-like lines that made no block.

        ``visible`` holds the ids of the blocks that the reader sees. A reader
        sees such a line as literal backticks, or does not see the block.
        """
        inside: set[int] = self.hidden()
        for fence in self.fences:
            # Indented code shows the backticks that were meant as a fence.
            if fence.id in visible and fence.kind != "indented":
                inside.update(range(fence.start, fence.end))
        text = "\n".join(self.lines)
        for match in _OPAQUE.finditer(text):
            first = text.count("\n", 0, match.start())
            inside.update(range(first, first + match[0].count("\n") + 1))
        return [
            index
            for index, line in enumerate(self.lines)
            if index not in inside and _FENCE_LIKE.match(line)
        ]


def attach(md: Markdown) -> Trace:
    """Make ``md`` record its code blocks; return the record.

    The same record is returned when called again for the same ``md``. Must be
    called after the extensions that read fences and snippets are registered.
    """
    trace = getattr(md, "trace", None)
    if trace is not None:
        return trace
    trace = md.trace = Trace()  # type: ignore[attr-defined]
    md.preprocessors.register(_Begin(md, trace), "trace-begin", 1e6)
    for processor in md.preprocessors:
        if isinstance(processor, SnippetPreprocessor):
            _trace_snippets(processor, trace)
        elif type(processor) is SuperFencesBlockPreprocessor:
            _trace_superfences(processor, trace)
            break
        elif isinstance(processor, FencedBlockPreprocessor):
            _trace_fenced_code(processor, trace)
            break
        elif not isinstance(processor, _Begin):
            _trace_step(processor, trace)
    md.treeprocessors.register(_Ready(md, trace), "trace-ready", -1e6)
    md.postprocessors.register(_TagRest(md, trace), "trace-rest", -1e6)
    return trace


class TraceExtension(Extension):
    """Record the code blocks of pages that use no extension of ours."""

    def __init__(self, on_page: Callable[[Markdown, Trace], None]) -> None:
        super().__init__()
        self.on_page = on_page

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Attach the record and hand it to ``on_page``."""
        trace = attach(md)
        trace.keep_tags = True
        self.on_page(md, trace)


class _Begin(Preprocessor):
    """The first preprocessor: starts the record."""

    def __init__(self, md: Markdown, trace: Trace) -> None:
        super().__init__(md)
        self.trace = trace

    def run(self, lines: list[str]) -> list[str]:
        if not self.trace.file:
            identify(self.md, self.trace, lines)
        self.trace.begin(lines)
        return lines


def identify(md: Markdown, trace: Trace, lines: list[str]) -> None:
    """Find out which file is being rendered, from the engine that renders it."""
    source = ""
    if "relpath" in md.treeprocessors:  # MkDocs
        file = md.treeprocessors["relpath"].file  # type: ignore[attr-defined]
        trace.file, source = file.src_uri, file.content_string
    else:
        for processor in md.preprocessors:  # Zensical
            page = getattr(processor, "page", None)
            if page is not None and hasattr(page, "path"):
                docs = getattr(processor, "config", {}).get("docs_dir", "docs")
                trace.file = page.path
                path = Path(docs, page.path)
                if path.is_file():
                    source = path.read_text("utf-8-sig")
    trace.source = source
    if source:
        trace.given = (lines, body_places(trace.file, source, lines))


def body_places(file: str, source: str, lines: list[str]) -> list[Place]:
    """Return the places of ``lines``, the Markdown below the front matter."""
    whole = source.split("\n")
    offset = len(whole) - len(lines)
    if offset >= 0 and whole[offset:] == lines:
        return numbered(file, len(lines), offset + 1)
    return compare(whole, lines, numbered(file, len(whole)))


def _trace_step(processor: Any, trace: Trace) -> None:
    run = processor.run

    def traced(lines: list[str]) -> list[str]:
        result = run(lines)
        trace.step(result)
        return result

    processor.run = traced


def _trace_snippets(processor: Any, trace: Trace) -> None:
    run = processor.run
    known: list[Place] = []

    def open_marked(path: str, *args: Any, **kwargs: Any) -> io.StringIO:
        name = os.path.relpath(path, trace.docs_dir) if trace.docs_dir else path
        name = name.replace(os.sep, "/")
        with open(path, *args, **kwargs) as file:
            lines = file.read().split("\n")
        content = _content(lines)
        for index in content:
            known.append(Place(name, index + 1))
            lines[index] = mark(lines[index], len(known) - 1)
        return io.StringIO("\n".join(lines))

    def traced(lines: list[str]) -> list[str]:
        content = _content(lines)
        # The processor reads files with the `open` of its module.
        snippets.open = open_marked  # type: ignore[attr-defined]
        try:
            result, trace.places = carry(
                lines, trace.places, run, lambda index, _: index in content, known
            )
        finally:
            del snippets.open  # type: ignore[attr-defined]
        trace.lines = list(result)
        return result

    processor.run = traced


def _content(lines: list[str]) -> set[int]:
    """Return the indexes of lines that are no snippet notation, nor blank."""
    found: set[int] = set()
    listing = False
    for index, line in enumerate(lines):
        if re.fullmatch(r"\s*-+8<-+\s*", line):
            listing = not listing
        elif line.strip() and "8<-" not in line and not listing:
            found.add(index)
    return found


def _tag(markup: str, number: int) -> str:
    attribute = f'{TAG}="{number}"'
    tagged, count = re.subn(
        r'(?<!<div class="linenodiv">)<pre(?=[\s>])', f"<pre {attribute}", markup
    )
    if not count:
        tagged = re.sub(r"^\s*<([a-zA-Z][\w-]*)", rf"<\1 {attribute}", markup, count=1)
    return tagged


def _trace_superfences(processor: Any, trace: Trace) -> None:
    search, process = processor.search_nested, processor.process_nested_block

    def search_traced(lines: list[str]) -> list[str]:
        trace.step([line.rstrip("\r") for line in lines])
        return search(lines)

    def process_traced(ws: str, content: str, start: int, end: int) -> None:
        fence = trace.current = Fence(
            id=len(trace.fences) + 1,
            kind="fence",
            language=processor.lang or "",
            source=processor.rebuild_block(processor.code),
            start=start,
            end=end,
            places=trace.places[start:end],
            header=processor.first.strip(),
            indent=processor.ws_virtual_len,
        )
        plain = processor.formatter == processor.extension.superfences[0]["formatter"]
        fence.shown = fence.source if plain else None
        stack = len(processor.stack)
        trace.fences.append(fence)
        process(ws, content, start, end)
        if len(processor.stack) == stack:
            trace.fences.pop()  # the formatter refused it
        else:
            stash = processor.md.htmlStash
            stash.rawHtmlBlocks[-1] = _tag(stash.rawHtmlBlocks[-1], fence.id)
            fence.placeholder = processor.stack[-1][0].strip(" >")
        trace.current = None

    processor.search_nested = search_traced
    processor.process_nested_block = process_traced


def _trace_fenced_code(processor: Any, trace: Trace) -> None:
    run = processor.run

    def traced(lines: list[str]) -> list[str]:
        trace.step(lines)
        text = "\n".join(lines)
        matches = []
        index = 0
        # The processor replaces each match by a placeholder that cannot match,
        # so its matches are those of the unchanged text.
        while match := processor.FENCED_BLOCK_RE.search(text, index):
            attrs = match["attrs"]
            if attrs is not None and re.search(r"[{}]", attrs):
                index = match.end("attrs")
                continue
            matches.append(match)
            index = match.end()
        stash = processor.md.htmlStash
        before = len(stash.rawHtmlBlocks)
        result = run(lines)
        stored = range(before, len(stash.rawHtmlBlocks))
        for match, number in zip(matches, stored, strict=False):
            start = text.count("\n", 0, match.start())
            end = start + match[0].count("\n") + 1
            lang = match["lang"] or ""
            if match["attrs"]:
                found = re.match(r"\s*\.([\w#.+-]+)", match["attrs"])
                lang = found[1] if found else ""
            fence = Fence(
                id=len(trace.fences) + 1,
                kind="fence",
                language=lang,
                source=match["code"].removesuffix("\n"),
                start=start,
                end=end,
                places=trace.places[start:end],
                header=lines[start].strip(),
            )
            fence.shown = fence.source
            trace.fences.append(fence)
            stash.rawHtmlBlocks[number] = _tag(stash.rawHtmlBlocks[number], fence.id)
        return result

    processor.run = traced


class _Ready(Treeprocessor):
    """The last tree processor: from here on, text is the whole page.

    The table of contents runs all postprocessors over each heading before.
    """

    def __init__(self, md: Markdown, trace: Trace) -> None:
        super().__init__(md)
        self.trace = trace

    def run(self, root: etree.Element) -> None:
        self.trace.ready = True


class _TagRest(Postprocessor):
    """The last postprocessor: tags and locates blocks that are no fences."""

    def __init__(self, md: Markdown, trace: Trace) -> None:
        super().__init__(md)
        self.trace = trace

    def run(self, text: str) -> str:
        if not self.trace.ready:
            return text
        if not self.trace.keep_tags:
            return _TAG.sub("", text)
        masked = _OPAQUE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
        pieces, last, pointer = [], 0, 0
        self.taken = {
            index
            for fence in self.trace.fences
            if f'{TAG}="{fence.id}"' in masked
            for index in range(fence.start, fence.end)
        }
        for match in _PRE.finditer(masked):
            rest = masked[match.start() : match.start() + 400]
            if TAG in rest.split(">", 1)[0] or masked[: match.start()].endswith(
                '<div class="linenodiv">'
            ):
                continue
            stop = masked.find("</pre", match.start())
            inner = text[match.start() : stop if stop > 0 else len(text)]
            fence = self._locate(inner, pointer)
            if fence is None:
                continue  # a page without lines: the check reports the block
            pointer = fence.end
            self.trace.fences.append(fence)
            pieces += [text[last : match.end()], f' {TAG}="{fence.id}"']
            last = match.end()
        return "".join([*pieces, text[last:]])

    def _locate(self, markup: str, pointer: int) -> Fence | None:
        code = re.sub(r"<[^>]*>", "", markup)
        shown = html.unescape(code).removeprefix("\n").rstrip("\n")
        wanted = [line.rstrip() for line in shown.split("\n")]
        while wanted and not wanted[0]:
            wanted.pop(0)
        language = re.search(r"class=\"[^\"]*?\blang(?:uage)?-([\w#.+-]+)", markup)
        lines = self.trace.lines
        order = [
            index
            for index in [*range(pointer, len(lines)), *range(pointer)]
            if index not in self.taken
        ]
        for start in order:
            end, kind = None, "html"
            if re.search(r"<pre\b", lines[start], re.I):
                end = self._match_html(wanted, start)
            if end is None:
                end, kind = self._match_indented(wanted, start), "indented"
            if end is not None:
                break
        else:
            if not lines:
                return None
            # Broken HTML: the nearest line that holds the block's first words.
            first = wanted[0].strip() if wanted else ""
            alike = (i for i in order if first and first in lines[i])
            start, kind = next(alike, min(pointer, len(lines) - 1)), "html"
            end = start + 1
        return Fence(
            id=len(self.trace.fences) + 1,
            kind=kind,
            language=language[1] if language and kind == "html" else "",
            source=shown,
            start=start,
            end=end,
            places=self.trace.places[start:end],
            header=lines[start].strip(),
            first=int(code.startswith("\n")) if kind == "html" else 0,
            shown=shown,
        )

    def _match_indented(self, wanted: list[str], start: int) -> int | None:
        lines = self.trace.lines
        opening = re.sub(r"^(?:\s{0,3}>)+ ?", "", lines[start]).expandtabs(4)
        if not opening.startswith("    ") or start + len(wanted) > len(lines):
            return None
        if not wanted:
            return None if opening.strip() else start + 1
        for index, line in enumerate(wanted, start):
            text = lines[index]
            if line.split() not in (text.split(), text.lstrip("> \t").split()):
                return None
        return start + len(wanted)

    def _match_html(self, wanted: list[str], start: int) -> int | None:
        lines = self.trace.lines
        if not wanted:
            return start + 1
        near = html.unescape(
            re.sub(r"<[^>]*>", "", "\n".join(lines[start : start + 3]))
        )
        if wanted[0].strip() not in near:
            return None
        for index in range(start, len(lines)):
            if re.search(r"</pre", lines[index], re.I):
                return index + 1
        return len(lines)
