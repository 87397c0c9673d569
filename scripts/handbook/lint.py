"""Style and types of the Python blocks: ruff and ty over all of them at once.

The blocks are written to files, a folder per answer, so that titled files can
import each other; findings are mapped back to the page's lines.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .runner.steps import Scope, Step

LINE_LENGTH = 76
RULES = "E,F,W,I,UP,B,ASYNC,FAST001,FAST002,ANN201,ANN204,RUF100,T100"
# Examples import below comments, name results that they only print, and show
# the calls that FastAPI is made of.
IGNORED = "E402,E501,B008,B018,I001,ASYNC110,ASYNC230,ASYNC240,UP040,UP046,UP047"
TYPE_RULES_OFF = ("unresolved-import", "unused-ignore-comment")


class ToolMissing(RuntimeError):
    """ruff or ty cannot be started."""


@dataclass
class Remark:
    """A finding of a tool, at a line of a step's source (0: the fence)."""

    step: Step
    line: int
    column: int
    rule: str
    message: str


@dataclass
class _File:
    """A file on disk and, for each of its lines, the step and line it is from."""

    path: Path
    lines: list[tuple[Step, int]] = field(default_factory=list)
    text: str = ""

    def append(self, step: Step) -> None:
        source = step.source.rstrip("\n").split("\n")
        if self.lines:
            self.text += "\n\n"
            self.lines += [(step, 0)] * 2
        self.text += "\n".join(source) + "\n"
        self.lines += [(step, number) for number in range(1, len(source) + 1)]


def lint(scopes: Sequence[Scope]) -> list[Remark]:
    """Return what ruff and ty find in the Python steps of ``scopes``.

    :raises ToolMissing: a tool is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="check-lint-") as name:
        root = Path(name).resolve()
        files, blocks, projects = _write(root, scopes)
        if not blocks:
            return []
        processes = [
            (
                "format",
                _start(
                    [
                        "ruff",
                        "format",
                        "--diff",
                        "--isolated",
                        "--line-length",
                        str(LINE_LENGTH),
                        "--target-version",
                        "py311",
                        str(root / "blocks"),
                    ]
                ),
            ),
            (
                "ruff",
                _start(
                    [
                        "ruff",
                        "check",
                        "--isolated",
                        "--output-format",
                        "json",
                        "--line-length",
                        str(LINE_LENGTH),
                        "--select",
                        RULES,
                        "--ignore",
                        IGNORED,
                        "--target-version",
                        "py311",
                        "--no-cache",
                        str(root / "answers"),
                    ]
                ),
            ),
        ]
        off = [word for rule in TYPE_RULES_OFF for word in ("--ignore", rule)]
        for folder in projects:
            processes.append(
                (
                    "ty",
                    _start(
                        [
                            "ty",
                            "check",
                            "--output-format",
                            "gitlab",
                            "--python",
                            sys.prefix,
                            "--project",
                            str(folder),
                            *off,
                            str(folder),
                        ]
                    ),
                )
            )
        remarks: list[Remark] = []
        for tool, process in processes:
            out, err = process.communicate()
            if tool == "format":
                remarks += _format_remarks(out, blocks)
            elif tool == "ruff":
                remarks += _ruff_remarks(out, err, files)
            else:
                remarks += _ty_remarks(out, err, files, root)
    return [r for r in remarks if "wrong" not in r.step.marks]


def _write(
    root: Path, scopes: Iterable[Scope]
) -> tuple[dict[Path, _File], dict[Path, Step], list[Path]]:
    files: dict[Path, _File] = {}
    blocks: dict[Path, Step] = {}
    alone = root / "answers" / "plain"
    alone.mkdir(parents=True)
    (root / "blocks").mkdir()
    projects = [alone]
    for scope in scopes:
        python = [
            s for s in scope.steps if s.kind in ("python", "file") and _is_python(s)
        ]
        titled = any(step.marks.title for step in python)
        folder = alone
        if titled:
            folder = root / "answers" / f"a{scope.number}"
            folder.mkdir()
            projects.append(folder)
        current: _File | None = None
        for step in python:
            block = root / "blocks" / f"b{scope.number}_{step.fence}.py"
            block.write_text(step.source.rstrip("\n") + "\n")
            blocks[block] = step
            if step.marks.title:
                path = folder / step.marks.title
            elif "continues" in step.marks and current is not None:
                path = current.path
            else:
                path = folder / f"b{scope.number}_{step.fence}.py"
            if path not in files or (
                "continues" not in step.marks and step.marks.title
            ):
                files[path] = _File(path)
            current = files[path]
            current.append(step)
    for file in files.values():
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_text(file.text)
    return files, blocks, projects


def _is_python(step: Step) -> bool:
    return step.marks.language in ("python", "py", "python3")


def _start(command: list[str]) -> subprocess.Popen[str]:
    tool = Path(sys.executable).parent / command[0]
    try:
        return subprocess.Popen(
            [str(tool), *command[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise ToolMissing(
            f"{command[0]} is not installed beside {sys.executable}; "
            "install tests/requirements.txt"
        ) from error


def _format_remarks(diff: str, blocks: dict[Path, Step]) -> list[Remark]:
    """Report the first line of each block that ruff would format otherwise."""
    remarks = []
    for part in re.split(r"(?m)^(?=--- )", diff):
        name = re.match(r"--- (.+)", part)
        step = blocks.get(Path(name[1].strip())) if name else None
        if step is None:
            continue
        hunk = re.search(r"(?ms)^@@ -(\d+)\S* .*?@@.*?\n(.*)", part)
        line, wanted = 1, ""
        if hunk:
            line = int(hunk[1])
            body = hunk[2].split("\n")
            for text in body:
                if text.startswith(("-", "+")):
                    break
                line += 1
            wanted = next((t[1:] for t in body if t.startswith("+")), "")
        remarks.append(
            Remark(step, line, 1, "format", f"ruff format would write `{wanted}`")
        )
    return remarks


def _ruff_remarks(out: str, err: str, files: dict[Path, _File]) -> list[Remark]:
    try:
        found = json.loads(out)
    except ValueError as error:
        raise ToolMissing(f"ruff failed: {err.strip()}") from error
    remarks = []
    for item in found:
        file = files.get(Path(item["filename"]))
        if file is None or item["code"] is None or "invalid-syntax" in item["code"]:
            continue
        row = item["location"]["row"]
        step, line = file.lines[min(row, len(file.lines)) - 1]
        remarks.append(
            Remark(
                step,
                line,
                item["location"]["column"],
                f"ruff-{item['code']}",
                item["message"],
            )
        )
    return remarks


def _ty_remarks(
    out: str, err: str, files: dict[Path, _File], root: Path
) -> list[Remark]:
    try:
        found = json.loads(out)
    except ValueError as error:
        raise ToolMissing(f"ty failed: {err.strip() or out.strip()}") from error
    by_end = {str(path): file for path, file in files.items()}
    remarks = []
    for item in found:
        path = item["location"]["path"]
        file = next((f for end, f in by_end.items() if end.endswith("/" + path)), None)
        file = by_end.get(path, file)
        begin = item["location"]["positions"]["begin"]
        if file is None or item["check_name"] == "invalid-syntax":
            continue
        step, line = file.lines[min(begin["line"], len(file.lines)) - 1]
        rule = f"ty-{item['check_name']}"
        text = item["description"].removeprefix(f"{item['check_name']}: ")
        remarks.append(Remark(step, line, begin["column"], rule, text))
    return remarks
