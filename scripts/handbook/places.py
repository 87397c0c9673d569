"""Where each line that Markdown sees comes from.

Macros, snippets and preprocessors rewrite a page before its fences are found.
Lines carry an invisible mark through the steps that add or repeat lines, and
are compared before and after all other steps, so that every line of the text
that is finally parsed is known by its file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# Two characters from Unicode's private use area hold the number of a place.
_MARK = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True)
class Place:
    """A line of a file.

    ``file`` is relative to the docs folder (``../snippets/x.py`` when it lies
    outside), ``line`` counts from 1.
    """

    file: str
    line: int


def numbered(file: str, count: int, first: int = 1) -> list[Place]:
    """Return the places of ``count`` consecutive lines of ``file``."""
    return [Place(file, first + index) for index in range(count)]


def carry(
    lines: Sequence[str],
    places: Sequence[Place],
    step: Callable[[list[str]], Sequence[str]],
    markable: Callable[[int, str], bool],
    known: list[Place] | None = None,
    calls: bool = False,
) -> tuple[list[str], list[Place]]:
    """Run ``step`` over marked ``lines`` and read the places of its result.

    ``markable(index, line)`` says which lines may carry a mark without being
    misread. ``known`` collects the places that ``step`` itself marks with
    :func:`mark`, numbered after those of ``lines``. With ``calls``, a line may
    call for others: all lines up to the next mark belong to it. Without, an
    unmarked line follows the one before it.
    """
    known = known if known is not None else []
    known[:] = list(places)
    sent = [
        mark(line, index, calls) if markable(index, line) else line
        for index, line in enumerate(lines)
    ]
    result: list[str] = []
    found: list[Place | None] = []
    for line in step(sent):
        match = _MARK.search(line)
        found.append(known[int(match[1])] if match else None)
        result.append(unmark(line))
    return result, _fill(found, places, 0 if calls else 1)


def mark(line: str, number: int, before: bool = False) -> str:
    """Put the invisible ``number`` of a place after ``line``, or ``before`` it.

    Before, the mark stays with the first of the lines that the line calls for;
    after, it leaves the indentation alone.
    """
    sign = f"\ue000{number}\ue001"
    return sign + line if before else line + sign


def unmark(text: str) -> str:
    """Remove all marks from ``text``."""
    return _MARK.sub("", text)


def _fill(
    found: list[Place | None], places: Sequence[Place], advance: int
) -> list[Place]:
    """Give each unmarked line a place from the marked line before it."""
    filled: list[Place] = []
    for place in found:
        if place is None and filled:
            place = Place(filled[-1].file, filled[-1].line + advance)
        elif place is None:
            place = places[0] if places else Place("", 1)
        filled.append(place)
    return filled


def compare(
    old: Sequence[str], new: Sequence[str], places: Sequence[Place]
) -> list[Place]:
    """Return the places of ``new``, which some step made from ``old``."""
    before = [" ".join(line.split()) for line in old]
    after = [" ".join(line.split()) for line in new]
    if before == after:
        return list(places)
    if not places:
        return [Place("", 1)] * len(new)
    start = _common(before, after)
    stop = _common(before[start:][::-1], after[start:][::-1])
    result = list(places[:start])
    matcher = SequenceMatcher(
        None,
        before[start : len(before) - stop],
        after[start : len(after) - stop],
        autojunk=False,
    )
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        for offset in range(j2 - j1):
            index = start + min(i1 + offset, max(i2 - 1, i1))
            result.append(places[min(index, len(places) - 1)])
    return result + list(places[len(before) - stop :])


def _common(left: list[str], right: list[str]) -> int:
    """Return how many items the two lists begin with in common."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
