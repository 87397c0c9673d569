"""Comparing what a page shows with what was seen."""

from __future__ import annotations

import json
import re
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{ *([A-Za-z_]\w*) *\}\}")
Captured = dict[str, str]


def matches(shown: str, seen: str, captured: Captured | None = None) -> bool:
    """Compare text; ``...`` stands for any run of characters.

    ``{{name}}`` in ``shown`` matches anything, which goes to ``captured``.
    Trailing white space does not count.
    """
    pattern, names = "", []
    for part in re.split(r"(\.\.\.|\{\{ *[A-Za-z_]\w* *\}\})", _clean(shown)):
        if part == "...":
            pattern += ".*?"
        elif captured is not None and (match := _PLACEHOLDER.fullmatch(part)):
            pattern += "(.+?)"
            names.append(match[1])
        else:
            pattern += re.escape(part)
    found = re.fullmatch(pattern, _clean(seen), re.S)
    if found and captured is not None:
        captured.update(zip(names, found.groups(), strict=True))
    return found is not None


def _clean(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def data_difference(
    shown: Any, seen: Any, captured: Captured, path: str = "body"
) -> str:
    """Compare JSON data; the string ``"..."`` stands for any value.

    Returns where the two differ, or '' where they agree.
    """
    if shown == "...":
        return ""
    if isinstance(shown, dict) and isinstance(seen, dict):
        if missing := shown.keys() - seen.keys():
            return f"{path} has no {', '.join(map(repr, sorted(missing)))}"
        if extra := seen.keys() - shown.keys():
            return f"{path} also has {', '.join(map(repr, sorted(extra)))}"
        for key, value in shown.items():
            if text := data_difference(value, seen[key], captured, f"{path}.{key}"):
                return text
        return ""
    if isinstance(shown, list) and isinstance(seen, list):
        if len(shown) != len(seen):
            return f"{path} has {len(seen)} items, not {len(shown)}"
        for index, (left, right) in enumerate(zip(shown, seen, strict=True)):
            if text := data_difference(left, right, captured, f"{path}[{index}]"):
                return text
        return ""
    if isinstance(shown, str) and isinstance(seen, str):
        same = matches(shown, seen, captured)
    else:
        # In JSON, true is not 1; and 1 is not 1.0 for a reader.
        same = type(shown) is type(seen) and shown == seen
        if isinstance(shown, str) and (m := _PLACEHOLDER.fullmatch(shown.strip())):
            captured[m[1]] = json.dumps(seen)
            same = True
    return "" if same else f"{path} is {json.dumps(seen, ensure_ascii=False)}"


def fill(text: str, captured: Captured) -> str:
    """Replace each ``{{name}}`` that was captured."""
    return _PLACEHOLDER.sub(lambda m: captured.get(m[1], m[0]), text)


def shown_output(source: str) -> tuple[str, int] | None:
    """Return the ``# > `` lines of a Python block and the line of the first."""
    lines = [
        (number, match[1])
        for number, line in enumerate(source.split("\n"), 1)
        if (match := re.match(r"^\s*# >(?: (.*))?$", line))
    ]
    if not lines:
        return None
    return "\n".join(text or "" for _, text in lines), lines[0][0]
