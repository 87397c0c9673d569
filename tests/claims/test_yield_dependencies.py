"""Claims of "yield dependencies, teardown and scope" that no block on the page shows."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import pytest
from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    HTTPException,
    Request,
    Response,
    Security,
    WebSocket,
)
from fastapi.exceptions import FastAPIError, RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy import QueuePool, create_engine, text
from sqlalchemy.orm import Session

Kind = Literal["function", "request"]
Resource = Callable[[], Iterator[None]]


async def call(app: FastAPI, path: str, *incoming: dict[str, Any]) -> list[Any]:
    """Play the server for one request, and return what the app has sent."""
    pipe: asyncio.Queue[Any] = asyncio.Queue()
    for message in incoming:
        pipe.put_nowait(message)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path}
    scope |= {"query_string": b"", "headers": [], "asgi": {"spec_version": "2.3"}}
    await app(scope, pipe.get, send)
    return sent


async def spin() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


def logged(events: list[str], name: str, raises: Exception | None = None) -> Resource:
    """Make a dependency that notes how it ends, and may then fail to close."""

    def dependency() -> Iterator[None]:
        try:
            yield
        except Exception as exc:
            events.append(f"{name} got {type(exc).__name__}")
            raise
        else:
            events.append(f"{name} closed")
        finally:
            if raises is not None:
                raise raises

    return dependency


@pytest.mark.parametrize(
    ("scope", "order"),
    [
        ("request", ["line", "task", "exit closed"]),
        ("function", ["exit closed", "line", "task"]),
    ],
)
def test_yield_when_exit_runs__stream_and_tasks(scope: Kind, order: list[str]) -> None:
    events: list[str] = []

    async def lines() -> AsyncIterator[str]:
        events.append("line")
        yield "line"

    app = FastAPI(dependencies=[Depends(logged(events, "exit"), scope=scope)])

    @app.get("/")
    async def stream(tasks: BackgroundTasks) -> StreamingResponse:
        tasks.add_task(events.append, "task")
        return StreamingResponse(lines())

    assert TestClient(app).get("/").text == "line"
    assert events == order


@pytest.mark.parametrize("scope", ["request", "function"])
def test_yield_when_exit_runs__both_before_the_error_response(scope: Kind) -> None:
    events: list[str] = []

    app = FastAPI(dependencies=[Depends(logged(events, "exit"), scope=scope)])

    @app.exception_handler(LookupError)
    def on_error(request: Request, exc: LookupError) -> Response:
        events.append("response built")
        return Response(status_code=409)

    @app.get("/")
    async def fails() -> None:
        raise LookupError

    assert TestClient(app).get("/").status_code == 409
    assert events == ["exit got LookupError", "response built"]


def test_yield_when_exit_runs__websocket_ends_function_then_request() -> None:
    events: list[str] = []
    app = FastAPI(
        dependencies=[
            Depends(logged(events, "function"), scope="function"),
            Depends(logged(events, "request")),
        ]
    )

    @app.websocket("/")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()
        events.append("handler returns")

    with TestClient(app).websocket_connect("/"):
        pass
    assert events == ["handler returns", "function closed", "request closed"]


def test_yield_when_exit_runs__without_yield_scope_is_a_part_of_the_key() -> None:
    calls: list[int] = []

    def tick() -> int:
        calls.append(1)
        return len(calls)

    app = FastAPI()

    @app.get("/")
    def show(
        a: Annotated[int, Depends(tick, scope="function")],
        b: Annotated[int, Depends(tick, scope="request")],
        c: Annotated[int, Depends(tick, scope="request")],
    ) -> list[int]:
        return [a, b, c]

    assert TestClient(app).get("/").json() == [1, 2, 2]


def test_yield_teardown_order__later_one_fails_while_opening() -> None:
    events: list[str] = []

    def fails() -> Iterator[None]:
        raise OSError
        yield

    app = FastAPI(dependencies=[Depends(logged(events, "stock")), Depends(fails)])
    app.add_api_route("/", lambda: events.append("handler"))
    with pytest.raises(OSError):
        TestClient(app).get("/")
    assert events == ["stock got OSError"]


def test_yield_teardown_order__bad_input_is_seen() -> None:
    events: list[str] = []
    app = FastAPI(dependencies=[Depends(logged(events, "stock"))])

    @app.get("/{number}")
    def read(number: int) -> int:
        return number

    assert TestClient(app).get("/x").status_code == 422
    assert events == [f"stock got {RequestValidationError.__name__}"]


def test_yield_teardown_order__later_exception_replaces_the_earlier() -> None:
    events: list[str] = []
    outer = Depends(logged(events, "outer", OSError("outer")))
    inner = Depends(logged(events, "inner", LookupError("inner")))
    app = FastAPI(dependencies=[outer, inner])
    app.add_api_route("/", lambda: None)
    with pytest.raises(OSError) as caught:
        TestClient(app).get("/")
    assert isinstance(caught.value.__context__, LookupError)
    assert events == ["inner closed", "outer got LookupError"]


def test_yield_teardown_order__careless_finally_makes_a_404_a_500() -> None:
    app = FastAPI(dependencies=[Depends(logged([], "outer", OSError("outer")))])

    @app.get("/")
    def read() -> None:
        raise HTTPException(404)

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/").status_code == 500


def test_yield_scope_db_session__serialized_before_the_function_scope_ends() -> None:
    class Row:
        is_open = True

        @property
        def loaded_lazily(self) -> bool:
            return self.is_open

    class Answer(BaseModel, from_attributes=True):
        loaded_lazily: bool

    def get_row() -> Iterator[Row]:
        row = Row()
        yield row
        row.is_open = False

    app = FastAPI()

    @app.get("/", response_model=Answer)
    def read(row: Annotated[Row, Depends(get_row, scope="function")]) -> Row:
        return row

    assert TestClient(app).get("/").json() == {"loaded_lazily": True}


def test_yield_scope_db_session__security_has_no_scope() -> None:
    security: Any = Security
    with pytest.raises(TypeError):
        security(logged([], "session"), scope="function")


def test_yield_commit_rollback__function_scope_and_handler(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/s.db")
    insert = text("INSERT INTO rows VALUES (1)")
    with engine.begin() as db:
        db.execute(text("CREATE TABLE rows (id)"))

    def stored() -> int:
        with engine.begin() as db:
            count = db.scalar(text("SELECT count(*) FROM rows"))
            db.execute(text("DELETE FROM rows"))
            return count or 0

    def transaction() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    Tx = Annotated[Session, Depends(transaction, scope="function")]
    app = FastAPI()
    seen: list[int] = []

    @app.get("/task")
    def with_task(session: Tx, tasks: BackgroundTasks) -> None:
        session.execute(insert)
        tasks.add_task(lambda: seen.append(stored()))

    @app.get("/dependency", response_model=int)
    def commit_in_dependency(session: Tx) -> str:
        session.execute(insert)
        return "not an int"

    @app.get("/handler", response_model=int)
    def commit_in_handler() -> str:
        with Session(engine) as session:
            session.execute(insert)
            session.commit()
        return "not an int"

    @app.get("/login")
    def login(session: Tx, own: bool) -> None:
        if own:
            with Session(engine) as other, other.begin():
                other.execute(insert)
        else:
            session.execute(insert)
        raise HTTPException(401)

    client = TestClient(app, raise_server_exceptions=False)
    client.get("/task")
    assert seen == [1]
    for path, status, rows in (
        ("/dependency", 500, 0),
        ("/handler", 500, 1),
        ("/login?own=0", 401, 0),
        ("/login?own=1", 401, 1),
    ):
        assert client.get(path).status_code == status
        assert stored() == rows, path
    engine.dispose()


def test_yield_swallowed_exception__return_in_finally_swallows() -> None:
    def quiet() -> Iterator[None]:
        try:
            yield
        finally:
            return  # noqa: B012

    app = FastAPI(dependencies=[Depends(quiet)])

    @app.get("/")
    def read() -> None:
        raise HTTPException(404)

    with pytest.raises(FastAPIError):
        TestClient(app).get("/")


def test_yield_background_stream__closed_session_takes_a_connection_again() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool)
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    with Session(engine) as session:
        session.execute(text("SELECT 1"))
    assert pool.checkedout() == 0
    assert session.scalar(text("SELECT 1")) == 1
    assert pool.checkedout() == 1
    session.close()


def test_yield_background_stream__failing_stream_rolls_back_leaving_client_not() -> (
    None
):
    events: list[str] = []
    app = FastAPI(dependencies=[Depends(logged(events, "session"))])

    async def broken() -> AsyncIterator[str]:
        yield "line"
        raise OSError

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "line"
            await asyncio.sleep(0)

    app.add_api_route("/broken", lambda: StreamingResponse(broken()))
    app.add_api_route("/endless", lambda: StreamingResponse(endless()))
    with pytest.raises(OSError):
        TestClient(app).get("/broken")
    request = {"type": "http.request", "body": b"", "more_body": False}
    asyncio.run(call(app, "/endless", request, {"type": "http.disconnect"}))
    assert events == ["session got OSError", "session closed"]


def test_yield_background_stream__def_tasks_run_one_after_another() -> None:
    running: list[str] = []
    overlaps: list[bool] = []

    def task() -> None:
        overlaps.append(bool(running))
        running.append("task")
        threading.Event().wait(0.01)
        running.pop()

    app = FastAPI()

    @app.get("/")
    def start(tasks: BackgroundTasks) -> None:
        for _ in range(3):
            tasks.add_task(task)

    TestClient(app).get("/")
    assert overlaps == [False] * 3


def test_yield_sync_async_contextvars__reset_fails_in_a_sync_generator() -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")

    def in_thread() -> Iterator[None]:
        token = tenant.set("thread")
        yield
        tenant.reset(token)

    async def on_loop() -> AsyncIterator[None]:
        token = tenant.set("loop")
        yield
        tenant.reset(token)

    app = FastAPI()
    app.add_api_route("/thread", lambda: None, dependencies=[Depends(in_thread)])
    app.add_api_route("/loop", lambda: None, dependencies=[Depends(on_loop)])
    assert TestClient(app).get("/loop").status_code == 200
    with pytest.raises(ValueError, match="different Context"):
        TestClient(app).get("/thread")


def test_yield_sync_async_contextvars__only_pure_asgi_middleware_sees_it() -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
    seen: list[str] = []

    async def set_tenant() -> AsyncIterator[None]:
        tenant.set("acme")
        yield

    class Pure:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)
            seen.append(tenant.get())

    async def decorated(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        seen.append(tenant.get())
        return response

    pure, http = FastAPI(), FastAPI()
    pure.add_middleware(Pure)
    http.middleware("http")(decorated)
    for app in (pure, http):
        app.add_api_route("/", lambda: None, dependencies=[Depends(set_tenant)])
        TestClient(app).get("/")
    assert seen == ["acme", "nobody"]


async def cancelled_at(app: FastAPI, reached: asyncio.Event) -> None:
    """Cancel a request through an AnyIO cancel scope once it has got so far."""
    async with anyio.create_task_group() as group:
        group.start_soon(call, app, "/")
        await reached.wait()
        group.cancel_scope.cancel()


def test_yield_cancellation__the_setup_is_not_shielded() -> None:
    events: list[str] = []
    reached = asyncio.Event()

    async def connection() -> AsyncIterator[None]:
        try:
            reached.set()
            await anyio.sleep_forever()
            yield
        finally:
            events.append("started to clean up")
            await asyncio.sleep(0)
            events.append("cleaned up")

    app = FastAPI(dependencies=[Depends(connection)])
    app.add_api_route("/", lambda: None)
    asyncio.run(cancelled_at(app, reached))
    assert events == ["started to clean up"]


def test_yield_cancellation__clean_up_can_have_a_limit_of_its_own() -> None:
    events: list[str] = []
    reached = asyncio.Event()

    async def connection() -> AsyncIterator[None]:
        try:
            yield
        finally:
            with anyio.move_on_after(0.01):
                await anyio.sleep_forever()
            events.append("gave up")

    app = FastAPI(dependencies=[Depends(connection)])

    @app.get("/")
    async def handler() -> None:
        reached.set()
        await anyio.sleep_forever()

    asyncio.run(cancelled_at(app, reached))
    assert events == ["gave up"]


@pytest.mark.parametrize(
    ("by", "order"),
    [("task", ["outer", "inner"]), ("scope", ["inner", "outer"])],
)
def test_yield_cancellation__exit_of_a_def_generator(by: str, order: list[str]) -> None:
    events: list[str] = []
    closing, go, ended = (threading.Event() for _ in range(3))

    async def outer() -> AsyncIterator[None]:
        try:
            yield
        finally:
            events.append("outer")

    def inner() -> Iterator[None]:
        yield
        closing.set()
        go.wait(5)
        events.append("inner")
        ended.set()

    app = FastAPI(dependencies=[Depends(outer), Depends(inner)])
    app.add_api_route("/", lambda: None)

    async def started() -> None:
        while not closing.is_set():
            await asyncio.sleep(0.001)

    async def cancel_task() -> None:
        task = asyncio.create_task(call(app, "/"))
        await started()
        task.cancel()
        await asyncio.wait([task])
        go.set()

    async def cancel_scope() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(call, app, "/")
            await started()
            group.cancel_scope.cancel()
            asyncio.get_running_loop().call_later(0.01, go.set)

    asyncio.run(cancel_task() if by == "task" else cancel_scope())
    assert ended.wait(5)
    assert events == order


def limited(events: list[str], limit: int, scope: Kind | None = None) -> Any:
    """Make a mark for a dependency that notes each entry, with a limit."""

    async def slot() -> AsyncIterator[None]:
        events.append("in")
        yield

    return Depends(slot, max_concurrency=limit, scope=scope)


def test_yield_max_concurrency__two_marks_are_two_limits() -> None:
    async def slot() -> AsyncIterator[None]:
        yield

    async def main() -> None:
        both = asyncio.Barrier(2)
        app = FastAPI()
        for path in ("/a", "/b"):
            mark = Depends(slot, max_concurrency=1)
            app.add_api_route(path, both.wait, dependencies=[mark])
        async with asyncio.timeout(5):
            await asyncio.gather(call(app, "/a"), call(app, "/b"))

    asyncio.run(main())


def test_yield_max_concurrency__uncached_twice_waits_for_itself() -> None:
    events: list[str] = []

    async def slot() -> AsyncIterator[None]:
        events.append("in")
        yield

    Slot = Annotated[None, Depends(slot, use_cache=False, max_concurrency=1)]
    app = FastAPI()

    @app.get("/")
    async def handler(a: Slot, b: Slot) -> None:
        events.append("handler")

    async def main() -> None:
        task = asyncio.create_task(call(app, "/"))
        await spin()
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())
    assert events == ["in"]


@pytest.mark.parametrize(("scope", "entered"), [("request", 1), ("function", 2)])
def test_yield_max_concurrency__slot_during_background_tasks(
    scope: Kind, entered: int
) -> None:
    events: list[str] = []
    app = FastAPI(dependencies=[limited(events, 1, scope)])
    others: list[asyncio.Task[Any]] = []
    seen: list[int] = []

    async def another() -> None:
        if not others:
            others.append(asyncio.create_task(call(app, "/")))
            await spin()
            seen.append(len(events))

    @app.get("/")
    async def handler(tasks: BackgroundTasks) -> None:
        tasks.add_task(another)

    async def main() -> None:
        await call(app, "/")
        await others[0]

    asyncio.run(main())
    assert seen == [entered]
    assert events == ["in", "in"]


def test_yield_max_concurrency__websocket_holds_the_slot() -> None:
    events: list[str] = []
    app = FastAPI(dependencies=[limited(events, 1)])

    @app.get("/")
    async def probe() -> None: ...

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        task = asyncio.create_task(call(app, "/"))
        await spin()
        await socket.send_json([task.done(), events])
        task.cancel()
        await asyncio.wait([task])
        await socket.close()

    with TestClient(app).websocket_connect("/chat") as socket:
        assert socket.receive_json() == [False, ["in"]]


def test_yield_max_concurrency__waiters_keep_what_they_have() -> None:
    def opened(limit_first: bool) -> int:
        sessions: list[str] = []

        async def session() -> AsyncIterator[None]:
            sessions.append("open")
            yield

        order = [Depends(session), limited([], 1)]
        app = FastAPI(dependencies=order[::-1] if limit_first else order)

        async def main() -> int:
            done = asyncio.Event()
            app.add_api_route("/", done.wait)
            tasks = [asyncio.create_task(call(app, "/")) for _ in range(3)]
            await spin()
            during = len(sessions)
            done.set()
            await asyncio.wait(tasks)
            return during

        return asyncio.run(main())

    assert opened(limit_first=False) == 3
    assert opened(limit_first=True) == 1
