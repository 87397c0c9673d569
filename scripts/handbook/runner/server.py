"""The warm process: imports once, forks once per answer.

Started as ``python -m handbook.runner.server``. It reads one pickled list of
scopes from standard input and writes pickled lists of outcomes, each with the
number of its scope, as they are ready.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from . import sandbox
from .console import Shell
from .python import run_group
from .steps import Limits, Outcome, Scope, Step

# A program as examples are, so that what they touch first is loaded already.
_FIRST_REQUESTS = """
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

class Item(BaseModel):
    name: str

app = FastAPI()

@app.post("/items")
def create(item: Item) -> Item:
    return item

with TestClient(app) as client:
    client.post("/items", json={"name": "warm"})
    client.post("/items", json={})
    client.get("/openapi.json")
"""


def warm_up() -> None:
    """Import what examples import, and run a few requests."""
    import asyncio  # noqa: F401
    import concurrent.futures  # noqa: F401

    import pytest  # noqa: F401
    import sqlalchemy  # noqa: F401

    exec(compile(_FIRST_REQUESTS, "warm-up", "exec", dont_inherit=True), {})  # noqa: S102
    deadline = time.monotonic() + 10
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    gc.collect()
    gc.freeze()


class Driver:
    """Runs the steps of one scope in order; lives in a process of its own."""

    def __init__(self, scope: Scope, folder: Path, limits: Limits) -> None:
        self.scope = scope
        self.limits = limits
        self.base = folder
        self.folder = folder / "answer"
        self.folder.mkdir()
        self.forks = sandbox.fork_counter()
        self.groups: list[_Remote] = []
        self.captured: dict[str, str] = {}
        self.shell: Shell | None = None
        self.outcomes: dict[int, Outcome] = {}
        self.current: _Remote | None = None

    def run(self) -> list[Outcome]:
        """Run all steps; return an outcome for each."""
        steps = self.scope.steps
        for position, step in enumerate(steps):
            try:
                outcome = self._run(step, steps[position + 1 :])
            except _Gone as error:
                outcome = Outcome(step.fence)
                outcome.fail(0, error.rule, str(error))
            self.outcomes[step.fence] = outcome
        for group in self.groups:
            self._finish(group)
        if self.shell is not None:
            self.shell.close()
        return list(self.outcomes.values())

    def _run(self, step: Step, later: list[Step]) -> Outcome:
        marks = step.marks
        if marks.title:
            self._write(step)
        if step.kind == "console":
            self.shell = self.shell or Shell(self.folder, self.limits)
            return self.shell.run(step)
        if step.kind == "file":
            return Outcome(step.fence)
        if step.kind == "output":
            group = self.current
            if group is None:
                outcome = Outcome(step.fence)
                outcome.fail(0, "output", "nothing above prints this")
                return outcome
            mine = [s for s in later if s.kind in ("output", "http", "python")]
            return group.call("show", step, not mine)
        if step.kind == "http":
            return self._http(step)
        if "continues" in marks:
            if self.current is None:
                outcome = Outcome(step.fence)
                outcome.fail(0, "continues", "no Python block above to continue")
                return outcome
        else:
            self.current = _Remote(self, step)
            self.groups.append(self.current)
        self.current.steps.append(step)
        outcome, names = self.current.call("python", step)
        self.current.apps = names
        return outcome

    def _http(self, step: Step) -> Outcome:
        name = step.marks.app
        group = next((g for g in reversed(self.groups) if name in g.apps), None)
        if group is None:
            outcome = Outcome(step.fence)
            what = f"a block `#{name}` that leaves" if name else "a block that leaves"
            outcome.fail(0, "no-app", f"there is no block above, {what} `app`")
            return outcome
        self.current = group
        group.steps.append(step)
        outcome, self.captured = group.call("http", step, name, self.captured)
        return outcome

    def _write(self, step: Step) -> None:
        path = (self.folder / step.marks.title).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise _Gone("file-title", f"`{step.marks.title}` lies outside the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = "a" if "continues" in step.marks else "w"
        with path.open(mode, encoding="utf-8") as file:
            file.write(step.source.rstrip("\n") + "\n")

    def _finish(self, group: _Remote) -> None:
        if group.gone:
            return
        last = self.outcomes[group.steps[-1].fence]
        try:
            rest, left = group.call("finish")
        except _Gone as error:
            last.fail(0, error.rule, f"after its last line, {error}")
            return
        if left:
            last.fail(0, "left-running", "it leaves a process running; wait for it")
        failed = any(self.outcomes[s.fence].verdict == "fail" for s in group.steps)
        if rest.strip() and not failed:
            text = rest if len(rest) < 600 else rest[:600] + " …"
            last.fail(
                0,
                "unshown-output",
                f"it printed {text!r}, which the page does not show",
            )


class _Gone(Exception):
    """The group's process ended or hung; ``rule`` says which."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class _Remote:
    """A group in a process of its own."""

    def __init__(self, driver: Driver, step: Step) -> None:
        self.steps: list[Step] = []
        self.apps: list[str] = []
        self.gone = ""
        self.seconds = driver.limits.block
        self.connection, child = Pipe()
        output = driver.base / f"out-{step.fence}"
        output.touch()
        self.pid = os.fork()
        if self.pid == 0:
            self.connection.close()
            try:
                os.setsid()
                os.chdir(driver.folder)
                sandbox.die_with_parent()
                run_group(
                    child, str(driver.folder), output, driver.forks, driver.limits
                )
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
            finally:
                os._exit(70)
        child.close()

    def call(self, name: str, *arguments: Any) -> Any:
        """Ask the process; raise :class:`_Gone` where it does not answer."""
        if self.gone:
            raise _Gone("not-run", f"not run, because a block before it {self.gone}")
        try:
            self.connection.send((name, *arguments))
            if not self.connection.poll(self.seconds):
                self.gone = "hangs"
                os.kill(self.pid, signal.SIGKILL)
                raise _Gone("timeout", f"it did not end within {self.seconds:g} s")
            return self.connection.recv()
        except (EOFError, ConnectionError, BrokenPipeError) as error:
            self.gone = "ended its process"
            with contextlib.suppress(OSError):
                _, status = os.waitpid(self.pid, 0)
                code = os.waitstatus_to_exitcode(status)
                raise _Gone("exit", f"it ended its process (status {code})") from error
            raise _Gone("exit", "it ended its process") from error


def _drive(scope: Scope, pipe: int, limits: Limits) -> None:
    """Run a scope in this (forked) process and write its outcomes to ``pipe``."""
    os.setsid()
    sandbox.die_with_parent()
    sandbox.adopt_orphans()
    sandbox.own_network()
    folder = Path(tempfile.mkdtemp(prefix="answer-"))
    sandbox.own_writes(folder)
    os.environ.update(HOME=str(folder / "answer"), TMPDIR=str(folder / "answer"))
    tempfile.tempdir = None
    # A file that is replaced within a second would still be read from its cache.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    try:
        outcomes = Driver(scope, folder, limits).run()
    finally:
        sandbox.kill_descendants()
        shutil.rmtree(folder, ignore_errors=True)
    with os.fdopen(pipe, "wb") as file:
        pickle.dump((scope.number, outcomes), file)


def serve(workers: int, limits: Limits) -> None:
    """Run all scopes read from standard input."""
    warm_up()
    scopes: list[Scope] = pickle.load(sys.stdin.buffer)  # noqa: S301
    sandbox.adopt_orphans()
    waiting = list(reversed(scopes))
    running: dict[int, tuple[int, Scope, float, bytes]] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            scope = waiting.pop()
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(reader)
                try:
                    _drive(scope, writer, limits)
                except BaseException:  # noqa: BLE001
                    traceback.print_exc()
                finally:
                    os._exit(0)
            os.close(writer)
            running[reader] = (pid, scope, time.monotonic() + limits.scope, b"")
        ready, _, _ = select.select(list(running), [], [], 0.5)
        for reader in ready:
            pid, scope, deadline, data = running[reader]
            piece = os.read(reader, 1 << 20)
            if piece:
                running[reader] = (pid, scope, deadline, data + piece)
                continue
            del running[reader]
            os.close(reader)
            os.waitpid(pid, 0)
            _answer(scope, data, "the answer ended its own driver")
        for reader, (pid, scope, deadline, _) in list(running.items()):
            if time.monotonic() > deadline:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                del running[reader]
                os.close(reader)
                os.waitpid(pid, 0)
                _answer(scope, b"", f"the answer took over {limits.scope:g} s")
        sandbox.kill_descendants({pid for pid, *_ in running.values()})


def _answer(scope: Scope, data: bytes, problem: str) -> None:
    if data:
        sys.stdout.buffer.write(data)
    else:
        outcomes = []
        for step in scope.steps:
            outcome = Outcome(step.fence)
            outcome.fail(0, "timeout", problem)
            outcomes.append(outcome)
        pickle.dump((scope.number, outcomes), sys.stdout.buffer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(max(os.cpu_count() or 2, 2), Limits(float(sys.argv[1])))
