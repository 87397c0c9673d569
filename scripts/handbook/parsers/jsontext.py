"""A strict JSON scanner that knows where it is.

The standard library's decoder gives no position for a duplicate key or for NaN, and
the positions it gives for a trailing comma depend on the version.
"""

from __future__ import annotations

import re

_BLANK = re.compile(r"[ \t\n\r]*")
_STRING_START = re.compile(
    r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"-?[^\W\d]\w*")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_PLACEHOLDER = re.compile(r"\{\{[^{}\n]*\}\}")

Problem = tuple[int, str, str]  # (0-based offset, message, "syntax" or "duplicate")


class _Stop(Exception):
    """Carries the first syntax error: nothing after it can be trusted."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


def scan(
    source: str, *, comments: bool = False, placeholders: bool = False
) -> list[Problem]:
    """Find what is wrong with a JSON text.

    Args:
        source: the text.
        comments: also accept comments and trailing commas (JSONC).
        placeholders: also accept ``{{name}}`` where a value belongs.

    Returns:
        Duplicate keys, and the first syntax error if there is one.
    """
    duplicates: list[Problem] = []
    try:
        _scan(source, comments, placeholders, duplicates)
    except _Stop as stop:
        return [*duplicates, (stop.offset, stop.message, "syntax")]
    return duplicates


def _scan(
    source: str, comments: bool, placeholders: bool, duplicates: list[Problem]
) -> None:
    if source.startswith("\ufeff"):
        raise _Stop(0, "the text starts with a byte order mark")
    # An object's frame is the set of its keys, an array's is None. A stack of our
    # own instead of recursion: depth is then no problem.
    stack: list[set[str] | None] = []
    expect = "value"
    comma = 0
    at = 0
    while True:
        at = _skip(source, at, comments)
        char = source[at : at + 1]
        if expect == "end":
            if char:
                raise _Stop(at, "extra data after the value")
            return
        if not char:
            raise _Stop(at, f"unexpected end: expected {_WANTED[expect]}")
        if expect == "comma":
            if char == ",":
                comma = at
                at += 1
                expect = "next item" if stack[-1] is None else "next key"
                continue
            if char != ("]" if stack[-1] is None else "}"):
                closing = "]" if stack[-1] is None else "}"
                raise _Stop(at, f"expected `,` or `{closing}`")
        if expect == "colon":
            if char != ":":
                raise _Stop(at, "expected `:`")
            at += 1
            expect = "value"
            continue
        if char in "]}" and expect != "value":
            if char != ("]" if stack[-1] is None else "}"):
                raise _Stop(at, f"unexpected `{char}`")
            if expect.startswith("next") and not comments:
                raise _Stop(comma, "trailing comma")
            stack.pop()
            at += 1
        elif expect.endswith("key"):
            end = _string(source, at)
            keys = stack[-1]
            # A key may be spelt with escapes: compare what it means.
            key = _unescape(source[at + 1 : end - 1])
            if keys is not None:
                if key in keys:
                    duplicates.append((at, f"duplicate key {key!r}", "duplicate"))
                keys.add(key)
            at = end
            expect = "colon"
            continue
        else:
            opened = placeholders and _PLACEHOLDER.match(source, at)
            if opened:
                at = opened.end()
            elif char in "[{":
                stack.append(None if char == "[" else set())
                expect = "item" if char == "[" else "key"
                at += 1
                continue
            else:
                at = _scalar(source, at)
        expect = "comma" if stack else "end"


_WANTED = {
    "value": "a value",
    "item": "a value or `]`",
    "next item": "a value",
    "key": "a key or `}`",
    "next key": "a key",
    "colon": "`:`",
    "comma": "`,` or the closing bracket",
}


def _skip(source: str, at: int, comments: bool) -> int:
    """Go past blanks, and past comments where they are allowed."""
    while True:
        blank = _BLANK.match(source, at)
        at = blank.end() if blank else at
        comment = _COMMENT.match(source, at)
        if comment is None:
            if source.startswith("/*", at):
                raise _Stop(at, "comment is never closed")
            return at
        if not comments:
            raise _Stop(at, "JSON has no comments")
        at = comment.end()


def _string(source: str, at: int) -> int:
    """The offset after the string that starts at `at`."""
    start = _STRING_START.match(source, at)
    if start is None:
        raise _Stop(at, "expected a string in double quotes")
    end = start.end()
    char = source[end : end + 1]
    if char == '"':
        return end + 1
    if char in ("", "\n"):
        raise _Stop(at, "string is never closed")
    raise _Stop(
        end, "invalid escape" if char == "\\" else "control character in a string"
    )


def _scalar(source: str, at: int) -> int:
    """The offset after the string, number or word that starts at `at`."""
    if source[at] == '"':
        return _string(source, at)
    number = _NUMBER.match(source, at)
    if number:
        return number.end()
    word = _WORD.match(source, at)
    if word is None:
        raise _Stop(at, f"unexpected {source[at]!r}: expected a value")
    if word[0] not in ("true", "false", "null"):
        raise _Stop(at, f"`{word[0]}` is no JSON value")
    return word.end()


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.S)
_MEANING = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescape(text: str) -> str:
    return _ESCAPE.sub(
        lambda m: chr(int(m[1], 16)) if m[1] else _MEANING.get(m[2], m[2]), text
    )
