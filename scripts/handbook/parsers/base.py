"""What all the parsers share: the result type, positions and running tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# How each family of languages ends a line, once "\r\n" has become "\n".
LF = re.compile("\n")
CR_OR_LF = re.compile("[\r\n]")

TIMEOUT = 120.0  # seconds for one run of an external tool


@dataclass(frozen=True)
class Fault:
    """One syntax error.

    Attributes:
        line: 1-based line within the block's source.
        column: 1-based column, in characters (code points).
        message: what is wrong, in one line, as the parser words it.
        rule: a stable name, such as ``"python-syntax"``.
    """

    line: int
    column: int
    message: str
    rule: str


class ParserUnavailable(RuntimeError):
    """An external parser is missing or cannot be started.

    Attributes:
        tool: the program's name.
        remedy: what to do about it, as a sentence.
    """

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} cannot be run: {remedy}")
        self.tool = tool
        self.remedy = remedy


BatchParser = Callable[[Sequence[str]], list[list[Fault]]]


def position(source: str, offset: int) -> tuple[int, int]:
    """The 1-based (line, column) of a 0-based character offset."""
    start = source.rfind("\n", 0, offset) + 1
    return source.count("\n", 0, offset) + 1, offset - start + 1


def offset_of(source: str, line: int, column: int, breaks: re.Pattern[str] = LF) -> int:
    """The 0-based offset of a 1-based line and column.

    `breaks` matches what the reporting parser takes for the end of a line. A line
    after the last one stands for the end of the source.
    """
    start = 0
    for _ in range(line - 1):
        found = breaks.search(source, start)
        if found is None:
            return len(source)
        start = found.end()
    return min(start + max(column, 1) - 1, len(source))


def relocate(
    source: str, line: int, column: int, breaks: re.Pattern[str]
) -> tuple[int, int]:
    """Turn a position counted with other line breaks into one counted with LF."""
    return position(source, offset_of(source, line, column, breaks))


def first_column(source: str, line: int) -> int:
    """The 1-based column of the first character of a line that is no blank."""
    lines = source.split("\n")
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return len(text) - len(text.lstrip()) + 1


def one_line(text: object) -> str:
    """A message on one line, without the parser's own layout."""
    return " ".join(str(text).split())


def words(text: str) -> frozenset[str]:
    """The set of the words of a text."""
    return frozenset(text.split())


def crash(language: str, error: BaseException) -> Fault:
    """What is reported when a parser itself fails on a block."""
    message = one_line(f"{type(error).__name__}: {error}")
    return Fault(1, 1, message, f"{language}-parser")


def each(language: str, parser: Callable[[str], list[Fault]]) -> BatchParser:
    """Make a parser of many sources from a parser of one.

    A parser that fails on one block must not lose the others' results, so the guard
    sits here, around each block.
    """

    def parse(sources: Sequence[str]) -> list[list[Fault]]:
        results = []
        for source in sources:
            try:
                results.append(parser(source))
            except (RecursionError, MemoryError):
                fault = Fault(1, 1, "nested too deeply", f"{language}-syntax")
                results.append([fault])
            except ParserUnavailable:
                raise
            except Exception as error:
                results.append([crash(language, error)])
        return results

    return parse


def find_tool(name: str, package: str) -> str:
    """The path of a program that a Python package installs.

    Raises:
        ParserUnavailable: when it is neither next to this Python nor on PATH.
    """
    for folder in (Path(sys.executable).parent, sysconfig.get_path("scripts")):
        found = shutil.which(name, path=str(folder))
        if found:
            return found
    found = shutil.which(name)
    if found is None:
        raise ParserUnavailable(name, f"install it with `pip install {package}`.")
    return found


def run_tool(
    command: Sequence[str],
    package: str,
    *,
    stdin: str = "",
    folder: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run an external parser once and return its output, decoded as UTF-8.

    Raises:
        ParserUnavailable: when it cannot be started or runs out of time.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            list(command),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
            env=env,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        remedy = f"it took more than {TIMEOUT:.0f} seconds; run it on fewer blocks."
        raise ParserUnavailable(name, remedy) from None
    except OSError as error:
        remedy = (
            f"{error}; the wheel may not fit this machine: reinstall it with "
            f"`pip install --force-reinstall {package}`."
        )
        raise ParserUnavailable(name, remedy) from error
    if done.returncode in (126, 127):  # such as a missing shared library
        detail = one_line(done.stderr)[:200]
        remedy = (
            f"{detail}; reinstall it with `pip install --force-reinstall {package}`."
        )
        raise ParserUnavailable(name, remedy)
    return done
