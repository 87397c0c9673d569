"""Claims of BackgroundTasks, Celery and other queues that no block on the page shows."""

import asyncio
import functools
import gc
import pickle
import signal
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, Any

import httpx2
import pytest
import uvicorn
from celery import Celery
from celery.exceptions import MaxRetriesExceededError
from celery.result import AsyncResult
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from kombu.exceptions import EncodeError
from kombu.transport.redis import Channel
from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.types import Receive, Scope, Send


def celery(**settings: Any) -> Celery:
    app = Celery("jobs", broker="memory://", backend="cache+memory://")
    app.conf.update(settings)
    return app


def test_tasks_what_and_when__tasks_of_one_request_wait_for_each_other() -> None:
    app = FastAPI()
    events: list[str] = []

    async def work(name: str) -> None:
        events.append(f"{name} starts")
        await asyncio.sleep(0.01)
        events.append(f"{name} ends")

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(work, "a")
        tasks.add_task(work, "b")

    TestClient(app).get("/")  # returns only after the tasks
    assert events == ["a starts", "a ends", "b starts", "b ends"]


def test_tasks_what_and_when__tasks_of_different_requests_interleave() -> None:
    app = FastAPI()
    met: list[int] = []

    async def meet(both: asyncio.Barrier) -> None:
        async with asyncio.timeout(30):
            await both.wait()
        met.append(1)

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks, request: Request) -> None:
        tasks.add_task(meet, request.app.state.both)

    async def call() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        async def send(message: Any) -> None: ...

        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await app(scope | {"query_string": b""}, receive, send)

    async def main() -> None:
        app.state.both = asyncio.Barrier(2)
        await asyncio.gather(call(), call())

    asyncio.run(main())
    assert met == [1, 1]


@pytest.mark.parametrize("error", [HTTPException(409), ValueError("bug")])
def test_tasks_failure__tasks_are_dropped_if_the_handler_raises(
    error: Exception,
) -> None:
    app = FastAPI()
    ran: list[str] = []

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(ran.append, "task")
        raise error

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/").status_code == (
        409 if isinstance(error, HTTPException) else 500
    )
    assert ran == []


def test_tasks_failure__a_task_on_the_errors_response_runs() -> None:
    app = FastAPI()
    ran: list[str] = []

    @app.exception_handler(KeyError)
    async def missing(request: Request, exc: Exception) -> JSONResponse:
        task = BackgroundTask(ran.append, "alarm")
        return JSONResponse("missing", 404, background=task)

    @app.get("/")
    async def endpoint() -> None:
        raise KeyError

    assert TestClient(app).get("/").status_code == 404
    assert ran == ["alarm"]


def test_tasks_failure__test_client_raises_what_a_real_client_does_not_see() -> None:
    app = FastAPI()

    def fail() -> None:
        raise ConnectionRefusedError

    @app.post("/", status_code=201)
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(fail)

    with pytest.raises(ConnectionRefusedError):
        TestClient(app).post("/")
    client = TestClient(app, raise_server_exceptions=False)
    assert client.post("/").status_code == 201


def test_tasks_slow_task__lambda_is_not_awaited_and_partial_is() -> None:
    app = FastAPI()
    ran: list[str] = []

    async def work(name: str) -> None:
        ran.append(name)

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: work("lambda"))
        tasks.add_task(functools.partial(work, "partial"))

    with pytest.warns(RuntimeWarning):
        assert TestClient(app).get("/").status_code == 200
        gc.collect()
    assert ran == ["partial"]


def test_tasks_slow_task__pure_asgi_timer_around_the_app_includes_the_tasks() -> None:
    events: list[str] = []

    class Timer:
        def __init__(self, app: Callable[..., Any]) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def mark(message: Any) -> None:
                await send(message)
                if message["type"] == "http.response.body":
                    events.append("last body message")

            await self.app(scope, receive, mark)
            events.append("app returned")

    app = FastAPI()
    app.add_middleware(Timer)

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> None:
        tasks.add_task(events.append, "task")

    TestClient(app).get("/")
    assert events == ["last body message", "task", "app returned"]


def test_tasks_create_task__lost_exception_is_logged_when_the_task_is_destroyed() -> (
    None
):
    logged: list[str] = []

    async def fail() -> None:
        raise ValueError

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, entry: logged.append(entry["message"]))
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert task.done() and logged == []
        del task
        gc.collect()
        assert logged == ["Task exception was never retrieved"]

    asyncio.run(main())


def test_tasks_create_task__it_sees_the_context_variables_of_its_creator() -> None:
    request_id: ContextVar[str] = ContextVar("request_id", default="none")

    async def read() -> str:
        return request_id.get()

    async def main() -> str:
        request_id.set("r-7")
        task = asyncio.create_task(read())
        request_id.set("r-8")
        return await task

    assert asyncio.run(main()) == "r-7"


@pytest.mark.parametrize(("scope", "open_in_task"), [(None, True), ("function", False)])
def test_tasks_orm_objects__yield_dependency_is_open_in_the_task_by_scope(
    scope: Any, open_in_task: bool
) -> None:
    app = FastAPI()
    seen: list[bool] = []

    async def session() -> AsyncIterator[dict[str, bool]]:
        state = {"open": True}
        yield state
        state["open"] = False

    @app.get("/")
    async def endpoint(
        db: Annotated[dict[str, bool], Depends(session, scope=scope)],
        tasks: BackgroundTasks,
    ) -> None:
        tasks.add_task(lambda: seen.append(db["open"]))

    TestClient(app).get("/")
    assert seen == [open_in_task]


def test_tasks_orm_objects__celery_accepts_only_json_and_pickle_runs_code() -> None:
    assert list(celery().conf.accept_content) == ["json"]

    class Evil:
        def __reduce__(self) -> Any:
            return str.upper, ("code of the sender",)

    assert pickle.loads(pickle.dumps(Evil())) == "CODE OF THE SENDER"


class Parcel(BaseModel):
    weight: int


def test_tasks_orm_objects__celery_pydantic_true_rebuilds_the_model() -> None:
    app = celery(task_always_eager=True)

    @app.task(pydantic=True)
    def weigh(parcel: Parcel) -> str:
        return f"{type(parcel).__name__} {parcel.weight}"

    message = Parcel(weight=3).model_dump(mode="json")
    assert weigh.delay(message).get() == "Parcel 3"


def test_tasks_celery_integration__eager_mode_encodes_the_arguments() -> None:
    app = celery(task_always_eager=True)

    @app.task
    def kind(value: Any) -> str:
        return type(value).__name__

    assert kind.delay((1, 2)).get() == "list"  # a tuple has been through JSON
    with pytest.raises(EncodeError):
        kind.delay(object())


@pytest.mark.filterwarnings("ignore:Results are not stored")
def test_tasks_celery_integration__eager_result_is_found_only_if_stored() -> None:
    states = []
    for store in (False, True):
        app = celery(task_always_eager=True, task_store_eager_result=store)

        @app.task
        def render() -> str:
            return "done"

        states.append(AsyncResult(render.delay().id, app=app).state)
    assert states == ["PENDING", "SUCCESS"]


def test_tasks_shutdown__a_sigterm_handler_tells_a_def_task_teardown_is_too_late() -> (
    None
):
    events: list[str] = []
    stopping, working = threading.Event(), threading.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        found: Any = signal.getsignal(signal.SIGTERM)  # Uvicorn's

        def stop(number: int, frame: Any) -> None:
            stopping.set()
            found(number, frame)

        signal.signal(signal.SIGTERM, stop)
        yield
        events.append("teardown")

    app = FastAPI(lifespan=lifespan)

    def work() -> None:
        working.set()
        events.append("told" if stopping.wait(30) else "not told")

    @app.get("/")
    async def start(tasks: BackgroundTasks) -> None:
        tasks.add_task(work)

    async def main() -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        async with httpx2.AsyncClient() as client:
            await client.get(f"http://127.0.0.1:{sock.getsockname()[1]}/")
        assert await asyncio.to_thread(working.wait, 30)
        signal.raise_signal(signal.SIGTERM)
        await serving

    own = signal.signal(signal.SIGTERM, lambda *_: events.append("raised again"))
    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGTERM, own)
    assert events == ["told", "teardown", "raised again"]


def test_tasks_celery_async__a_runner_may_not_be_entered_twice() -> None:
    async def nothing() -> None: ...

    with asyncio.Runner() as runner:

        async def outer() -> None:
            inner = nothing()
            try:
                runner.run(inner)
            finally:
                inner.close()

        with pytest.raises(RuntimeError):
            runner.run(outer())


def test_tasks_acks_late__defaults_of_prefetch_failure_and_visibility_timeout() -> None:
    conf = celery().conf
    assert conf.worker_prefetch_multiplier == 4
    assert conf.task_acks_on_failure_or_timeout is True
    assert not conf.task_acks_late and not conf.task_reject_on_worker_lost
    assert Channel.visibility_timeout == 3600


def test_tasks_acks_late__max_retries_3_applies_only_once_retry_is_used() -> None:
    app = celery()
    runs: list[str] = []

    @app.task(acks_late=True, reject_on_worker_lost=True)
    def plain() -> None:
        runs.append("plain")
        raise ValueError

    @app.task(bind=True, default_retry_delay=0)
    def again(self: Any) -> None:
        runs.append("again")
        raise self.retry()

    assert plain.apply().state == "FAILURE"
    result = again.apply()
    assert isinstance(result.result, MaxRetriesExceededError)
    assert (runs.count("plain"), runs.count("again")) == (1, 4)
