"""Claims of Thread pool and CPU work that no block on the page shows."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.from_thread
import anyio.to_process
import anyio.to_thread
import httpx2
import pytest
from anyio._backends._asyncio import WorkerThread
from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from fastapi.testclient import TestClient

Claim = Callable[[httpx2.AsyncClient, anyio.CapacityLimiter], Awaitable[None]]


def on(app: FastAPI, claim: Claim) -> None:
    async def main() -> None:
        web = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=web, base_url="http://test") as client:
            await claim(client, current_default_thread_limiter())

    asyncio.run(main())


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not ready():
            await asyncio.sleep(0.001)


def waits_for_token(app: FastAPI, path: str) -> bool:
    """Take all tokens away and see whether the request is held up."""
    held: list[bool] = []

    async def claim(client: httpx2.AsyncClient, limiter: anyio.CapacityLimiter) -> None:
        limiter.total_tokens = 0
        call = asyncio.create_task(client.get(path))
        await until(lambda: call.done() or limiter.statistics().tasks_waiting > 0)
        held.append(not call.done())
        limiter.total_tokens = 40
        assert (await call).status_code == 200

    on(app, claim)
    return held[0]


def test_threads_41st_request__threads_start_when_none_is_idle() -> None:
    def workers() -> set[threading.Thread]:
        return {t for t in threading.enumerate() if isinstance(t, WorkerThread)}

    async def main() -> list[int]:
        before, counts = workers(), []
        for _ in range(3):
            await run_in_threadpool(lambda: None)
            counts.append(len(workers() - before))
        return counts

    assert asyncio.run(main()) == [1, 1, 1]


def test_threads_41st_request__idle_threads_end_when_a_later_call_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert WorkerThread.MAX_IDLE_TIME == 10
    seen: list[threading.Thread] = []
    together = threading.Barrier(3)

    def meet() -> None:
        seen.append(threading.current_thread())
        together.wait(30)

    async def main() -> None:
        await asyncio.gather(*(run_in_threadpool(meet) for _ in range(3)))
        await asyncio.sleep(0.02)
        assert all(t.is_alive() for t in seen)  # idle time alone ends none
        monkeypatch.setattr(WorkerThread, "MAX_IDLE_TIME", 0.0)
        await run_in_threadpool(lambda: None)
        await until(lambda: sum(t.is_alive() for t in seen) == 1)

    asyncio.run(main())


def test_threads_41st_request__the_limit_is_per_event_loop() -> None:
    async def lower() -> float:
        found = current_default_thread_limiter().total_tokens
        current_default_thread_limiter().total_tokens = 5
        return found

    assert [asyncio.run(lower()) for _ in range(2)] == [40, 40]


def test_threads_what_shares_tokens__table_of_who_takes_a_token(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("page")
    templates = Jinja2Templates(directory=tmp_path)
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=tmp_path))

    @app.exception_handler(KeyError)
    def missing(request: Request, exc: Exception) -> PlainTextResponse:
        return PlainTextResponse("handled")

    @app.get("/handler")
    async def fail() -> None:
        raise KeyError

    @app.get("/path")
    async def path() -> str:
        return await anyio.Path(tmp_path / "page.html").read_text()

    @app.get("/template")
    async def template(request: Request) -> Any:
        return templates.TemplateResponse(request, "page.html")

    @app.get("/generator")
    async def generator() -> StreamingResponse:
        async def rows() -> AsyncIterator[str]:
            yield "row"

        return StreamingResponse(rows())

    @app.get("/json")
    async def numbers() -> list[int]:
        return list(range(1000))

    taking = [waits_for_token(app, p) for p in ("/static/page.html", "/handler")]
    assert [*taking, waits_for_token(app, "/path")] == [True, True, True]
    free = [waits_for_token(app, p) for p in ("/template", "/generator", "/json")]
    assert free == [False, False, False]


def test_threads_what_shares_tokens__gzip_uses_threads_from_128_kib_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limiters: list[anyio.CapacityLimiter | None] = []
    run_sync = anyio.to_thread.run_sync

    async def spy(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        limiters.append(options.get("limiter"))
        return await run_sync(func, *args, **options)

    app = FastAPI()
    app.add_middleware(GZipMiddleware)

    @app.get("/{size}")
    async def body(size: int) -> PlainTextResponse:
        return PlainTextResponse("x" * size)

    monkeypatch.setattr(anyio.to_thread, "run_sync", spy)
    for size, trips in ((128 * 1024 - 1, 0), (128 * 1024, 1)):
        limiters.clear()
        assert not waits_for_token(app, f"/{size}")
        assert len(limiters) == trips
    assert limiters[0] is not None and limiters[0].total_tokens == 40


def test_threads_what_shares_tokens__def_dependency_of_a_websocket_takes_one() -> None:
    app = FastAPI()

    def borrowed() -> float:
        limiter = current_default_thread_limiter
        return anyio.from_thread.run_sync(limiter).borrowed_tokens

    @app.websocket("/")
    async def endpoint(
        websocket: WebSocket, tokens: Annotated[float, Depends(borrowed)]
    ) -> None:
        await websocket.accept()
        await websocket.send_json(tokens)

    with TestClient(app).websocket_connect("/") as client:
        assert client.receive_json() == 1


def test_threads_second_token__from_thread_back_into_the_pool_can_lock_up() -> None:
    app = FastAPI()

    @app.get("/")
    def twice() -> None:
        anyio.from_thread.run(run_in_threadpool, lambda: None)

    async def claim(client: httpx2.AsyncClient, limiter: anyio.CapacityLimiter) -> None:
        limiter.total_tokens = 1
        call = asyncio.create_task(client.get("/"))
        await until(lambda: limiter.statistics().tasks_waiting == 1)
        assert limiter.borrowed_tokens == 1  # held by the one that waits
        limiter.total_tokens = 2
        assert (await call).status_code == 200

    on(app, claim)


def test_threads_own_limiter__threading_semaphore_makes_a_waiter_hold_a_token() -> None:
    app = FastAPI()
    partner = threading.Semaphore(0)

    @app.get("/")
    def call_partner() -> None:
        with partner:
            pass

    async def claim(client: httpx2.AsyncClient, limiter: anyio.CapacityLimiter) -> None:
        calls = [asyncio.create_task(client.get("/")) for _ in range(5)]
        await until(lambda: limiter.borrowed_tokens == 5)
        partner.release()
        await asyncio.gather(*calls)

    on(app, claim)


async def cancel_when_busy(
    limiter: anyio.CapacityLimiter, scope: anyio.CancelScope
) -> None:
    while not limiter.borrowed_tokens:
        await anyio.sleep(0.001)
    scope.cancel()


def test_threads_process_pool__to_process_kills_its_child_on_cancellation() -> None:
    async def main() -> None:
        limiter = anyio.to_process.current_default_process_limiter()
        assert limiter.total_tokens == os.cpu_count()
        child = await anyio.to_process.run_sync(os.getpid)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(cancel_when_busy, limiter, scope)
                await anyio.to_process.run_sync(time.sleep, 60, cancellable=True)
        assert scope.cancelled_caught
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)

    anyio.run(main)


@pytest.mark.parametrize("anyio_scope", [False, True])
def test_threads_timeout__yield_dependency_and_the_thread_that_uses_it(
    anyio_scope: bool,
) -> None:
    app = FastAPI()
    events: list[str] = []
    closed, ended = threading.Event(), threading.Event()

    async def session() -> AsyncIterator[None]:
        yield
        events.append("session closed")
        closed.set()

    def query(give_up: Callable[[], object]) -> None:
        give_up()  # the deadline passes as soon as the thread works
        closed.wait(0.05 if anyio_scope else 30)
        events.append("thread done")
        ended.set()

    @app.get("/", dependencies=[Depends(session)])
    async def endpoint() -> None:
        loop = asyncio.get_running_loop()
        if anyio_scope:
            with anyio.CancelScope() as scope:
                leave = partial(loop.call_soon_threadsafe, scope.cancel)
                await run_in_threadpool(query, leave)
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as deadline:
                    expire = partial(deadline.reschedule, loop.time())
                    cancel = partial(loop.call_soon_threadsafe, expire)
                    await run_in_threadpool(query, cancel)

    with TestClient(app) as client:
        assert client.get("/").status_code == 200
        assert ended.wait(30)
    order = ["thread done", "session closed"]
    assert events == (order if anyio_scope else order[::-1])


def test_threads_token_connection_deadlock__response_model_none_saves_a_trip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trips: list[object] = []
    run_sync = anyio.to_thread.run_sync

    async def spy(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        trips.append(func)
        return await run_sync(func, *args, **options)

    app = FastAPI()
    app.get("/typed")(one)
    app.get("/none", response_model=None)(one)
    app.get("/untyped")(lambda: 1)
    client = TestClient(app)
    monkeypatch.setattr(anyio.to_thread, "run_sync", spy)
    counts = []
    for path in ("/typed", "/none", "/untyped"):
        trips.clear()
        assert client.get(path).json() == 1
        counts.append(len(trips))
    assert counts == [2, 1, 1]


def one() -> int:
    return 1


def test_threads_sizing__the_limiter_queues_without_a_bound_and_refuses_nobody() -> (
    None
):
    app = FastAPI()
    app.get("/")(lambda: None)

    async def claim(client: httpx2.AsyncClient, limiter: anyio.CapacityLimiter) -> None:
        limiter.total_tokens = 0
        calls = [asyncio.create_task(client.get("/")) for _ in range(100)]
        await until(lambda: limiter.statistics().tasks_waiting == 100)
        limiter.total_tokens = 40
        assert {r.status_code for r in await asyncio.gather(*calls)} == {200}

    on(app, claim)
