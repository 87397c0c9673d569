"""The process that runs the Python blocks of one group.

A group is a block and those that continue it; they share a namespace. The
exchanges that use an application of the group run in the same process.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import mmap
import os
import re
import signal
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .asgi import Client, Response, StartupFailed
from .compare import Captured, data_difference, fill, matches, shown_output
from .sandbox import restrict
from .steps import Limits, Outcome, Step

FLOOD = 1_000_000


class Group:
    """Runs steps in this process and compares what they show.

    ``output`` is the file that standard output is written to.
    """

    def __init__(self, output: Path, limits: Limits) -> None:
        self.output = output
        self.limits = limits
        self.read = 0
        self.module = types.ModuleType("__main__")
        self.module.__dict__["__builtins__"] = __builtins__
        self.apps: dict[str, Any] = {}
        self.clients: dict[int, Client] = {}
        self.unshown = ""
        self.last = 0
        self.pid = os.getpid()
        sys.modules["__main__"] = self.module
        warnings.showwarning = _show_warning

    def serve(self, connection: Connection) -> None:
        """Answer requests until there are no more."""
        while True:
            try:
                name, *arguments = connection.recv()
            except EOFError:
                break
            answer = getattr(self, name)(*arguments)
            sys.stdout.flush()
            connection.send(answer)
            if name == "finish":
                break
        os._exit(0)

    def python(self, step: Step) -> tuple[Outcome, list[str]]:
        """Run a Python block; return its outcome and the names of its apps."""
        outcome = Outcome(step.fence)
        padded = "\n" * step.line + step.source
        raised: BaseException | None = None
        self.module.__dict__["__file__"] = step.marks.title or step.file
        try:
            code = compile(padded, step.file, "exec", dont_inherit=True)
            exec(code, self.module.__dict__)  # noqa: S102
            if re.search(r"^(async )?def test_|^class Test", step.source, re.M):
                self._test(step, outcome)
            self._openapi()
        except BaseException as error:  # noqa: BLE001
            raised = error
        if os.getpid() != self.pid:
            # A process that the block forked has come to the block's end.
            sys.stdout.flush()
            os._exit(raised is not None)
        self._judge(step, outcome, raised)
        shown = shown_output(step.source)
        if shown is not None:
            self._compare(step, outcome, shown[0], shown[1])
        app = self.module.__dict__.get("app")
        if app is not None:
            self.apps[""] = app
            if step.marks.id:
                self.apps[step.marks.id] = app
        return outcome, list(self.apps)

    def _judge(
        self, step: Step, outcome: Outcome, raised: BaseException | None
    ) -> None:
        if raised is None:
            if "raises" in step.marks:
                outcome.fail(
                    0, "no-exception", "marked `.raises`, but it did not raise"
                )
            return
        line = _line_of(raised, step)
        text = _describe(raised)
        if "raises" in step.marks and not isinstance(raised, SystemExit):
            sys.stdout.write(text + "\n")
            return
        if isinstance(raised, SystemExit):
            text = f"the block ends the process (exit status {raised.code})"
        outcome.fail(line, "exception", text)

    def _test(self, step: Step, outcome: Outcome) -> None:
        """Let pytest collect and run the tests of the namespace."""
        import pytest

        module = self.module
        reports: list[tuple[str, str, int]] = []

        class Collected(pytest.Module):
            def _getobj(self) -> types.ModuleType:
                return module

        class Plugin:
            ran = 0

            def pytest_pycollect_makemodule(
                self, module_path: Path, parent: Any
            ) -> Any:
                return Collected.from_parent(parent, path=module_path)

            def pytest_runtest_logreport(self, report: Any) -> None:
                self.ran += report.when == "call"
                if report.failed:
                    crash = getattr(report.longrepr, "reprcrash", None)
                    line = crash.lineno if crash and crash.path == step.file else 0
                    text = crash.message if crash else report.longreprtext
                    reports.append((report.nodeid.split("::")[-1], text, line))

            def pytest_collectreport(self, report: Any) -> None:
                if report.failed:
                    reports.append(("collection", report.longreprtext, 0))

        stub = Path(f"test_block_{step.fence}.py")
        stub.write_text("")
        plugin = Plugin()
        with contextlib.redirect_stdout(io.StringIO()):
            pytest.main(
                [
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:randomly",
                    # They are not used here, and importing them takes seconds.
                    "-p",
                    "no:schemathesis",
                    "-p",
                    "no:hypothesispytest",
                    "-c",
                    "/dev/null",
                    "--rootdir",
                    ".",
                    str(stub),
                ],
                plugins=[plugin],
            )
        stub.unlink(missing_ok=True)
        # What tests print is captured by pytest; it is no output of the block.
        for name, text, line in reports:
            at = line - step.line if line > step.line else 0
            outcome.fail(at, "test-failed", f"{name}: {text.splitlines()[0]}")
        if not plugin.ran and not reports:
            outcome.fail(0, "test-failed", "pytest collected no test from this block")

    def _openapi(self) -> None:
        """Make every application build its schema.

        Annotations may be evaluated only then (PEP 649), so a wrong name in a
        signature would pass unseen.
        """
        from fastapi import FastAPI

        for value in list(self.module.__dict__.values()):
            if isinstance(value, FastAPI) and value.openapi_url is not None:
                value.openapi()

    def http(
        self, step: Step, name: str, captured: Captured
    ) -> tuple[Outcome, Captured]:
        """Run the exchanges of a block; return what ``{{name}}`` stands for."""
        outcome = Outcome(step.fence)
        app = self.apps.get(name)
        if app is None:
            outcome.fail(0, "no-app", "no block above leaves an application `app`")
            return outcome, captured
        try:
            client = self._client(app)
        except StartupFailed as error:
            outcome.fail(0, "startup-failed", f"the lifespan failed: {error}")
            return outcome, captured
        for exchange in step.exchanges:
            request, shown = exchange.request, exchange.response
            if request is None or shown is None:
                continue
            until = None
            if shown.cut:
                wanted = fill(shown.body, captured)

                def until(body: bytes, wanted: str = wanted) -> bool:
                    text = body.decode("utf-8", "replace")
                    count = wanted.rstrip("\n").count("\n") + 1
                    return text.count("\n") >= count

            try:
                seen = client.ask(
                    request.method,
                    fill(request.target, captured),
                    [(h.name, fill(h.value, captured)) for h in request.headers],
                    _sent(fill(request.body, captured)).encode(),
                    until,
                )
            except TimeoutError:
                outcome.fail(shown.line, "timeout", "no complete response in time")
                continue
            except BaseException as error:  # noqa: BLE001
                outcome.fail(shown.line, "exception", _describe(error))
                continue
            _compare_response(outcome, shown, seen, captured)
        return outcome, captured

    def _client(self, app: Any) -> Client:
        client = self.clients.get(id(app))
        if client is None:
            client = Client(
                app, lambda error: print(_describe(error)), self.limits.request
            )
            client.start()
            self.clients[id(app)] = client
        return client

    def show(self, step: Step, last: bool) -> Outcome:
        """Compare an ``.output`` block; the last one sees the shutdown too."""
        outcome = Outcome(step.fence)
        if last:
            self._shut_down()
        self._compare(step, outcome, step.source, 1)
        return outcome

    def finish(self) -> tuple[str, bool]:
        """End as a program does: wait for threads, run what is registered.

        Returns the output that the page does not show, and whether a process is
        left running.
        """
        self._shut_down()
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        return self._new_output(), _has_children()

    def _shut_down(self) -> None:
        for client in self.clients.values():
            with contextlib.suppress(Exception):
                client.stop()

    def _new_output(self) -> str:
        sys.stdout.flush()
        with self.output.open("rb") as file:
            file.seek(self.read)
            data = file.read(FLOOD + 1)
            self.read = file.seek(0, os.SEEK_END)
        text = data[:FLOOD].decode("utf-8", "replace")
        return text + ("\n[more output]" if len(data) > FLOOD else "")

    def _compare(self, step: Step, outcome: Outcome, shown: str, line: int) -> None:
        seen = self._new_output()
        if not matches(shown, seen):
            outcome.fail(line, "output", f"printed {_short(seen)}")


def _compare_response(
    outcome: Outcome, shown: Any, seen: Response, captured: Captured
) -> None:
    if seen.status != shown.status:
        body = _short(seen.body.decode("utf-8", "replace"))
        outcome.fail(shown.line, "status", f"the status is {seen.status}, body {body}")
        return
    for header in shown.headers:
        values = [v for n, v in seen.headers if n.lower() == header.name.lower()]
        if not any(matches(header.value, value, captured) for value in values):
            what = " and ".join(map(repr, values)) if values else "missing"
            outcome.fail(header.line, "header", f"`{header.name}` is {what}")
    if not seen.complete and not shown.cut:
        outcome.fail(shown.line, "incomplete", "the response breaks off")
    wanted = shown.body.strip("\n")
    if not wanted:
        return
    text = seen.body.decode("utf-8", "replace")
    kinds = [v for n, v in seen.headers if n.lower() == "content-type"]
    kind = kinds[0].partition(";")[0].strip() if kinds else ""
    if kind in ("application/jsonl", "application/x-ndjson", "application/json-lines"):
        _compare_lines(outcome, shown, text, captured)
    elif kind == "application/json" or kind.endswith("+json"):
        try:
            data = json.loads(wanted)
        except ValueError as error:
            at = shown.body_line + getattr(error, "lineno", 1) - 1
            outcome.fail(at, "json-syntax", f"the body shown is no JSON: {error}")
            return
        if difference := data_difference(data, json.loads(text), captured):
            outcome.fail(shown.body_line, "body", difference)
    elif shown.cut:
        seen_lines = text.split("\n")[: wanted.count("\n") + 1]
        if not matches(wanted, "\n".join(seen_lines), captured):
            outcome.fail(shown.body_line, "body", f"the body is {_short(text)}")
    elif not matches(wanted, text, captured):
        outcome.fail(shown.body_line, "body", f"the body is {_short(text)}")


def _compare_lines(outcome: Outcome, shown: Any, text: str, captured: Captured) -> None:
    wanted = [line for line in shown.body.split("\n") if line.strip()]
    seen = [line for line in text.split("\n") if line.strip()]
    if len(seen) != len(wanted) and not (shown.cut and len(seen) > len(wanted)):
        outcome.fail(
            shown.body_line, "body", f"{len(seen)} lines came, not {len(wanted)}"
        )
        return
    for offset, (left, right) in enumerate(zip(wanted, seen, strict=False)):
        try:
            difference = data_difference(
                json.loads(left), json.loads(right), captured, "line"
            )
        except ValueError as error:
            difference = f"no JSON: {error}"
        if difference:
            outcome.fail(shown.body_line + offset, "body", difference)


def _has_children() -> bool:
    """Tell whether this process has children, but for multiprocessing's helpers."""
    for name in ("resource_tracker", "forkserver"):
        module = sys.modules.get(f"multiprocessing.{name}")
        with contextlib.suppress(Exception):
            getattr(module, f"_{name}")._stop()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def _sent(body: str) -> str:
    # A block ends with a newline that belongs to the page, not to the request.
    return body.rstrip("\n")


def _describe(error: BaseException) -> str:
    text = "".join(traceback.format_exception_only(error)).strip()
    name = type(error).__name__
    # Python prints the module too; a page shows `Type: message`.
    message = str(error)
    if isinstance(error, SyntaxError):
        return text
    return f"{name}: {message}" if message else name


def _line_of(error: BaseException, step: Step) -> int:
    if isinstance(error, SyntaxError) and error.filename == step.file:
        return max((error.lineno or step.line) - step.line, 0)
    line = 0
    for frame, number in _frames(error):
        if frame == step.file and number > step.line:
            line = number - step.line
    return line


def _frames(error: BaseException) -> Iterator[tuple[str, int]]:
    for frame, number in traceback.walk_tb(error.__traceback__):
        yield frame.f_code.co_filename, number


def _short(text: str) -> str:
    text = text.strip("\n")
    if not text:
        return "nothing"
    return repr(text if len(text) < 600 else text[:600] + " …")


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    print(f"{category.__name__}: {message}")


def run_group(
    connection: Connection,
    folder: str,
    output: Path,
    forks: mmap.mmap,
    limits: Limits,
) -> None:
    """Take over this (forked) process for one group.

    ``output`` is the file that takes standard output; ``forks`` counts the
    processes that the whole scope has started.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    err = os.open(f"{output}.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)
    sys.argv = ["main.py"]
    restrict(folder, forks)
    # The answer's own folder comes first, so that its files are imported.
    sys.path.insert(0, folder)
    # Warnings given while the image warmed up must be given again.
    warnings.resetwarnings()
    warnings.simplefilter("default")
    for name in ("DeprecationWarning", "PendingDeprecationWarning", "ImportWarning"):
        warnings.simplefilter("ignore", getattr(__import__("builtins"), name))
    warnings.simplefilter("ignore", ResourceWarning)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
    Group(output, limits).serve(connection)
