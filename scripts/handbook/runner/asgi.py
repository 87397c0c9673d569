"""A small ASGI client: one application, started once, asked in order.

It behaves like a server where the test client does not: it keeps no cookies,
follows no redirects, answers an exception with a 500 and can disconnect.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote


@dataclass
class Response:
    """What the application sent; ``headers`` are decoded as Latin-1."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False


class StartupFailed(Exception):
    """The application's lifespan failed before it could serve."""


class Client:
    """Serves one ASGI application.

    ``report`` is called with each exception that reaches the server; ``seconds``
    is how long a response, or the shutdown, may take.
    """

    def __init__(
        self, app: Any, report: Callable[[BaseException], None], seconds: float
    ) -> None:
        self.app = app
        self.report = report
        self.seconds = seconds
        self.loop = asyncio.new_event_loop()
        self.state: dict[str, Any] = {}
        self.to_app: asyncio.Queue[dict] = asyncio.Queue()
        self.lifespan: asyncio.Task | None = None

    def start(self) -> None:
        """Run the start-up half of the lifespan.

        :raises StartupFailed: the application says so, or raises.
        """
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        answers: asyncio.Queue[dict] = asyncio.Queue()
        self.answers = answers
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self.lifespan = asyncio.create_task(
            self.app(scope, self.to_app.get, answers.put)
        )
        self.to_app.put_nowait({"type": "lifespan.startup"})
        answer = asyncio.create_task(answers.get())
        await asyncio.wait({self.lifespan, answer}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            if answer.result()["type"] == "lifespan.startup.failed":
                with contextlib.suppress(BaseException):
                    await self.lifespan
                raise StartupFailed(answer.result().get("message", ""))
            return
        # An exception here means: this application has no lifespan.
        answer.cancel()
        with contextlib.suppress(Exception):
            self.lifespan.result()
        self.lifespan = None

    def stop(self) -> None:
        """Run the shutdown half of the lifespan."""
        if self.lifespan is not None and not self.lifespan.done():
            self.loop.run_until_complete(self._stop())

    async def _stop(self) -> None:
        assert self.lifespan is not None
        self.to_app.put_nowait({"type": "lifespan.shutdown"})
        try:
            await asyncio.wait_for(self.lifespan, self.seconds)
        except Exception as error:  # noqa: BLE001
            self.report(error)

    def ask(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes,
        until: Callable[[bytes], bool] | None = None,
    ) -> Response:
        """Send one request; return the response.

        With ``until``, disconnect as soon as it is true of the body so far.

        :raises TimeoutError: no answer in time.
        """
        return self.loop.run_until_complete(
            asyncio.wait_for(
                self._ask(method, target, headers, body, until), self.seconds
            )
        )

    async def _ask(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes,
        until: Callable[[bytes], bool] | None,
    ) -> Response:
        path, _, query = target.partition("?")
        names = {name.lower() for name, _ in headers}
        raw = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers]
        if "host" not in names:
            raw.insert(0, (b"host", b"testserver"))
        if body and not names & {"content-length", "transfer-encoding"}:
            raw.append((b"content-length", str(len(body)).encode()))
        scope = {
            "type": "http",
            # As Uvicorn: it reports a disconnect through receive().
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode("ascii", "replace"),
            "query_string": query.encode("ascii", "replace"),
            "root_path": "",
            "headers": raw,
            "client": ("127.0.0.1", 50000),
            "server": ("testserver", 80),
            "state": dict(self.state),
        }
        response = Response()
        gone = asyncio.Event()
        sent = False

        async def receive() -> dict:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            # A server's buffers fill up; so what never waits lets others run.
            await asyncio.sleep(0)
            if gone.is_set():
                return
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers = [
                    (n.decode("latin-1"), v.decode("latin-1"))
                    for n, v in message.get("headers", [])
                ]
            elif message["type"] == "http.response.body":
                if method != "HEAD":
                    response.body += message.get("body", b"")
                if not message.get("more_body", False):
                    response.complete = True
                if response.complete or (until and until(response.body)):
                    gone.set()

        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.report(error)
            if not response.status:
                response = Response(
                    500,
                    [("content-type", "text/plain; charset=utf-8")],
                    b"Internal Server Error",
                    True,
                )
        return response
