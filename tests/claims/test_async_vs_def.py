"""Claims of async def or def that no block on the page shows."""

import asyncio
import functools
import gc
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool


def thread() -> str:
    return threading.current_thread().name


def web(app: FastAPI) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not ready():
            await asyncio.sleep(0.001)


def test_async_how_handlers_run__def_generator_in_threads_async_one_on_loop() -> None:
    app = FastAPI()

    @app.get("/def")
    def plain() -> Iterator[str]:
        for _ in range(3):
            yield thread()

    @app.get("/async")
    async def awaited() -> AsyncIterator[str]:
        for _ in range(3):
            yield thread()

    async def main() -> tuple[set[str], set[str]]:
        async with web(app) as client:
            answers = [await client.get(path) for path in ("/def", "/async")]
        first, second = (set(answer.text.split("\n")[:3]) for answer in answers)
        return first, second

    in_def, in_async = asyncio.run(main())
    assert in_def == {'"AnyIO worker thread"'}
    assert in_async == {'"MainThread"'}


def test_async_how_handlers_run__def_generator_one_trip_per_item(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = FastAPI()
    trips: list[object] = []
    run_sync = anyio.to_thread.run_sync

    async def counted(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        trips.append(func)
        return await run_sync(func, *args, **options)

    @app.get("/")
    def rows() -> Iterator[int]:
        yield from range(3)

    monkeypatch.setattr(anyio.to_thread, "run_sync", counted)
    assert TestClient(app).get("/").text.split() == ["0", "1", "2"]
    assert len(trips) >= 4  # three items and the end


def test_async_how_handlers_run__def_websocket_endpoint_fails() -> None:
    app = FastAPI()

    @app.websocket("/")
    def endpoint(websocket: WebSocket) -> None: ...

    client = TestClient(app)
    with pytest.raises(TypeError), client.websocket_connect("/"):
        pass


def test_async_without_await__answers_when_all_threads_are_busy() -> None:
    app = FastAPI()

    async def nothing() -> None: ...

    @app.get("/health", dependencies=[Depends(nothing)])
    async def health() -> str:
        return "ok"

    @app.get("/late", dependencies=[Depends(lambda: None)])
    async def late() -> None: ...

    async def main() -> None:
        limiter = current_default_thread_limiter()
        limiter.total_tokens = 0
        async with web(app) as client:
            assert (await client.get("/health")).status_code == 200
            waiting = asyncio.create_task(client.get("/late"))
            await until(lambda: limiter.statistics().tasks_waiting == 1)
            assert not waiting.done()
            limiter.total_tokens = 40
            assert (await waiting).status_code == 200

    asyncio.run(main())


def test_async_sync_orm__check_same_thread_is_set_for_a_file_not_for_memory(
    tmp_path: Path,
) -> None:
    def query_in_thread(url: str, **options: Any) -> int | None:
        engine = create_engine(url, **options)
        with Session(engine) as session, ThreadPoolExecutor(1) as other:
            session.scalar(text("SELECT 1"))
            return other.submit(session.scalar, text("SELECT 2")).result()

    assert query_in_thread(f"sqlite:///{tmp_path}/shop.db") == 2
    with pytest.raises(ProgrammingError):
        query_in_thread("sqlite://", poolclass=StaticPool)


def test_async_blocking_call__sleep_0_before_it_lets_others_run_once() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        before = turns
        time.sleep(0.01)
        assert turns == before == 1
        task.cancel()

    asyncio.run(main())


def test_async_ten_requests__a_hundred_def_calls_run_40_at_a_time() -> None:
    app = FastAPI()
    go_on = threading.Event()

    @app.get("/")
    def wait() -> None:
        go_on.wait(30)

    async def main() -> None:
        limiter = current_default_thread_limiter()
        async with web(app) as client:
            calls = [asyncio.create_task(client.get("/")) for _ in range(100)]
            await until(lambda: limiter.statistics().tasks_waiting == 60)
            assert limiter.borrowed_tokens == 40
            go_on.set()
            assert {call.status_code for call in await asyncio.gather(*calls)} == {200}

    asyncio.run(main())


def test_async_what_decides__wrapper_without_wraps_disables_an_async_guard() -> None:
    def bare(func: Callable[[], Awaitable[None]]) -> Callable[[], object]:
        def wrapper() -> object:
            return func()

        return wrapper

    async def require_admin() -> None:
        raise HTTPException(403)

    app = FastAPI()
    guards = [Depends(bare(require_admin))]
    app.get("/open", dependencies=guards)(lambda: "secret")
    kept = functools.wraps(require_admin)(bare(require_admin))
    app.get("/closed", dependencies=[Depends(kept)])(lambda: "secret")
    client = TestClient(app)
    with pytest.warns(RuntimeWarning):
        assert client.get("/open").status_code == 200
        gc.collect()
    assert client.get("/closed").status_code == 403


def test_async_what_decides__wrapper_without_wraps_around_handler_is_a_500() -> None:
    async def read() -> str:
        return "rates"

    app = FastAPI()
    app.get("/")(lambda: read())
    client = TestClient(app, raise_server_exceptions=False)
    with pytest.warns(RuntimeWarning):
        assert client.get("/").status_code == 500
        gc.collect()


def test_async_def_route_on_loop__def_exception_handler_runs_in_a_thread() -> None:
    app = FastAPI()

    @app.exception_handler(KeyError)
    def in_pool(request: Request, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse(thread())

    @app.exception_handler(OSError)
    async def on_loop(request: Request, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse(thread())

    @app.get("/{kind}")
    async def fail(kind: str) -> None:
        raise KeyError if kind == "def" else OSError

    async def main() -> list[str]:
        async with web(app) as client:
            return [(await client.get(f"/{kind}")).text for kind in ("def", "async")]

    assert asyncio.run(main()) == ["AnyIO worker thread", "MainThread"]


def test_async_contextvars__run_in_executor_does_not_copy_to_thread_does() -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="none")

    async def main() -> list[str]:
        tenant.set("acme")
        loop = asyncio.get_running_loop()
        return [
            await loop.run_in_executor(None, tenant.get),
            await asyncio.to_thread(tenant.get),
            await run_in_threadpool(tenant.get),
        ]

    assert asyncio.run(main()) == ["none", "acme", "acme"]


def test_async_from_thread__asyncio_run_and_create_task_raise() -> None:
    app = FastAPI()

    async def job() -> None: ...

    @app.get("/run")
    async def run() -> str:
        coroutine = job()
        try:
            asyncio.run(coroutine)
        except RuntimeError:
            coroutine.close()
            return "RuntimeError"
        return "ran"

    @app.get("/create")
    def create() -> str:
        coroutine = job()
        try:
            asyncio.create_task(coroutine)
        except RuntimeError:
            coroutine.close()
            return "RuntimeError"
        return "ran"

    client = TestClient(app)
    assert client.get("/run").json() == "RuntimeError"
    assert client.get("/create").json() == "RuntimeError"


def test_async_cancel_thread__a_call_that_waits_for_a_token_ends_at_once() -> None:
    async def main() -> None:
        limiter = current_default_thread_limiter()
        limiter.total_tokens = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run_in_threadpool(thread)
        with pytest.raises(TimeoutError), anyio.fail_after(0.01):
            await run_in_threadpool(thread)
        assert limiter.statistics().tasks_waiting == 0

    asyncio.run(main())


@pytest.mark.parametrize("anyio_scope", [False, True])
def test_async_cancel_thread__to_thread_gives_up_and_keeps_its_slot(
    anyio_scope: bool,
) -> None:
    release, ended = threading.Event(), threading.Event()

    def hang(give_up: Callable[[], object]) -> None:
        give_up()  # the deadline passes as soon as the thread works
        release.wait(30)
        ended.set()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1)
        loop.set_default_executor(pool)
        if anyio_scope:
            with anyio.CancelScope() as scope:
                leave = functools.partial(loop.call_soon_threadsafe, scope.cancel)
                await asyncio.to_thread(hang, leave)
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as deadline:
                    expire = functools.partial(deadline.reschedule, loop.time())
                    cancel = functools.partial(loop.call_soon_threadsafe, expire)
                    await asyncio.to_thread(hang, cancel)
        behind = pool.submit(ended.is_set)
        assert not behind.running() and not ended.is_set()
        release.set()
        assert await asyncio.wrap_future(behind)  # ran after the thread's end

    asyncio.run(main())


def test_async_detect_blocked_loop__async_rules_miss_what_is_indirect() -> None:
    def findings(body: str) -> str:
        code = f"import time\n\n\ndef rest():\n    time.sleep(1)\n\n\n{body}"
        command = [sys.executable, "-m", "ruff", "check", "--isolated"]
        options = ["--no-cache", "--select=ASYNC", "--output-format=concise", "-"]
        run = subprocess.run(
            [*command, *options], input=code, capture_output=True, text=True
        )
        return run.stdout

    direct = "async def read(session):\n    time.sleep(1)\n"
    assert findings(direct).count("ASYNC251") == 1
    indirect = "async def read(session):\n    rest()\n    session.execute()\n"
    assert "ASYNC" not in findings(indirect)
