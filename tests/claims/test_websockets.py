"""Claims of WebSockets that no block on the page shows."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from typing import Annotated, Any

import anyio
import fastapi.routing
import pytest
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi import WebSocketDisconnect as Disconnect
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.sse import EventSourceResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnected
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


def serve(app: FastAPI, talk: Callable[[str], Awaitable[None]], **options: Any) -> None:
    """Run the app under Uvicorn on loopback while ``talk(url)`` uses it."""

    async def main() -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, **options)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            async with asyncio.timeout(30):
                await talk(f"ws://127.0.0.1:{sock.getsockname()[1]}")
        finally:
            server.should_exit = True
            await serving

    asyncio.run(main())


def test_ws_endpoint__unknown_path_gets_403_and_a_plain_get_404() -> None:
    app = FastAPI()

    @app.websocket("/known")
    async def known(websocket: WebSocket) -> None: ...

    async def talk(url: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{url}/unknown")
        assert refused.value.response.status_code == 403

    serve(app, talk)
    assert TestClient(app).get("/known").status_code == 404
    assert app.openapi()["paths"] == {}


def test_ws_endpoint__def_endpoint_fails() -> None:
    app = FastAPI()

    @app.websocket("/")
    def endpoint(websocket: WebSocket) -> None: ...

    with pytest.raises(TypeError), TestClient(app).websocket_connect("/"):
        pass


def test_ws_connection_manager__with_gives_all_sockets_one_event_loop() -> None:
    app = FastAPI()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        loops.append(asyncio.get_running_loop())
        await websocket.send_text("ready")

    def two_sockets(client: TestClient) -> int:
        loops.clear()
        for _ in "ab":
            with client.websocket_connect("/") as ws:
                ws.receive_text()
        return len({id(loop) for loop in loops})

    loops: list[asyncio.AbstractEventLoop] = []
    assert two_sockets(TestClient(app)) == 2
    with TestClient(app) as client:
        assert two_sockets(client) == 1


class News(BaseModel):
    at: datetime


def test_ws_message_validation__send_json_fails_for_models_and_datetimes() -> None:
    app = FastAPI()
    news = News(at=datetime(2026, 1, 1))

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        for value in (news, news.at):
            with pytest.raises(TypeError):
                await websocket.send_json(value)
        await websocket.send_text(news.model_dump_json())

    with TestClient(app).websocket_connect("/") as client:
        assert client.receive_json() == {"at": "2026-01-01T00:00:00"}


def test_ws_message_validation__ws_max_size_counts_and_max_body_size_does_not() -> None:
    app = FastAPI(max_body_size=10)

    @app.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_json(len(text))

    async def talk(url: str) -> None:
        async with connect(url) as client:
            await client.send("x" * 1000)
            assert await client.recv() == "1000"
            await client.send("x" * 1001)
            await client.wait_closed()
            assert client.close_code == 1009

    assert TestClient(app).post("/", content=b"x" * 11).status_code == 413
    assert uvicorn.Config(app).ws_max_size == 16 * 1024 * 1024
    serve(app, talk, ws_max_size=1000)


def test_ws_read_and_write__a_failing_push_cancels_the_reader_in_a_group() -> None:
    app = FastAPI()
    events: list[str] = []

    async def push() -> None:
        raise ValueError

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(push)
                try:
                    await websocket.receive_text()
                except asyncio.CancelledError:
                    events.append("reader cancelled")
                    raise
        except ExceptionGroup as errors:
            events.extend(type(error).__name__ for error in errors.exceptions)
        await websocket.close()

    with TestClient(app).websocket_connect("/") as client, pytest.raises(Disconnect):
        client.receive_text()
    assert events == ["reader cancelled", "ValueError"]


def test_ws_read_and_write__each_message_goes_to_one_of_two_readers() -> None:
    app = FastAPI()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        readers = [asyncio.create_task(websocket.receive_text()) for _ in "ab"]
        await websocket.send_json(sorted(await asyncio.gather(*readers)))

    with TestClient(app).websocket_connect("/") as client:
        client.send_text("1")
        client.send_text("2")
        assert client.receive_json() == ["1", "2"]


def test_ws_read_and_write__gather_leaves_an_orphan_or_waits() -> None:
    async def fail() -> None:
        raise ValueError

    async def ends() -> None: ...

    async def main() -> None:
        writer = asyncio.create_task(asyncio.Event().wait())
        with pytest.raises(ValueError):
            await asyncio.gather(fail(), writer)
        await asyncio.sleep(0)
        assert not writer.done()  # an orphan
        both = asyncio.gather(ends(), writer)
        await asyncio.sleep(0.02)
        assert not both.done()
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both

    asyncio.run(main())


@pytest.mark.parametrize("under_uvicorn", [True, False])
def test_ws_close_codes__send_text_after_the_client_left(under_uvicorn: bool) -> None:
    app = FastAPI()
    raised: list[object] = []

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        async for _ in websocket.iter_text():
            pass
        for _ in range(2):
            try:
                await websocket.send_text("bye")
            except Disconnect as left:
                raised.append(left.code)
            except RuntimeError as error:
                raised.append(type(error))
            else:
                raised.append(None)

    async def talk(url: str) -> None:
        async with connect(url):
            pass
        while len(raised) < 2:
            await asyncio.sleep(0.001)

    if under_uvicorn:
        serve(app, talk)
        assert raised == [1006, WebSocketDisconnected]
    else:
        with TestClient(app).websocket_connect("/"):
            pass
        assert raised[0] is None


@pytest.mark.parametrize("awaits", [False, True])
def test_ws_close_codes__close_after_a_clean_close(awaits: bool) -> None:
    app = FastAPI()
    raised: list[int | None] = []

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            await websocket.receive_text()
        except Disconnect:
            if awaits:
                await gone.wait()
        try:
            await websocket.close()
            raised.append(None)
        except Disconnect as left:
            raised.append(left.code)

    async def talk(url: str) -> None:
        async with connect(url):
            pass
        gone.set()
        while not raised:
            await asyncio.sleep(0.001)

    gone = asyncio.Event()
    serve(app, talk)
    assert raised == [1006 if awaits else None]


def test_ws_exceptions__test_client_hands_over_a_404_after_accept() -> None:
    app = FastAPI()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        raise HTTPException(404)

    with TestClient(app).websocket_connect("/") as client:
        message = client.receive()
    assert message["type"] == "websocket.http.response.start"
    assert message["status"] == 404


def test_ws_dead_peers__defaults_are_20_seconds_each_and_compression_is_on() -> None:
    config = uvicorn.Config(FastAPI())
    assert (config.ws_ping_interval, config.ws_ping_timeout) == (20, 20)
    assert config.ws_per_message_deflate is True


def test_ws_cors_middleware__session_and_trusted_host_apply_gzip_does_not() -> None:
    app = FastAPI()
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.add_middleware(SessionMiddleware, secret_key="k" * 32)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["good.example"])

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("x" * 1000 + str(websocket.session))

    client = TestClient(app)
    with client.websocket_connect("ws://good.example/") as ws:
        assert ws.receive_text() == "x" * 1000 + "{}"
    with pytest.raises(WebSocketDenialResponse) as refused:
        client.websocket_connect("ws://evil.example/").__enter__()
    assert refused.value.status_code == 400


def test_ws_cors_middleware__app_dependencies_and_overrides_apply() -> None:
    def caller() -> str:
        return "real"

    seen: list[str] = []

    def note(name: Annotated[str, Depends(caller)]) -> None:
        seen.append(name)

    app = FastAPI(dependencies=[Depends(note)])
    app.dependency_overrides[caller] = lambda: "fake"

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()

    with TestClient(app).websocket_connect("/"):
        pass
    assert seen == ["fake"]


def test_ws_cors_middleware__request_is_not_filled_and_http_connection_is() -> None:
    def wants_request(request: Request) -> None: ...

    def wants_connection(connection: HTTPConnection) -> str:
        return connection.headers["x-name"]

    app = FastAPI()

    @app.websocket("/request", dependencies=[Depends(wants_request)])
    async def refused(websocket: WebSocket) -> None: ...

    @app.websocket("/connection")
    async def accepted(
        websocket: WebSocket, name: Annotated[str, Depends(wants_connection)]
    ) -> None:
        await websocket.accept()
        await websocket.send_text(name)

    client = TestClient(app, headers={"x-name": "ann"})
    with pytest.raises(TypeError), client.websocket_connect("/request"):
        pass
    with client.websocket_connect("/connection") as ws:
        assert ws.receive_text() == "ann"


def test_ws_yield_dependency__cleanup_waits_until_the_handler_reads_the_end() -> None:
    app = FastAPI()
    events: list[str] = []

    def session() -> Iterator[None]:
        yield
        events.append("cleaned up")

    @app.websocket("/", dependencies=[Depends(session)])
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        await left.wait()  # a handler that does not read
        await asyncio.sleep(0.02)
        events.append("still open")
        async for _ in websocket.iter_text():
            pass

    async def talk(url: str) -> None:
        async with connect(url):
            pass
        left.set()
        while len(events) < 2:
            await asyncio.sleep(0.001)

    left = asyncio.Event()
    serve(app, talk)
    assert events == ["still open", "cleaned up"]


def test_ws_redis__uvicorn_sends_1012_to_all_sockets_when_it_stops() -> None:
    app = FastAPI()
    codes: list[int | None] = []

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        async for _ in websocket.iter_text():
            pass

    async def main() -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        url = f"ws://127.0.0.1:{sock.getsockname()[1]}"
        async with connect(url) as ann, connect(url) as bob:
            server.should_exit = True
            for client in (ann, bob):
                await client.wait_closed()
                codes.append(client.close_code)
        await serving

    asyncio.run(main())
    assert codes == [1012, 1012]


def test_ws_or_sse__an_idle_event_stream_gets_a_comment_every_15_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert fastapi.routing._PING_INTERVAL == 15
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.01)
    app = FastAPI()

    @app.get("/", response_class=EventSourceResponse)
    async def events() -> AsyncIterator[int]:
        await asyncio.sleep(0.05)
        yield 1

    lines = TestClient(app).get("/").text.splitlines()
    assert lines[0].startswith(":") and "data: 1" in lines
