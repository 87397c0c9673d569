"""HTML, Jinja templates, CSS and XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser as TagReader
from typing import Any
from xml.parsers import expat

import html5lib
import jinja2
import tinycss2
from html5lib.constants import E as HTML_MESSAGES
from html5lib.constants import voidElements

from .base import (
    CR_OR_LF,
    Fault,
    each,
    first_column,
    offset_of,
    one_line,
    position,
    relocate,
    words,
)

_DOCUMENT = re.compile(r"<!doctype|<(?:html|head|body)[\s>/]", re.I)
_WHOLE = re.compile(r"<!doctype|<html[\s>/]", re.I)
_COMMENTS = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_FIRST_TAG = re.compile(r"\s*<([a-z0-9]+)", re.I)
# The element that a fragment starting with this tag has to stand in.
_CONTAINERS = {
    "caption": "table",
    "colgroup": "table",
    "thead": "table",
    "tbody": "table",
    "tfoot": "table",
    "col": "colgroup",
    "tr": "tbody",
    "td": "tr",
    "th": "tr",
    "option": "select",
    "optgroup": "select",
}
_BAD_CHARACTER = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]"
)


def _parse_html(source: str) -> list[Fault]:
    parser = html5lib.HTMLParser()
    if _DOCUMENT.search(_COMMENTS.sub("", source)):
        parser.parse(source)
    else:
        first = _FIRST_TAG.match(_COMMENTS.sub("", source))
        container = _CONTAINERS.get(first[1].lower(), "div") if first else "div"
        parser.parseFragment(source, container=container)
    whole = _WHOLE.search(source)
    faults = []
    bad_characters = _BAD_CHARACTER.finditer(source)
    for (line, column), code, values in parser.errors:
        if code.startswith("expected-doctype-but-got") and not whole:
            continue
        if code == "invalid-codepoint":
            # Reported when the text is read, before there is a position.
            bad = next(bad_characters, None)
            place = position(source, bad.start() if bad else 0)
        else:
            place = _html_place(source, line, column, code)
        message = HTML_MESSAGES.get(code, code)
        try:
            message %= values
        except (KeyError, TypeError, ValueError):
            message = code
        faults.append(Fault(*place, one_line(message), f"html-{code}"))
    return faults


def _html_place(source: str, line: int, column: int, code: str) -> tuple[int, int]:
    """html5lib tells how far it has read: go back to where the tag starts."""
    at = offset_of(source, line, column, CR_OR_LF)
    if code.endswith("but-got-eof"):
        unclosed = _unclosed_tag(source)
        return unclosed or position(source, len(source.rstrip("\n")))
    if source[at : at + 1] == ">":
        return position(source, max(source.rfind("<", 0, at), 0))
    if code == "duplicate-attribute":
        name = re.search(r"[^\s\"'/>=]*=?\Z", source[: at + 1])
        return position(source, name.start() if name else at)
    if "entity" in code:
        return position(source, max(source.rfind("&", 0, at + 1), 0))
    return position(source, at)


class _OpenTags(TagReader):
    """Keeps the elements that are open, with the position of their tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, int, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in voidElements:
            line, column = self.getpos()
            self.open.append((tag, line, column + 1))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The slash closes nothing in HTML.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        names = [name for name, _, _ in self.open]
        if tag in names:
            del self.open[len(names) - 1 - names[::-1].index(tag) :]


# Elements that HTML allows to be left open at the end.
_OPTIONAL_END = words(
    """
    body colgroup dd dt head html li optgroup option p rp rt tbody td tfoot th thead tr
    """
)


def _unclosed_tag(source: str) -> tuple[int, int] | None:
    """The (line, column) of the innermost tag left open, if the tags tell it."""
    reader = _OpenTags()
    try:
        reader.feed(source)
        reader.close()
    except (AssertionError, ValueError):
        return None  # html.parser gives up on some malformed declarations
    for tag, line, column in reversed(reader.open):
        if tag not in _OPTIONAL_END:
            return line, column
    return None


_JINJA = jinja2.Environment(
    extensions=["jinja2.ext.do", "jinja2.ext.i18n", "jinja2.ext.loopcontrols"]
)


def _parse_jinja(source: str) -> list[Fault]:
    try:
        _JINJA.parse(source)
    except jinja2.TemplateSyntaxError as error:
        line, _ = relocate(source, error.lineno, 1, CR_OR_LF)
        column = first_column(source, line)
        return [Fault(line, column, one_line(error.message), "jinja-syntax")]
    return []


_CSS_BREAKS = re.compile("[\r\n\f]")
_SENTINEL = "end-of-block"


def _parse_css(source: str) -> list[Fault]:
    faults = []
    places: set[tuple[int, int]] = set()
    for line, column, message in _css_problems(source):
        place = relocate(source, line, column, _CSS_BREAKS)
        if place not in places:
            places.add(place)
            faults.append(Fault(*place, one_line(message), "css-syntax"))
    return faults


Problem = tuple[int, int, str]


def _css_problems(source: str) -> Iterator[Problem]:
    # The end of the file closes everything in CSS, so a word is put there: if it
    # ends up inside a block or is lost in a comment, something was left open.
    tokens = tinycss2.parse_component_value_list(f"{source}\n{_SENTINEL}")
    opened = None
    last = tokens[-1]
    while last.type != "ident" or last.value != _SENTINEL:
        inner = _inside(last)
        opened = last
        if not inner:
            break
        last = inner[-1]
    if opened is not None:
        what = "comment" if opened.type == "comment" else "block or string"
        yield opened.source_line, opened.source_column, f"{what} is never closed"
    tokens = tinycss2.parse_component_value_list(source)
    rules = tinycss2.parse_stylesheet(source, skip_comments=True, skip_whitespace=True)
    yield from _css_rules(rules, tokens, nested=False)


def _inside(token: Any) -> list[Any]:
    """The tokens within a block or a function."""
    if token.type == "function":
        return token.arguments
    return token.content if token.type.endswith("block") else []


def _css_rules(
    nodes: Iterable[Any], tokens: list[Any], *, nested: bool
) -> Iterator[Problem]:
    for node in nodes:
        if node.type == "error":
            yield _css_error(node, tokens, nested)
        elif node.type in ("qualified-rule", "at-rule"):
            yield from _css_values(node.prelude)
            if node.content is not None:
                inner = tinycss2.parse_blocks_contents(node.content)
                yield from _css_rules(inner, node.content, nested=True)
        elif node.type == "declaration":
            yield from _css_values(node.value)
            for token in node.value:
                # Sound by the grammar, but no property takes it.
                if token == ":" and not node.name.startswith("--"):
                    message = "`:` within a value: is a `;` missing before it?"
                    yield token.source_line, token.source_column, message


def _css_values(tokens: Iterable[Any]) -> Iterator[Problem]:
    for token in tokens:
        if token.type == "error":
            yield token.source_line, token.source_column, token.message
        yield from _css_values(_inside(token))


def _css_error(error: Any, tokens: list[Any], nested: bool) -> Problem:
    """Point at the start of a broken declaration or rule, not at where it ends."""
    place = (error.source_line, error.source_column)
    if error.kind != "invalid":
        return *place, error.message
    start = None
    fresh, statement = True, False
    for token in tokens:
        here = (token.source_line, token.source_column)
        if here > place:
            break
        if token.type in ("whitespace", "comment"):
            continue
        if fresh:
            start = here
            statement = token.type == "at-keyword"
        # Outside of blocks a `;` ends nothing but statements such as `@import`.
        fresh = token.type == "{} block" or (token == ";" and (nested or statement))
    return *(start or place), "neither a declaration nor a rule"


def _parse_xml(source: str) -> list[Fault]:
    # The separator turns on namespaces, and with them unknown prefixes are errors.
    # The encoding is ours, whatever the declaration says of the file.
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    try:
        parser.Parse(source.encode(), True)
    except expat.ExpatError as error:
        line, column = relocate(source, error.lineno, error.offset + 1, CR_OR_LF)
        message = expat.ErrorString(error.code)
        return [Fault(line, column, one_line(message), "xml-syntax")]
    return []


PARSERS = {
    "html": each("html", _parse_html),
    "jinja": each("jinja", _parse_jinja),
    "css": each("css", _parse_css),
    "xml": each("xml", _parse_xml),
}
