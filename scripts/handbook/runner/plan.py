"""From traced pages to scopes that can be run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ..exchange import Exchange, ExchangeError, read_exchanges
from ..marks import Marks
from ..page import Page
from ..parsers import canonical
from ..trace import Fence, Trace
from .steps import Limits, Outcome, Scope, Step

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}"


def excuse(marks: Marks) -> str:
    """Return why a block is not run here, or ''."""
    if "no-run" in marks:
        return marks.why
    if marks.python:
        try:
            if PYTHON not in SpecifierSet(marks.python):
                return f"needs Python {marks.python}, this is {PYTHON}"
        except InvalidSpecifier:
            return ""
    return ""


def plan_page(
    trace: Trace, page: Page, fences: Iterable[Fence], docs_dir: Path
) -> tuple[list[Scope], dict[int, Outcome]]:
    """Sort the blocks of a page into scopes.

    Returns the scopes and the outcomes of blocks that are not run at all.
    """
    scopes: dict[tuple[str, int], Scope] = {}
    done: dict[int, Outcome] = {}
    pending: dict[tuple[str, int], Exchange] = {}
    for fence in fences:
        marks = fence.data
        if not isinstance(marks, Marks):
            continue
        language = canonical(fence.language)
        key = page.scope(fence.start)
        scope = scopes.setdefault(key, Scope(0, [], key[0]))
        step = Step(
            fence=fence.id,
            kind="python",
            file=str(docs_dir / fence.place.file),
            line=fence.place.line,
            source=fence.source,
            marks=marks,
        )
        if why := excuse(marks):
            done[fence.id] = Outcome(fence.id, "excused", why)
            if marks.title:
                step.kind = "file"
                scope.steps.append(step)
            continue
        if language == "python":
            done_now = _python(step, fence)
            if done_now is not None:
                done[fence.id] = done_now
                continue
        elif language == "http":
            try:
                step.exchanges = read_exchanges(fence.source)
            except ExchangeError:
                continue  # reported where it is rendered
            step.kind = "http"
            _join_lone(step, pending, key)
            if not any(e.request and e.response for e in step.exchanges):
                continue
        elif "output" in marks:
            step.kind = "output"
        elif language == "console":
            step.kind = "console"
        elif marks.title:
            step.kind = "file"
        else:
            continue
        scope.steps.append(step)
    result = [scope for scope in scopes.values() if scope.steps]
    return result, done


def _python(step: Step, fence: Fence) -> Outcome | None:
    """Decide how a Python block runs; return its outcome if that is settled."""
    outcome = Outcome(fence.id)
    try:
        compile(fence.source, step.file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        if "syntax-error" not in step.marks:
            outcome.verdict = "fail"  # the parser reports the line
        return outcome
    if "syntax-error" in step.marks:
        outcome.fail(0, "compiles", "marked `.syntax-error`, but it compiles")
        return outcome
    if "file" in step.marks:
        step.kind = "file"
    return None


def _join_lone(
    step: Step, pending: dict[tuple[str, int], Exchange], key: tuple[str, int]
) -> None:
    """Let a lone response answer the last request that was shown alone."""
    for exchange in step.exchanges:
        if exchange.request and not exchange.response:
            pending[key] = exchange
        elif exchange.response and not exchange.request and key in pending:
            exchange.request = pending[key].request


class RunnerFailed(RuntimeError):
    """Blocks cannot be run at all."""


def _environment() -> dict[str, str]:
    """Return the environment of the blocks: nothing that a program may read.

    A reader's own DEBUG or OTEL_SDK_DISABLED would change what a page shows.
    """
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


class Runner:
    """The warm process, started early so that it is ready when pages are.

    Everything that the blocks write lies in one folder, removed with the process.
    """

    def __init__(self, seconds: float = Limits.block) -> None:
        scripts = Path(__file__).resolve().parents[2]
        self.folder = tempfile.TemporaryDirectory(
            prefix="check-run-", ignore_cleanup_errors=True
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "handbook.runner.server", str(seconds)],
            cwd=scripts,
            env={**_environment(), "TMPDIR": self.folder.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, scopes: list[Scope]) -> dict[int, list[Outcome]]:
        """Run ``scopes``; return the outcomes by the number of the scope."""
        for number, scope in enumerate(scopes):
            scope.number = number
        assert self.process.stdin and self.process.stdout
        try:
            pickle.dump(scopes, self.process.stdin)
            self.process.stdin.close()
        except BrokenPipeError as error:
            raise RunnerFailed("the process that runs blocks did not start") from error
        results: dict[int, list[Outcome]] = {}
        while True:
            try:
                number, outcomes = pickle.load(self.process.stdout)  # noqa: S301
            except EOFError:
                break
            results[number] = outcomes
        self.process.wait()
        self.close()
        return results

    def close(self) -> None:
        """End the process, also when it is not needed after all."""
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()
