"""The content model: what a page of the handbook consists of.

The model is read from the page's lines with fenced code and comments blanked
by the renderer's own trace, and every part keeps its line. The extension
reconciles it with the HTML, so that the model is what the reader sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LEVELS = ("junior", "mid", "senior")
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*(?:\{:?\s*([^{}]*)\})?\s*$")
_OPEN = re.compile(r"^ {0,3}(/{3,}) *([\w-]+) *(?:\| *(.*?) *)?$")
_CLOSE = re.compile(r"^ {0,3}(/{3,}) *$")
_SETTING = re.compile(r"^ {4,}([\w-]+): *(.*)$")
_OPTION = re.compile(r"^[-*+] \[([ xX])\] +(.*)$")
_WHY = re.compile(r"^  +> ?(.*)$")


@dataclass
class Heading:
    """A heading; ``index`` is its line's index in the trace."""

    depth: int
    title: str
    id: str
    classes: list[str]
    index: int

    @property
    def level(self) -> str:
        """The reader's level that the heading names, or ''."""
        return next((name for name in self.classes if name in LEVELS), "")


@dataclass
class Block:
    """A ``///`` block from its opening to its closing line (``end``, or None)."""

    name: str
    argument: str
    index: int
    depth: int
    length: int
    parent: Block | None = None
    end: int | None = None
    body: int = 0
    settings: dict[str, str] = field(default_factory=dict)

    def holds(self, index: int) -> bool:
        """Tell whether the line ``index`` lies within the block."""
        return self.index <= index and (self.end is None or index <= self.end)


@dataclass
class Option:
    """An option of a self-check."""

    text: str
    right: bool
    why: str
    index: int


@dataclass
class Check:
    """A self-check."""

    id: str
    question: str
    options: list[Option]
    explained: bool
    block: Block


@dataclass
class Question:
    """An interview question with its answer and the self-checks after it."""

    id: str
    level: str
    title: str
    heading: Heading
    answers: list[Block] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


@dataclass
class Page:
    """The parts of a page, in order; ``stray`` holds closing lines without a block."""

    headings: list[Heading]
    blocks: list[Block]
    questions: list[Question]
    checks: list[Check]
    inner_headings: list[Heading]
    stray: list[int]

    @property
    def is_topic(self) -> bool:
        """Whether the page asks questions, so that the rules for them apply."""
        return any(heading.level for heading in self.headings) or any(
            block.name == "details" and block.settings.get("type") == "question"
            for block in self.blocks
        )

    def scope(self, index: int) -> tuple[str, int]:
        """Return the answer or check that line ``index`` belongs to.

        Blocks of one scope share a folder, and may refer to each other.
        """
        for check in self.checks:
            if check.block.holds(index):
                return "check", check.block.index
        start = 0
        for heading in self.headings:
            if heading.index <= index:
                start = heading.index
        return "answer", start


def read_page(lines: list[str], fences: list[tuple[int, int]]) -> Page:
    """Read the model of a page.

    ``lines`` are the page's lines with code and comments blanked; ``fences``
    the half-open spans of line indexes that held fenced code.
    """
    stray: list[int] = []
    blocks = list(_blocks(lines, stray))
    headings = [
        heading
        for heading in _headings(lines)
        if not any(b.name == "details" and b.holds(heading.index) for b in blocks)
    ]
    inner = [h for h in _headings(lines) if h not in headings]
    checks = [_check(lines, b, fences) for b in blocks if b.name == "check"]
    questions: list[Question] = []
    for position, heading in enumerate(headings):
        if heading.depth != 2:
            continue
        stop = next(
            (h.index for h in headings[position + 1 :] if h.depth <= 2), len(lines)
        )
        inside = [b for b in blocks if heading.index < b.index < stop]
        questions.append(
            Question(
                heading.id,
                heading.level,
                heading.title,
                heading,
                [b for b in inside if b.name == "details" and b.parent is None],
                [c for c in checks if c.block in inside],
            )
        )
    return Page(headings, blocks, questions, checks, inner, stray)


def _headings(lines: list[str]) -> Iterator[Heading]:
    for index, line in enumerate(lines):
        match = _HEADING.match(line)
        if match:
            words = (match[3] or "").split()
            yield Heading(
                len(match[1]),
                match[2],
                next((w[1:] for w in words if w.startswith("#")), ""),
                [w[1:] for w in words if w.startswith(".")],
                index,
            )


def _blocks(lines: list[str], stray: list[int]) -> Iterator[Block]:
    stack: list[Block] = []
    found: list[Block] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if match := _OPEN.match(line):
            block = Block(
                match[2].lower(),
                match[3] or "",
                index,
                len(stack),
                len(match[1]),
                stack[-1] if stack else None,
            )
            while index + 1 < len(lines) and (m := _SETTING.match(lines[index + 1])):
                block.settings[m[1]] = m[2].strip().strip("\"'")
                index += 1
            block.body = index + 1
            stack.append(block)
            found.append(block)
        elif match := _CLOSE.match(line):
            if stack and len(match[1]) == stack[-1].length:
                stack.pop().end = index
            else:
                stray.append(index)
        index += 1
    yield from found


def _check(lines: list[str], block: Block, fences: list[tuple[int, int]]) -> Check:
    stop = block.end if block.end is not None else len(lines)
    options: list[Option] = []
    index = block.body
    while index < stop and not _OPTION.match(lines[index]):
        index += 1
    last = index
    while index < stop:
        line = lines[index]
        if match := _OPTION.match(line):
            options.append(Option(match[2].strip(), match[1] != " ", "", index))
        elif match := _WHY.match(line):
            if options:
                options[-1].why = f"{options[-1].why} {match[1].strip()}".strip()
        elif line.startswith("  ") and line.strip() and options:
            options[-1].text += " " + line.strip()
        elif line.strip() or any(start == index for start, _ in fences):
            break
        last = index + 1
        index += 1
    explained = any(line.strip() for line in lines[last:stop]) or any(
        last <= start < stop for start, _ in fences
    )
    return Check(
        block.settings.get("id", ""), block.argument, options, explained, block
    )
