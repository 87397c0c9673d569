"""Python modules and interpreter sessions."""

from __future__ import annotations

import ast
import doctest
import re
import warnings

from .base import CR_OR_LF, Fault, each, first_column, one_line, position, relocate

_SYNTAX = "python-syntax"
_WARNING = "python-syntax-warning"


def _parse_python(source: str) -> list[Fault]:
    return _compile(source, "exec")


def _compile(source: str, mode: str) -> list[Fault]:
    """Compile, never run. `ast.parse` would miss `return` outside a function."""
    null = source.find("\0")
    if null >= 0:
        # Its exception, and whether it has a line, depends on the version.
        line, column = position(source, null)
        return [Fault(line, column, "source contains a null byte", _SYNTAX)]
    faults: list[Fault] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            compile(source, "<block>", mode, dont_inherit=True)
        except SyntaxError as error:
            faults.append(_syntax_error(source, error))
        except (RecursionError, MemoryError):
            faults.append(Fault(1, 1, "nested too deeply", _SYNTAX))
        except (ValueError, OverflowError) as error:
            faults.append(Fault(1, 1, one_line(error), _SYNTAX))
    for warning in caught:
        # Python 3.11 calls an invalid escape a DeprecationWarning.
        if issubclass(warning.category, (SyntaxWarning, DeprecationWarning)):
            message = str(warning.message)
            line, column = _warning_place(source, warning.lineno, message)
            faults.append(Fault(line, column, one_line(message), _WARNING))
    return faults


def _syntax_error(source: str, error: SyntaxError) -> Fault:
    line, column = relocate(source, error.lineno or 1, error.offset or 1, CR_OR_LF)
    if isinstance(error, IndentationError):
        # Python points before, at or after the indentation, by version.
        column = first_column(source, line)
    return Fault(line, column, one_line(error.msg), _SYNTAX)


def _warning_place(source: str, line: int, message: str) -> tuple[int, int]:
    """Where a warning, which has a line only, points to."""
    line, _ = relocate(source, line, 1, CR_OR_LF)
    escape = re.search(r"(?:sequence '|\")(\\.[0-7]{0,2})['\"]", message)
    if escape:
        # The line may be the one on which a long string starts.
        start = sum(len(text) + 1 for text in source.split("\n")[: line - 1])
        wanted = re.compile(r"(?<!\\)(?:\\\\)*(" + re.escape(escape[1]) + ")")
        found = wanted.search(source, start)
        return position(source, found.start(1)) if found else (line, 1)
    if "with" in message and "literal" in message:
        column = _compare_column(source, line)
        if column:
            return line, column
    return line, first_column(source, line)


def _compare_column(source: str, line: int) -> int | None:
    """The column of the first `is` comparison that starts on a line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, RecursionError, MemoryError):
            return None
    text = source.split("\n")[line - 1].encode()
    columns = [
        len(text[: node.col_offset].decode(errors="ignore")) + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and node.lineno == line
        and any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
    ]
    return min(columns, default=None)


_PROMPT = re.compile(r"[ \t]*(>>>|\.\.\.)( |$)")
# Two or four and more angle brackets where a prompt belongs.
_BAD_PROMPT = re.compile(r"[ \t]*(>>|>>>>+|> > >|>>>)(?![>])(?=[ \t]|$)")


def _parse_pycon(source: str) -> list[Fault]:
    """Doctest's own reading of a session, each example compiled as typed."""
    faults: list[Fault] = []
    lines = source.split("\n")
    for number, text in enumerate(lines, 1):
        bad = _BAD_PROMPT.match(text)
        if bad and bad[1] != ">>>":
            message = f"malformed prompt `{bad[1]}`"
            faults.append(Fault(number, bad.start(1) + 1, message, "pycon-prompt"))
    try:
        # The parser expands tabs, which moves columns: those are taken from `lines`.
        examples = doctest.DocTestParser().get_examples(source)
    except ValueError as error:
        match = re.match(r"line (\d+) of the doc\w+ for \S+ (.*)", str(error), re.S)
        line = int(match[1]) if match else 1
        message = one_line(match[2] if match else error)
        if re.search(r"inconsistent leading whitespace: '\s*\.\.\.", message):
            line += 1  # for source lines, doctest forgets to count the first one
        place = first_column(source, line)
        return [*faults, Fault(line, place, message, "pycon-prompt")]
    if not examples and source.strip() and not faults:
        line = next(n for n, text in enumerate(lines, 1) if text.strip())
        message = "no line starts with the prompt `>>> `"
        return [Fault(line, first_column(source, line), message, "pycon-prompt")]
    for example in examples:
        for fault in _compile(example.source, "single"):
            line = example.lineno + fault.line
            prompt = _PROMPT.match(lines[line - 1]) if line <= len(lines) else None
            shift = prompt.end() if prompt else 0
            rule = fault.rule.replace("python-", "pycon-", 1)
            faults.append(Fault(line, fault.column + shift, fault.message, rule))
    return faults


PARSERS = {
    "python": each("python", _parse_python),
    "pycon": each("pycon", _parse_pycon),
}
