"""Data and configuration: JSON, JSON Lines, YAML, TOML, INI and dotenv."""

from __future__ import annotations

import configparser
import io
import re
import tomllib
import warnings

from dotenv.parser import parse_stream
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from .base import (
    CR_OR_LF,
    Fault,
    each,
    first_column,
    offset_of,
    one_line,
    position,
    relocate,
)
from .jsontext import scan


def _json_faults(source: str, language: str, comments: bool = False) -> list[Fault]:
    faults = []
    for offset, message, kind in scan(source, comments=comments):
        line, column = position(source, offset)
        suffix = "duplicate-key" if kind == "duplicate" else "syntax"
        faults.append(Fault(line, column, message, f"{language}-{suffix}"))
    return faults


def _parse_json(source: str) -> list[Fault]:
    return _json_faults(source, "json")


def _parse_jsonc(source: str) -> list[Fault]:
    return _json_faults(source, "jsonc", comments=True)


def _parse_jsonl(source: str) -> list[Fault]:
    return [
        Fault(number, fault.column, fault.message, fault.rule)
        for number, text in enumerate(source.split("\n"), 1)
        if text.strip(" \t\r")
        for fault in _json_faults(text, "jsonl")
    ]


def _parse_yaml(source: str) -> list[Fault]:
    """Compose the node graph; constructing objects would refuse unknown tags."""
    loader = YAML(typ="safe", pure=True)
    faults: list[Fault] = []
    try:
        with warnings.catch_warnings():
            # An anchor may be defined again; the library warns.
            warnings.simplefilter("ignore")
            for root in loader.compose_all(source):
                faults += _yaml_keys(source, root)
    except ReaderError as error:
        line, column = position(source, error.position)
        faults.append(Fault(line, column, one_line(error.reason), "yaml-syntax"))
    except MarkedYAMLError as error:
        faults.append(_yaml_error(source, error))
    except YAMLError as error:
        faults.append(Fault(1, 1, one_line(error), "yaml-syntax"))
    except (ValueError, OverflowError) as error:
        # Such as chr() of an escape beyond Unicode, deep in the scanner.
        faults.append(Fault(1, 1, one_line(error), "yaml-syntax"))
    return faults


def _yaml_error(source: str, error: MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context
    if "unexpected end of stream" in str(problem) and error.context_mark:
        # An unclosed quote: where it opens says more than where the text ends.
        mark = error.context_mark
    # Not the mark's line: U+2028 and others count there as line ends, sometimes.
    line, column = position(source, mark.index) if mark else (1, 1)
    context = f"{error.context}: " if error.context else ""
    return Fault(line, column, one_line(f"{context}{problem}"), "yaml-syntax")


def _yaml_keys(source: str, root: Node | None) -> list[Fault]:
    """Duplicate keys, and keys that are mappings, in one document."""
    faults = []
    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if node is None or id(node) in seen:
            continue  # an alias leads to a node already seen, or back to a parent
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            todo += node.value
        elif isinstance(node, MappingNode):
            keys: set[tuple[str, str]] = set()
            for key, value in node.value:
                todo += [key, value]
                problem = None
                if isinstance(key, MappingNode):
                    # Most often an unquoted `{{ template }}`.
                    problem = ("a mapping cannot be a key", "yaml-syntax")
                elif isinstance(key, ScalarNode):
                    name = (str(key.tag), key.value)
                    if name in keys:
                        message = f"duplicate key {key.value!r}"
                        problem = (message, "yaml-duplicate-key")
                    keys.add(name)
                if problem:
                    line, column = position(source, key.start_mark.index)
                    faults.append(Fault(line, column, *problem))
    return faults


_TOML_PLACE = re.compile(
    r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.S
)


def _parse_toml(source: str) -> list[Fault]:
    try:
        tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.fullmatch(str(error))
        if place is None:
            return [Fault(1, 1, one_line(error), "toml-syntax")]
        if place[2]:
            line, column = int(place[2]), int(place[3])
        else:
            line, column = position(source, len(source.rstrip("\n")))
        return [Fault(line, column, one_line(place[1]), "toml-syntax")]
    except ValueError as error:
        # An integer with more digits than Python converts.
        return [Fault(1, 1, one_line(error), "toml-syntax")]
    return []


def _parse_ini(source: str) -> list[Fault]:
    parser = configparser.RawConfigParser(strict=True)
    try:
        parser.read_string(source)
    except (
        configparser.DuplicateOptionError,
        configparser.DuplicateSectionError,
    ) as error:
        line = error.lineno or 1
        if isinstance(error, configparser.DuplicateOptionError):
            message = f"duplicate option {error.option!r} in [{error.section}]"
        else:
            message = f"duplicate section [{error.section}]"
        column = first_column(source, line)
        return [Fault(line, column, one_line(message), "ini-duplicate")]
    except configparser.MissingSectionHeaderError as error:
        line = error.lineno
        message = "the line stands before the first [section]"
        return [Fault(line, first_column(source, line), message, "ini-syntax")]
    except configparser.ParsingError as error:
        message = "neither `[section]` nor `option = value`"
        # Since Python 3.13 one subclass has a line instead of a list of errors.
        errors = getattr(error, "errors", None) or [(getattr(error, "lineno", 1), "")]
        return [
            Fault(line, first_column(source, line), message, "ini-syntax")
            for line, _ in errors
        ]
    return []


def _parse_dotenv(source: str) -> list[Fault]:
    faults = []
    for binding in parse_stream(io.StringIO(source)):
        if binding.error:
            # A binding takes in the blank lines before it.
            text = binding.original.string
            line, _ = relocate(source, binding.original.line, 1, CR_OR_LF)
            blank = len(text) - len(text.lstrip())
            start = offset_of(source, binding.original.line, 1, CR_OR_LF)
            line, column = position(source, start + blank)
            message = f"cannot parse {one_line(text)!r}"
            faults.append(Fault(line, column, message, "dotenv-syntax"))
    return faults


PARSERS = {
    "json": each("json", _parse_json),
    "jsonc": each("jsonc", _parse_jsonc),
    "jsonl": each("jsonl", _parse_jsonl),
    "yaml": each("yaml", _parse_yaml),
    "toml": each("toml", _parse_toml),
    "ini": each("ini", _parse_ini),
    "dotenv": each("dotenv", _parse_dotenv),
}
