"""Claims of "Lifespan, application state and sharing objects" without a block."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Annotated, Any

import anyio
import httpx2
import pytest
import uvicorn
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.exceptions import StarletteDeprecationWarning

Open = Callable[[FastAPI], Any]


def resource(events: list[str], name: str, fails: bool = False) -> Open:
    """Make a lifespan that notes when it opens and closes."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, str]]:
        if fails:
            raise OSError(name)
        events.append(f"open {name}")
        try:
            yield {name: "ready"}
        finally:
            events.append(f"close {name}")

    return lifespan


def test_lifespan_what_it_is__failing_start_ends_uvicorn_with_code_3() -> None:
    app = FastAPI(lifespan=resource([], "database", fails=True))
    with pytest.raises(SystemExit) as caught:
        uvicorn.run(app, port=0, log_config=None)
    assert caught.value.code == 3


def test_lifespan_what_it_is__plain_generator_works_starlette_warns() -> None:
    events: list[str] = []

    def lifespan(app: Any) -> Iterator[None]:
        events.append("open")
        yield
        events.append("close")

    generator: Any = lifespan
    with TestClient(FastAPI(lifespan=generator)):
        assert events == ["open"]
    assert events == ["open", "close"]
    with pytest.warns(StarletteDeprecationWarning):
        Starlette(lifespan=generator)


def test_lifespan_on_event_deprecated__it_warns() -> None:
    with pytest.warns(DeprecationWarning):
        FastAPI().on_event("startup")


def test_lifespan_kinds_of_state__missing_when_test_client_is_used_without_with() -> (
    None
):
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, str]]:
        app.state.pool = "pool"
        yield {"client": "client"}

    app = FastAPI(lifespan=lifespan)
    app.add_api_route("/pool", lambda: app.state.pool)

    @app.get("/client")
    def client(request: Request) -> str:
        return request.state.client

    for path in ("/pool", "/client"):
        with pytest.raises(AttributeError):
            TestClient(app).get(path)
    with TestClient(app) as test:
        assert [test.get("/pool").json(), test.get("/client").json()] == [
            "pool",
            "client",
        ]


def test_lifespan_kinds_of_state__websocket_keeps_its_copy_app_state_is_read() -> None:
    app = FastAPI(lifespan=resource([], "rates"))
    app.state.rates = "old"

    @app.put("/")
    async def swap(request: Request) -> None:
        request.state.rates = "new"
        request.app.state.rates = "new"

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive_text()
        await socket.send_json([socket.state.rates, socket.app.state.rates])
        await socket.close()

    with TestClient(app) as client, client.websocket_connect("/live") as socket:
        client.put("/")
        socket.send_text("now?")
        assert socket.receive_json() == ["ready", "new"]


def test_lifespan_typed_state__missing_key_raises_either_error() -> None:
    app = FastAPI()

    @app.get("/item")
    def item(request: Request) -> None:
        request.state["rates"]

    @app.get("/attribute")
    def attribute(request: Request) -> None:
        request.state.rates  # noqa: B018

    for path, error in (("/item", KeyError), ("/attribute", AttributeError)):
        with pytest.raises(error):
            TestClient(app).get(path)
        client = TestClient(app, raise_server_exceptions=False)
        assert client.get(path).status_code == 500


def test_lifespan_how_often__per_with_block_and_never_by_the_transport() -> None:
    events: list[str] = []
    app = FastAPI(lifespan=resource(events, "db"))
    app.add_api_route("/", lambda: "ok")

    async def through_transport() -> int:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport) as client:
            return (await client.get("http://test/")).status_code

    assert asyncio.run(through_transport()) == 200
    assert events == []
    for _ in range(2):
        with TestClient(app) as client:
            client.get("/")
    assert events == ["open db", "close db"] * 2


def test_lifespan_mounted_apps__exit_stack_closes_what_is_open() -> None:
    events: list[str] = []
    mounted = [
        FastAPI(lifespan=resource(events, "a")),
        FastAPI(lifespan=resource(events, "b", fails=True)),
    ]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for sub in mounted:
                await stack.enter_async_context(sub.router.lifespan_context(sub))
            yield

    with pytest.raises(OSError), TestClient(FastAPI(lifespan=lifespan)):
        pass
    assert events == ["open a", "close a"]


def test_lifespan_mounted_apps__parent_must_yield_the_state_of_the_sub_app() -> None:
    sub = FastAPI(lifespan=resource([], "audit"))

    @sub.get("/")
    def read(request: Request) -> str:
        return getattr(request.state, "audit", "missing")

    def parent(passes_on: bool) -> FastAPI:
        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
            async with sub.router.lifespan_context(sub) as state:
                yield {**(state or {})} if passes_on else {}

        app = FastAPI(lifespan=lifespan)
        app.mount("/sub", sub)
        return app

    for passes_on, seen in ((True, "ready"), (False, "missing")):
        with TestClient(parent(passes_on)) as client:
            assert client.get("/sub/").json() == seen


def test_lifespan_included_routers__get_the_outermost_app() -> None:
    got: list[FastAPI] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        got.append(app)
        app.state.index = "ready"
        yield

    inner, outer, app = APIRouter(lifespan=lifespan), APIRouter(), FastAPI()
    outer.include_router(inner)
    app.include_router(outer)
    app.add_api_route("/", lambda: app.state.index)
    with TestClient(app) as client:
        assert client.get("/").json() == "ready"
    assert got == [app]


def test_lifespan_share_http_client__cookies_are_shared_unless_none_is_stored() -> None:
    def partner(request: httpx2.Request) -> httpx2.Response:
        sent = request.headers.get("cookie", "none")
        return httpx2.Response(200, headers={"set-cookie": "user=ann"}, text=sent)

    async def second_call(**options: Any) -> str:
        transport = httpx2.MockTransport(partner)
        async with httpx2.AsyncClient(transport=transport, **options) as client:
            await client.get("http://partner.test/")
            return (await client.get("http://partner.test/")).text

    none_stored = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    assert asyncio.run(second_call()) == "user=ann"
    assert asyncio.run(second_call(cookies=none_stored)) == "none"


def test_lifespan_share_http_client__pool_timeout_until_a_stream_is_closed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        timeout = httpx2.Timeout(10, pool=0.05)
        limits = httpx2.Limits(max_connections=1)
        url = f"http://{host}:{port}/"
        async with httpx2.AsyncClient(timeout=timeout, limits=limits) as client:
            async with client.stream("GET", url):
                with pytest.raises(httpx2.PoolTimeout):
                    await client.get(url)
            assert (await client.get(url)).text == "ok"
        server.close()

    asyncio.run(main())


def test_lifespan_versus_dependency__class_per_request_method_of_one_instance() -> None:
    class Repository:
        made = 0

        def __init__(self) -> None:
            Repository.made += 1

        def get(self) -> int:
            return id(self)

    one = Repository()
    app = FastAPI(dependencies=[Depends(Repository)])

    @app.get("/")
    def read(value: Annotated[int, Depends(one.get)]) -> bool:
        return value == id(one)

    client = TestClient(app)
    assert [client.get("/").json() for _ in range(3)] == [True] * 3
    assert Repository.made == 1 + 3


def test_lifespan_versus_dependency__overrides_do_not_reach_the_lifespan() -> None:
    used: list[str] = []

    def get_settings() -> str:
        return "real"

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        used.append(get_settings())
        yield

    app = FastAPI(lifespan=lifespan)
    app.dependency_overrides[get_settings] = lambda: "fake"
    with TestClient(app):
        assert used == ["real"]


def test_lifespan_versus_dependency__threads_can_each_run_a_cached_function() -> None:
    meet = threading.Barrier(2, timeout=10)

    @lru_cache
    def get_pool() -> object:
        meet.wait()
        return object()

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: get_pool(), range(2))
    assert first is not second


def test_lifespan_share_model__a_dependency_with_a_limit_does_it_too() -> None:
    lock, pair = threading.Lock(), threading.Barrier(2, timeout=10)
    running = [0]
    peaks: list[int] = []

    def run_model() -> int:
        with lock:
            running[0] += 1
            peaks.append(running[0])
        pair.wait()
        with lock:
            running[0] -= 1
        return 1

    app = FastAPI()

    @app.get("/")
    async def score(
        value: Annotated[int, Depends(run_model, max_concurrency=2)],
    ) -> int:
        return value

    with TestClient(app) as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.get("/").json(), range(6)))
    assert (answers, max(peaks)) == ([1] * 6, 2)


def test_lifespan_share_model__statistics_bound_the_queue() -> None:
    release = threading.Event()
    app = FastAPI()
    state: dict[str, CapacityLimiter] = {}

    @app.get("/")
    async def score() -> None:
        slots = state.setdefault("slots", CapacityLimiter(1))
        if slots.statistics().tasks_waiting >= 1:
            raise HTTPException(503)
        await to_thread.run_sync(release.wait, 10, limiter=slots)

    async def main() -> list[int]:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport) as client:

            async def get() -> int:
                return (await client.get("http://test/")).status_code

            tasks = [asyncio.create_task(get()) for _ in range(2)]
            while not ("slots" in state and state["slots"].statistics().tasks_waiting):
                await asyncio.sleep(0)
            third = await get()
            release.set()
            return [*await asyncio.gather(*tasks), third]

    assert asyncio.run(main()) == [200, 200, 503]


def test_lifespan_races__asyncio_lock_does_not_stop_a_thread() -> None:
    inside: list[str] = []
    app = FastAPI()
    lock = asyncio.Lock()

    @app.get("/")
    def in_thread() -> bool:
        inside.append("thread")
        return lock.locked()

    async def main() -> None:
        transport = httpx2.ASGITransport(app)
        async with lock, httpx2.AsyncClient(transport=transport) as client:
            assert (await client.get("http://test/")).json() is True

    asyncio.run(main())
    assert inside == ["thread"]


def test_lifespan_races__thread_local_values_are_lost() -> None:
    local, busy, release = threading.local(), threading.Event(), threading.Event()

    def remember() -> int:
        local.user = "ann"
        return threading.get_ident()

    def occupy() -> None:
        busy.set()
        release.wait(10)

    async def other_request() -> AsyncGenerator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(to_thread.run_sync, occupy)
            while not busy.is_set():
                await asyncio.sleep(0)
            yield
            release.set()

    app = FastAPI()

    @app.get("/")
    def read(
        thread: Annotated[int, Depends(remember)],
        other: Annotated[None, Depends(other_request)],
    ) -> list[object]:
        return [getattr(local, "user", None), threading.get_ident() == thread]

    assert TestClient(app).get("/").json() == [None, False]
