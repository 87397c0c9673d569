"""HTTP messages as written in documentation.

A block holds one or several exchanges, each of which may start with a `### caption`.
A message is a start line, headers, a blank line and a body; a response follows its
request after a blank line. A line `...` stands for what is left out.
"""

from __future__ import annotations

import re

import h11

from .base import Fault, each, first_column, one_line, position
from .jsontext import scan

_SYNTAX = "http-syntax"
_JSON_TYPE = re.compile(r"application/(?:[\w.-]+\+)?json\b", re.I)
_JSON_LINES_TYPE = re.compile(r"application/(?:x-)?(?:ndjson|jsonl|jsonlines)\b", re.I)
_PLACEHOLDER = re.compile(r"\{\{[^{}\n]*\}\}")
_VERSION = re.compile(r"HTTP/(?:1\.0|1\.1|2|2\.0|3|3\.0)")
_STATUS = re.compile(r"(HTTP/\S+) +(\S+)(?: .*)?")
# A start line within a body, which only a blank line may precede.
_START = re.compile(r"HTTP/\d|[A-Z]{3,} \S.* HTTP/\d\S*[ \t]*$")


def _parse_http(source: str) -> list[Fault]:
    lines = source.split("\n")
    faults: list[Fault] = []
    at = 0
    messages = 0
    while at < len(lines):
        text = lines[at].strip()
        if not text or _caption(lines[at]) or text == "...":
            at += 1
            continue
        messages += 1
        at = _message(lines, at, faults)
    if not messages:
        faults.append(Fault(1, 1, "there is no message", _SYNTAX))
    return faults


def _caption(text: str) -> bool:
    return text.startswith("###")


def _message(lines: list[str], at: int, faults: list[Fault]) -> int:
    """Check the message that starts at index `at`; return the index after it."""
    start = at
    problem = _start_line(lines[at].rstrip())
    if problem:
        faults.append(_fault(lines, at, problem))
    at += 1
    headers: list[int] = []
    while at < len(lines) and lines[at].strip() and not _caption(lines[at]):
        if lines[at].strip() != "...":
            headers.append(at)
        at += 1
    _check_headers(lines, start, headers, faults)
    first = at + 1
    while at < len(lines) and not _caption(lines[at]):
        if not lines[at - 1].strip() and _START.match(lines[at]):
            break
        at += 1
    _check_body(lines, first, at, _content_type(lines, headers), faults)
    return at


def _fault(lines: list[str], at: int, message: str) -> Fault:
    column = first_column(lines[at], 1)
    return Fault(at + 1, column, one_line(message), _SYNTAX)


def _start_line(text: str) -> str | None:
    """What is wrong with a request line or a status line."""
    plain = _PLACEHOLDER.sub("x", text)
    if re.match(r"HTTP\b", plain, re.I):
        status = _STATUS.fullmatch(plain)
        if status is None or not _VERSION.fullmatch(status[1]):
            return "illegal status line: expected `HTTP/1.1 200 OK`"
        if not re.fullmatch("[1-5][0-9][0-9]", status[2], re.ASCII):
            return f"illegal status code {status[2]!r}"
        return None
    parts = plain.split(" ")
    if len(parts) != 3 or not _VERSION.fullmatch(parts[2]):
        return "illegal request line: expected `METHOD /target HTTP/1.1`"
    method, target, _ = parts
    if not re.fullmatch("[A-Z][A-Z-]*", method):
        return f"illegal method {method!r}"
    if method != "CONNECT" and not re.match(r"/|\*$|[a-z]+://|x", target):
        return f"illegal target {target!r}: it must start with `/` or be a URL"
    # The target's characters are h11's business; it does not know HTTP/2.
    data = f"{method} {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
    return _h11_problem(h11.Connection(h11.SERVER), data)


def _check_headers(
    lines: list[str], start: int, headers: list[int], faults: list[Fault]
) -> None:
    texts = [_header_text(lines[at]) for at in headers]
    together = _response_problem(texts)
    if together is None:
        return
    # h11 names no line, so ask again line by line.
    found = False
    for at, text in zip(headers, texts, strict=True):
        problem = _header_problem(lines[at], text)
        if problem:
            found = True
            faults.append(_fault(lines, at, problem))
    if not found:
        faults.append(_fault(lines, start, together))


def _header_text(text: str) -> str:
    """A header line with stand-ins for placeholders and wildcards."""
    plain = _PLACEHOLDER.sub("1", text)
    name, colon, value = plain.partition(":")
    if name.lower() == "content-length" and "..." in value:
        return f"{name}:1"
    return name + colon + value


def _header_problem(text: str, plain: str) -> str | None:
    if text[:1] in " \t":
        return "illegal header line: it starts with a blank"
    if ":" not in plain:
        return "illegal header line: there is no colon"
    return _response_problem([plain])


def _response_problem(headers: list[str]) -> str | None:
    """What h11 says about header lines, asked as a client that gets a response."""
    if any(text[:1] in " \t" for text in headers):
        return "illegal header line"  # h11 still joins continuation lines
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 24)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    data = "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()
    return _h11_problem(connection, data)


def _h11_problem(connection: h11.Connection, data: bytes) -> str | None:
    try:
        connection.receive_data(data)
        event = connection.next_event()
    except h11.ProtocolError as error:
        return one_line(error)
    return "illegal line" if event is h11.NEED_DATA else None


def _content_type(lines: list[str], headers: list[int]) -> str | None:
    for at in headers:
        name, _, value = lines[at].partition(":")
        if name.strip().lower() == "content-type":
            return value.strip()
    return None


def _check_body(
    lines: list[str], start: int, end: int, kind: str | None, faults: list[Fault]
) -> None:
    """Check a body that is JSON, by its type or, without a type, by its look."""
    body = "\n".join(lines[start:end]).rstrip()
    cut = body.split("\n")[-1].strip() == "..."
    if cut:
        body = body[: body.rfind("...")].rstrip()
    if not body.strip():
        return
    if kind is not None and _JSON_LINES_TYPE.match(kind):
        parts = list(enumerate(body.split("\n"), start))
    elif _JSON_TYPE.match(kind) if kind else body.lstrip()[0] in "{[":
        parts = [(start, body)]
    else:
        return
    for first, text in parts:
        if not text.strip():
            continue
        for offset, message, problem in scan(text, placeholders=True):
            if cut and problem == "syntax" and offset >= len(text.rstrip()):
                continue  # the rest is left out
            line, column = position(text, offset)
            rule = "http-json-duplicate-key" if problem == "duplicate" else "http-json"
            faults.append(Fault(first + line, column, message, rule))


PARSERS = {"http": each("http", _parse_http)}
