"""Requests and responses in ``http`` blocks: reading and showing them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape

_REQUEST = re.compile(r"^([A-Z]+) (\S+) HTTP/(1\.[01]|2)$")
_RESPONSE = re.compile(r"^HTTP/(1\.[01]|2) ([1-5]\d\d)(?: (.*))?$")
_CLASSES = {
    "1": "informational",
    "2": "success",
    "3": "redirect",
    "4": "client error",
    "5": "server error",
}


class ExchangeError(ValueError):
    """A block that is no exchange; ``line`` (from 1) is a line of the block."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Header:
    """A header line; ``line`` counts from 1 in the block."""

    name: str
    value: str
    line: int


@dataclass
class Message:
    """A request or response as written, with the lines of its parts (from 1)."""

    text: str
    line: int
    headers: list[Header] = field(default_factory=list)
    body: str = ""
    body_line: int = 0
    method: str = ""
    target: str = ""
    status: int = 0
    cut: bool = False

    def header(self, name: str) -> str | None:
        """Return the value of the first header ``name``, or None."""
        for header in self.headers:
            if header.name.lower() == name:
                return header.value
        return None


@dataclass
class Exchange:
    """A request, its response, or both; ``caption`` is its ``###`` line."""

    caption: str = ""
    request: Message | None = None
    response: Message | None = None


def read_exchanges(source: str) -> list[Exchange]:
    """Read an ``http`` block.

    :raises ExchangeError: a part of the block is no request and no response.
    """
    lines = source.split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("### ")]
    if starts and any(line.strip() for line in lines[: starts[0]]):
        raise ExchangeError(
            1, "the first of several exchanges needs its `### caption` too"
        )
    edges = [*(starts or [0]), len(lines)]
    result = []
    for start, stop in zip(edges, edges[1:], strict=False):
        caption = ""
        if starts:
            caption = lines[start][4:].strip()
            start += 1
        result.append(_read_one(lines, start, stop, caption))
    return result


def _read_one(lines: list[str], start: int, stop: int, caption: str) -> Exchange:
    while start < stop and not lines[start].strip():
        start += 1
    while stop > start and not lines[stop - 1].strip():
        stop -= 1
    if start == stop:
        raise ExchangeError(start or 1, "an exchange holds a request or a response")
    exchange = Exchange(caption)
    answer = next((i for i in range(start, stop) if _RESPONSE.match(lines[i])), stop)
    if answer > start:
        exchange.request = _read_message(lines, start, answer)
    if answer < stop:
        exchange.response = _read_message(lines, answer, stop)
    return exchange


def _read_message(lines: list[str], start: int, stop: int) -> Message:
    while stop > start and not lines[stop - 1].strip():
        stop -= 1
    first = lines[start].rstrip()
    message = Message("\n".join(lines[start:stop]), start + 1)
    if match := _REQUEST.match(first):
        message.method, message.target = match[1], match[2]
    elif match := _RESPONSE.match(first):
        message.status = int(match[2])
    else:
        raise ExchangeError(
            start + 1,
            f"`{first}` is no request line (`GET /path HTTP/1.1`) "
            "and no status line (`HTTP/1.1 200 OK`)",
        )
    index = start + 1
    while index < stop and lines[index].strip():
        name, colon, value = lines[index].partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", name):
            raise ExchangeError(
                index + 1,
                f"`{lines[index]}` is no header (`name: value`); a blank line "
                "separates headers from the body",
            )
        message.headers.append(Header(name, value.strip(), index + 1))
        index += 1
    body = lines[index + 1 : stop]
    message.body_line = index + 2
    if message.status:
        for offset, line in enumerate(body):
            if _REQUEST.match(line):
                raise ExchangeError(
                    message.body_line + offset,
                    "a second request needs a line `### caption` before it",
                )
        if body and body[-1].strip() == "..." and len(body) > 1:
            message.cut = True
            body = body[:-1]
    message.body = "\n".join(body)
    return message


def show_exchanges(exchanges: list[Exchange], highlight: Callable[[str], str]) -> str:
    """Return the HTML of ``exchanges``.

    ``highlight`` turns the text of a message into a ``pre`` element.
    """
    parts = []
    for exchange in exchanges:
        parts.append('<div class="exchange" role="group" aria-label="HTTP exchange">')
        if exchange.caption:
            parts.append(f'<p class="exchange__caption">{escape(exchange.caption)}</p>')
        if exchange.request:
            parts.append(
                '<div class="message message--request">'
                '<p class="message__label">Request</p>'
                f"{highlight(exchange.request.text)}</div>"
            )
        if exchange.response:
            family = str(exchange.response.status)[0]
            parts.append(
                f'<div class="message message--response message--{family}xx">'
                '<p class="message__label">Response <span class="message__status">'
                f"{exchange.response.status} · {_CLASSES[family]}</span></p>"
                f"{highlight(exchange.response.text)}</div>"
            )
        parts.append("</div>")
    return "".join(parts)
