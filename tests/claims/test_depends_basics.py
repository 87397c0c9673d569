"""Claims of "Depends(): the injection system" that no block on the page shows."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any

import pytest
from celery import Celery
from fastapi import (
    APIRouter,
    Body,
    Depends,
    FastAPI,
    Form,
    HTTPException,
    Request,
    Response,
    WebSocket,
)
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy.orm import Session


def refuse() -> None:
    raise HTTPException(401)


def test_depends_what_it_is__def_in_the_pool_async_def_on_the_loop() -> None:
    class Instance:
        def __call__(self) -> int:
            return threading.get_ident()

    async def on_loop() -> int:
        return threading.get_ident()

    app = FastAPI()

    @app.get("/")
    async def idents(
        pool: Annotated[int, Depends(Instance())],
        loop: Annotated[int, Depends(on_loop)],
    ) -> list[bool]:
        here = threading.get_ident()
        return [pool == here, loop == here]

    assert TestClient(app).get("/").json() == [False, True]


def test_depends_what_it_is__sets_header_cookie_and_status() -> None:
    def mark(response: Response) -> None:
        response.status_code = 202
        response.headers["x-mark"] = "1"
        response.set_cookie("seen", "yes")

    app = FastAPI(dependencies=[Depends(mark)])
    app.add_api_route("/value", lambda: "v")
    app.add_api_route("/own", lambda: JSONResponse("v"))
    client = TestClient(app)
    value = client.get("/value")
    assert (value.status_code, value.headers["x-mark"]) == (202, "1")
    assert value.cookies["seen"] == "yes"
    own = client.get("/own")
    assert own.status_code == 200
    assert "x-mark" not in own.headers
    assert "set-cookie" not in own.headers


def test_depends_called_by_mistake__result_that_is_not_callable_is_refused() -> None:
    def get_settings() -> Any:
        return "settings"

    async def get_user() -> str:
        return "user"

    def handler(value: Annotated[str, Depends(get_settings())]) -> str:
        return value

    app = FastAPI()
    with pytest.raises(TypeError):
        app.get("/")(handler)
    with pytest.raises(AssertionError):
        app.get("/", dependencies=[Depends(get_settings())])(lambda: None)
    coroutine: Any = get_user()
    try:
        with pytest.raises(AssertionError):
            FastAPI(dependencies=[Depends(coroutine)]).get("/")(lambda: None)
    finally:
        coroutine.close()


def test_depends_called_by_mistake__callable_result_is_called_per_request() -> None:
    calls: list[int] = []

    def count() -> int:
        calls.append(1)
        return len(calls)

    def get_counter() -> Callable[[], int]:
        return count

    app = FastAPI()

    @app.get("/")
    def read(value: Annotated[int, Depends(get_counter())]) -> int:
        return value

    client = TestClient(app)
    assert [client.get("/").json(), client.get("/").json()] == [1, 2]
    app.dependency_overrides[get_counter] = lambda: -1
    assert client.get("/").json() == 3


def test_depends_called_by_mistake__depends_none_calls_the_annotated_type() -> None:
    class Page:
        def __init__(self, limit: int = 5) -> None:
            self.limit = limit

    def forgot_to_return() -> None: ...

    app = FastAPI()

    @app.get("/")
    def read(page: Annotated[Page, Depends(forgot_to_return())]) -> int:
        return page.limit

    assert TestClient(app).get("/?limit=7").json() == 7


def test_depends_without_parentheses__session_fails_user_would_be_a_guest() -> None:
    class User(BaseModel):
        name: str = "guest"

    app = FastAPI()
    with pytest.raises(Exception, match="response field"):

        @app.get("/session")
        def session(db: Annotated[Session, Depends]) -> None: ...

    @app.post("/wipe")
    def wipe(user: Annotated[User, Depends()]) -> str:
        return user.name

    client = TestClient(app)
    assert client.post("/wipe", json={"name": "mallory"}).json() == "guest"
    assert client.post("/wipe?name=ann").json() == "ann"


def test_depends_once_or_several__a_websocket_connection_is_one_request() -> None:
    calls: list[int] = []

    def tick() -> int:
        calls.append(1)
        return len(calls)

    Tick = Annotated[int, Depends(tick)]
    app = FastAPI(dependencies=[Depends(tick)])

    @app.websocket("/")
    async def live(websocket: WebSocket, a: Tick, b: Tick) -> None:
        await websocket.accept()
        for _ in range(2):
            await websocket.receive_text()
            await websocket.send_json([a, b])
        await websocket.close()

    with TestClient(app).websocket_connect("/") as socket:
        for _ in range(2):
            socket.send_text("next")
            assert socket.receive_json() == [1, 1]


def test_depends_once_or_several__override_is_kept_under_the_original() -> None:
    calls: list[str] = []

    def real() -> None: ...

    def other() -> None: ...

    app = FastAPI(dependencies=[Depends(real), Depends(real), Depends(other)])
    app.add_api_route("/", lambda: None)
    fake = lambda: calls.append("fake")  # noqa: E731
    app.dependency_overrides = {real: fake}
    TestClient(app).get("/")
    assert calls == ["fake"]
    app.dependency_overrides = {real: fake, other: fake}
    TestClient(app).get("/")
    assert calls == ["fake"] * 3


def test_depends_concurrent__gather_lets_the_other_call_run_on() -> None:
    ended: list[str] = []

    async def fails() -> None:
        raise HTTPException(404)

    async def slow(go: asyncio.Event) -> None:
        await go.wait()
        ended.append("slow")

    async def both() -> Any:
        go = asyncio.Event()
        other = asyncio.create_task(slow(go))
        try:
            await asyncio.gather(fails(), other)
        except HTTPException:
            ended.append("raised")
            go.set()
            await other
            raise

    app = FastAPI(dependencies=[Depends(both)])
    app.add_api_route("/", lambda: None)
    assert TestClient(app).get("/").status_code == 404
    assert ended == ["raised", "slow"]


def test_depends_concurrent__what_you_call_yourself_is_not_overridden() -> None:
    async def load() -> str:
        return "real"

    async def load_both() -> list[str]:
        return list(await asyncio.gather(load(), load()))

    app = FastAPI()

    @app.get("/")
    def one(both: Annotated[list[str], Depends(load_both)]) -> list[str]:
        return both

    app.dependency_overrides[load] = lambda: "fake"
    assert TestClient(app).get("/").json() == ["real", "real"]


def test_depends_levels__starlette_routes_and_static_files_are_not_reached(
    tmp_path: Path,
) -> None:
    (tmp_path / "index.html").write_text("page")
    app = FastAPI(dependencies=[Depends(refuse)])
    app.add_route("/plain", lambda request: PlainTextResponse("plain"))
    app.mount("/static", StaticFiles(directory=tmp_path))
    client = TestClient(app)
    assert client.get("/plain").status_code == 200
    assert client.get("/static/index.html").status_code == 200


def test_depends_levels__files_of_app_frontend_are_reached(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("page")
    guarded, open_app = FastAPI(dependencies=[Depends(refuse)]), FastAPI()
    for app in (guarded, open_app):
        app.frontend("/", directory=tmp_path)
    assert TestClient(open_app).get("/index.html").text == "page"
    assert TestClient(guarded).get("/index.html").status_code == 401


def test_depends_levels__docs_on_own_routes_are_protected() -> None:
    app = FastAPI(docs_url=None, openapi_url=None, dependencies=[Depends(refuse)])

    @app.get("/openapi.json", include_in_schema=False)
    def schema() -> dict[str, Any]:
        return app.openapi()

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return get_swagger_ui_html(openapi_url="/openapi.json", title="API")

    client = TestClient(app)
    for path in ("/docs", "/openapi.json"):
        assert client.get(path).status_code == 401
    app.dependency_overrides[refuse] = lambda: None
    assert "swagger" in client.get("/docs").text
    assert client.get("/openapi.json").json()["paths"] == {}


def test_depends_overrides__replacement_may_yield() -> None:
    events: list[str] = []

    def real() -> str:
        return "real"

    def fake() -> Iterator[str]:
        yield "fake"
        events.append("closed")

    app = FastAPI()

    @app.get("/")
    def read(value: Annotated[str, Depends(real)]) -> str:
        return value

    app.dependency_overrides[real] = fake
    assert TestClient(app).get("/").json() == "fake"
    assert events == ["closed"]


def test_depends_overrides__body_only_if_the_route_has_one() -> None:
    def real() -> str:
        return "real"

    def required(note: Annotated[dict[str, str], Body()]) -> str:
        return note["text"]

    def optional(note: Annotated[dict[str, str] | None, Body()] = None) -> str:
        return "default" if note is None else "sent"

    app = FastAPI()

    @app.post("/without")
    def without(value: Annotated[str, Depends(real)]) -> str:
        return value

    @app.post("/with")
    def with_body(
        value: Annotated[str, Depends(real)],
        data: Annotated[dict[str, str], Body()],
    ) -> str:
        return value

    def post(path: str) -> Any:
        return TestClient(app).post(path, json={"text": "hello"})

    app.dependency_overrides[real] = required
    assert post("/without").status_code == 422
    assert post("/with").json() == "hello"
    app.dependency_overrides[real] = optional
    assert post("/without").json() == "default"
    assert post("/with").json() == "sent"


def test_depends_overrides__one_entry_analyses_signatures_at_each_request() -> None:
    class Watched:
        reads = 0

        def __call__(self) -> None: ...

        @property
        def __signature__(self) -> Signature:
            self.reads += 1
            return Signature()

    watched = Watched()
    app = FastAPI(dependencies=[Depends(watched)])
    app.add_api_route("/", lambda: None)
    client = TestClient(app)
    client.get("/")
    before = watched.reads
    client.get("/")
    assert watched.reads == before
    app.dependency_overrides[refuse] = lambda: None
    client.get("/")
    once = watched.reads
    client.get("/")
    assert before < once < watched.reads


def test_depends_overrides__no_such_method_and_no_string_keys() -> None:
    app = FastAPI(dependencies=[Depends(refuse)])
    app.add_api_route("/", lambda: None)
    assert not hasattr(app, "override_dependency")
    key: Any = "refuse"
    app.dependency_overrides[key] = lambda: None
    assert TestClient(app).get("/").status_code == 401


def test_depends_override_ignored__routers_and_bound_methods_are_found() -> None:
    class Repo:
        def get(self) -> str:
            return "real"

    repo = Repo()
    router = APIRouter()

    @router.get("/")
    def read(value: Annotated[str, Depends(repo.get)]) -> str:
        return value

    app = FastAPI()
    app.include_router(router)
    app.dependency_overrides[repo.get] = lambda: "fake"
    assert TestClient(app).get("/").json() == "fake"


def test_depends_override_ignored__lifespan_and_middleware_call_the_real_one() -> None:
    seen: list[str] = []

    def get_settings() -> str:
        return "real"

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        seen.append(get_settings())
        yield

    app = FastAPI(lifespan=lifespan)

    @app.middleware("http")
    async def log(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        seen.append(get_settings())
        return await call_next(request)

    @app.get("/")
    def read(value: Annotated[str, Depends(get_settings)]) -> str:
        return value

    app.dependency_overrides[get_settings] = lambda: "fake"
    with TestClient(app) as client:
        assert client.get("/").json() == "fake"
    assert seen == ["real", "real"]


def test_depends_outside_request__wrap_a_generator_never_next_it() -> None:
    events: list[str] = []

    def get_ledger() -> Iterator[str]:
        try:
            yield "ledger"
        finally:
            events.append("closed")

    with contextmanager(get_ledger)() as db:
        assert (db, events) == ("ledger", [])
    assert events == ["closed"]
    assert next(get_ledger()) == "ledger"
    assert events == ["closed", "closed"]


def test_depends_outside_request__celery_does_not_resolve_the_mark() -> None:
    def get_fee() -> int:
        return 5

    celery = Celery("claims", set_as_current=False)
    celery.conf.task_always_eager = True

    @celery.task
    def total(fee: Annotated[int, Depends(get_fee)]) -> int:
        return fee

    @celery.task
    def old_style(fee: int = Depends(get_fee)) -> str:
        return type(fee).__name__

    with pytest.raises(TypeError):
        total.delay()
    assert old_style.delay().get() == "Depends"


def test_depends_401_or_422__body_errors_come_before_the_dependency() -> None:
    app = FastAPI(dependencies=[Depends(refuse)])

    @app.post("/json")
    def read_json(data: dict[str, str]) -> None: ...

    @app.post("/form")
    def read_form(name: Annotated[str, Form()]) -> None: ...

    client = TestClient(app)
    kind = {"content-type": "application/json"}
    assert client.post("/json", content=b"{", headers=kind).status_code == 422
    assert client.post("/json", content=b'{"a":"\xff"}', headers=kind).status_code == (
        400
    )
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/form", content=b"?", headers=broken).status_code == 400
    assert client.post("/json", json={"a": 1}).status_code == 401


def test_depends_401_or_422__the_413_comes_before_the_dependency() -> None:
    app = FastAPI(dependencies=[Depends(refuse)], max_body_size=10)

    @app.post("/")
    def read(data: dict[str, str]) -> None: ...

    assert TestClient(app).post("/", json={"text": "long"}).status_code == 413


def test_depends_401_or_422__body_taken_from_request_lets_401_win() -> None:
    app = FastAPI(dependencies=[Depends(refuse)])

    @app.post("/")
    async def read(request: Request) -> Any:
        return await request.json()

    kind = {"content-type": "application/json"}
    assert TestClient(app).post("/", content=b"{", headers=kind).status_code == 401
