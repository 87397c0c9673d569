"""nginx configuration, whole files as well as excerpts."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import crossplane
from crossplane.analyzer import CONTEXTS, DIRECTIVES
from crossplane.errors import NgxParserSyntaxError

from .base import CR_OR_LF, Fault, each, first_column, one_line, relocate, words

_SYNTAX = "nginx-syntax"

# The contexts an excerpt may come from, outermost first: the name by which crossplane
# knows each, and what to put before the excerpt. That stays on the excerpt's first
# line, so that no line moves.
_CONTEXTS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((), ""),
    (("http",), "http { "),
    (("http", "server"), "http { server { "),
    (("http", "location"), "http { server { location / { "),
    (("http", "upstream"), "http { upstream u { "),
    (
        ("http", "location", "limit_except"),
        "http { server { location / { limit_except GET { ",
    ),
    (("http", "location", "if"), "http { server { location / { if ($x) { "),
    (("events",), "events { "),
    (("stream",), "stream { "),
    (("stream", "server"), "stream { server { "),
    (("stream", "upstream"), "stream { upstream u { "),
    (("mail",), "mail { "),
    (("mail", "server"), "mail { server { "),
)
_WHOLE = words("http events stream mail")
# Any words are a sound entry of these, which the strict mode does not know.
_FREE = words("charset_map geo map split_clients types")
# Directives younger than crossplane's list: known here by name only.
_NEW = words(
    """
    add_header_inherit add_trailer_inherit early_hints http2 http3 http3_hq
    http3_max_concurrent_streams http3_stream_buffer_size keepalive_min_timeout
    keepalive_time max_headers pass proxy_cookie_flags proxy_pass_trailers
    proxy_ssl_conf_command quic_active_connection_id_limit quic_bpf quic_gso
    quic_host_key quic_retry ssl_certificate_cache ssl_certificate_compression
    ssl_conf_command ssl_key_log ssl_ocsp ssl_reject_handshake
    """
)
_FREE_CONTEXT = "http { map $a $b { "
_ENTRY = re.compile(r"\s*(?:#[^\n]*\s*)*(?:default|[\"'~/*.\d]|\w+/[\w.+-]+\s)")


def _parse_nginx(sources: Sequence[str]) -> list[list[Fault]]:
    # crossplane reads files only. One folder serves all blocks, one after the other.
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "nginx.conf"))
        return each("nginx", lambda source: _parse_block(path, source))(sources)


def _parse_block(path: str, source: str) -> list[Fault]:
    _write(path, source)
    try:
        outermost = [name for depth, name, *_ in _names(path) if not depth]
    except NgxParserSyntaxError as error:
        # Wrapped, the braces around the excerpt would blur the count.
        return [_fault(source, error.lineno, error.strerror)]
    best: list[Fault] | None = None
    for before in _candidates(source, outermost):
        if before:
            _write(path, before + source + "\n" + "}" * before.count("{"))
        found = _check(path, source)
        if not found:
            return []
        # The context in which least is wrong is the likeliest.
        if best is None or _weight(found) < _weight(best):
            best = found
    return best or []


def _candidates(source: str, names: list[str]) -> list[str]:
    """What may be put before an excerpt with these outermost directives."""
    if not _WHOLE.isdisjoint(names):
        return [""]
    known = [DIRECTIVES[name] for name in names if name in DIRECTIVES]
    if names and not known and _ENTRY.match(source):
        return [_FREE_CONTEXT]
    allowed = {
        before: sum(any(mask & CONTEXTS[name] for mask in masks) for masks in known)
        for name, before in _CONTEXTS
    }
    most = max(allowed.values())
    return [before for before, count in allowed.items() if count == most]


def _weight(faults: list[Fault]) -> tuple[int, int]:
    misplaced = sum("is not allowed here" in fault.message for fault in faults)
    return len(faults), misplaced


def _write(path: str, text: str) -> None:
    # As bytes: text mode would translate line ends on some systems.
    Path(path).write_bytes(text.encode())


def _check(path: str, source: str) -> list[Fault]:
    # `single`: files named by `include` are not opened.
    errors = crossplane.parse(path, single=True, strict=True)["errors"]
    if any("unknown directive" in error["error"] for error in errors):
        free = set()
        # An open quote may swallow the closing braces; the parser has said so then.
        with contextlib.suppress(NgxParserSyntaxError):
            for _, name, line, parent in _names(path):
                if parent in _FREE or name in _NEW:
                    free.add((f'unknown directive "{name}"', line))
        errors = [
            error
            for error in errors
            if (_message(error["error"]), error["line"]) not in free
        ]
    return [_fault(source, error["line"], error["error"]) for error in errors]


def _names(path: str) -> Iterator[tuple[int, str, int, str]]:
    """Depth, first word, line and parent's first word of each directive."""
    stack: list[str] = []
    first = None
    for token, line, quoted in crossplane.lex(path):
        if not quoted and token.startswith("#"):
            continue
        if not quoted and token in ("{", "}", ";"):
            if token == "{":
                stack.append(first or "")
            elif token == "}":
                stack.pop()
            first = None
        elif first is None:
            first = token
            yield len(stack), token, line, stack[-1] if stack else ""


def _message(text: str) -> str:
    """An error's text without the name of the temporary file."""
    return one_line(re.sub(r" in \S*nginx\.conf(?::\d+)?$", "", text))


def _fault(source: str, line: int | None, text: str) -> Fault:
    message = _message(text)
    if line is None:
        # crossplane runs out of tokens in the middle of a directive.
        line = source.rstrip().count("\n") + 1
        message = message or 'unexpected end of file, expecting ";" or "}"'
    else:
        line, _ = relocate(source, line, 1, CR_OR_LF)
    if "end of file" in message:
        return Fault(line, len(source.split("\n")[line - 1]) + 1, message, _SYNTAX)
    return Fault(line, first_column(source, line), message, _SYNTAX)


PARSERS = {"nginx": _parse_nginx}
