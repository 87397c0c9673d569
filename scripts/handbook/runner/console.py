"""Running console sessions: one shell per answer, servers included."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .compare import matches
from .sandbox import children, descendants, is_alive
from .steps import Limits, Outcome, Step

_SERVERS = re.compile(
    r"^(?:\w+=\S*\s+)*(?:python3?\s+-m\s+)?"
    r"(?:uvicorn|gunicorn|hypercorn|granian|daphne|fastapi\s+(?:run|dev)|flask\s+run|"
    r"http\.server)\b"
)
_PORT = re.compile(r"(?:--port[ =]|-p )(\d+)|(?:--bind|-b)[ =]\S*?:(\d+)")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r(?=\n)")


@dataclass
class Command:
    """A command of a session, at ``line`` of its block, and the output shown."""

    text: str
    line: int
    shown: str


def read_session(source: str) -> list[Command]:
    """Split a session into commands (``$ ``, continued by ``> ``) and outputs."""
    commands: list[Command] = []
    shown: list[str] = []
    for number, line in enumerate(source.split("\n"), 1):
        if line.startswith("$ ") or line == "$":
            if commands:
                commands[-1].shown = "\n".join(shown)
            shown = []
            commands.append(Command(line[2:], number, ""))
        elif line.startswith("> ") and commands and not shown:
            commands[-1].text += "\n" + line[2:]
        else:
            shown.append(line)
    if commands:
        commands[-1].shown = "\n".join(shown)
    return commands


class Shell:
    """A bash that lasts for an answer; ``export`` holds until its end."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.server: int | None = None
        environment = {
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
            ),
            "HOME": str(folder),
            "PWD": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "COLUMNS": "80",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OTEL_SDK_DISABLED": "true",
            # They are not used here, and importing them takes seconds.
            "PYTEST_ADDOPTS": "-p no:schemathesis -p no:hypothesispytest",
        }
        self.bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, step: Step) -> Outcome:
        """Run a session and compare each output with the one shown."""
        outcome = Outcome(step.fence)
        for command in read_session(step.source):
            serves = bool(_SERVERS.match(command.text))
            try:
                seen = self._serve(command.text) if serves else self._do(command.text)
            except TimeoutError as error:
                outcome.fail(command.line, "timeout", str(error))
                self.close()
                return outcome
            except OSError as error:
                outcome.fail(command.line, "console", f"the shell ended: {error}")
                return outcome
            if serves and not command.shown.strip() and self.server:
                continue
            if not matches(command.shown, seen):
                text = seen if len(seen) < 800 else seen[:800] + " …"
                outcome.fail(command.line, "console", f"it printed {text!r}")
        return outcome

    def _send(self, text: str) -> None:
        assert self.bash.stdin is not None
        self.bash.stdin.write(text.encode())
        self.bash.stdin.flush()

    def _do(self, command: str) -> str:
        seconds = self.limits.block
        self._send(f"eval {shlex.quote(command)} </dev/null\nprintf '\\036'\n")
        assert self.bash.stdout is not None
        data = b""
        deadline = time.monotonic() + seconds
        handle = self.bash.stdout.fileno()
        while not data.endswith(b"\x1e"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                raise TimeoutError(f"the command did not end within {seconds:g} s")
            piece = os.read(handle, 65536)
            if not piece:
                raise OSError("it closed its output")
            data = (data + piece)[-1_000_000:]
        return _ANSI.sub("", data[:-1].decode("utf-8", "replace"))

    def _serve(self, command: str) -> str:
        """Start a server; return what it printed until it accepted."""
        self.stop_server()
        log = self.folder / f".server-{time.monotonic_ns()}.log"
        found = _PORT.search(command)
        port = int(found[1] or found[2]) if found else 8000
        self._do(
            f"{{ eval {shlex.quote(command)}; }} </dev/null >{log} 2>&1 &\n__pid=$!"
        )
        pid = int(self._do("echo $__pid"))
        deadline = time.monotonic() + self.limits.start
        while time.monotonic() < deadline:
            if not self._up(pid):
                return _read(log, self.folder)  # it ended: an ordinary command
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise TimeoutError(f"the server accepts nothing on port {port}")
        self.server = pid
        time.sleep(0.2)  # the lines that it prints once it accepts
        return _read(log, self.folder)

    def stop_server(self) -> None:
        """End the server that a former block left running."""
        if self.server is None:
            return
        pid, self.server = self.server, None
        # The pid is that of the server, or of a subshell around it. The next
        # server may start once all its processes have left the port.
        ending = [*descendants(pid), pid]
        _signal([*children(pid), pid], signal.SIGTERM)
        deadline = time.monotonic() + self.limits.start
        while any(map(is_alive, ending)):
            if time.monotonic() > deadline:
                _signal(ending, signal.SIGKILL)
            time.sleep(0.02)

    def _up(self, pid: int) -> bool:
        return self._do(f"kill -0 {pid} 2>/dev/null && echo up").strip() == "up"

    def close(self) -> None:
        """End the shell and all that it started."""
        self.bash.send_signal(signal.SIGKILL)
        self.bash.wait()


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _read(log: Path, folder: Path) -> str:
    text = log.read_text("utf-8", "replace")
    log.unlink(missing_ok=True)
    return _ANSI.sub("", text).replace(f"{folder}/", "")
