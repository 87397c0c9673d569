"""Claims of "Class dependencies, callables and sub-dependencies" without a block."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Protocol

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Query, Security
from fastapi.security import APIKeyHeader, SecurityScopes
from fastapi.testclient import TestClient
from typing_extensions import TypeAliasType


def get(app: FastAPI, url: str = "/", **headers: str) -> Any:
    return TestClient(app).get(url, headers=headers).json()


def parameters(app: FastAPI, path: str = "/") -> list[dict[str, Any]]:
    return app.openapi()["paths"][path]["get"]["parameters"]


class Store: ...


class Protocolled(Protocol):
    def take(self) -> None: ...


def test_subdeps_class_as_dependency__a_dataclass_works() -> None:
    @dataclass
    class Window:
        skip: Annotated[int, Query(ge=0)] = 0

    app = FastAPI()

    @app.get("/")
    def rows(window: Annotated[Window, Depends()]) -> int:
        return window.skip

    assert get(app, "/?skip=3") == 3
    assert TestClient(app).get("/?skip=-1").status_code == 422


def test_subdeps_check_init_valueerror__constraint_refuses_before_the_call() -> None:
    made: list[int] = []

    class Stay:
        def __init__(self, nights: Annotated[int, Query(ge=1)]) -> None:
            made.append(nights)

    app = FastAPI(dependencies=[Depends(Stay)])
    app.add_api_route("/", lambda: None)
    assert TestClient(app).get("/?nights=0").status_code == 422
    assert made == []


def test_subdeps_parametrise__default_of_a_closure_opens_a_parameter() -> None:
    def at_least(least: int) -> Callable[..., int]:
        def closure(battery: int, least: int = least) -> int:
            return least

        return closure

    app = FastAPI()

    @app.get("/")
    def drones(least: Annotated[int, Depends(at_least(30))]) -> int:
        return least

    assert get(app, "/?battery=9&least=1") == 1
    assert [p["name"] for p in parameters(app)] == ["battery", "least"]


def test_subdeps_parametrise__call_may_be_def_async_def_or_a_generator() -> None:
    closed: list[str] = []

    class Plain:
        def __call__(self) -> str:
            return "def"

    class Async:
        async def __call__(self) -> str:
            return "async"

    class Generator:
        def __call__(self) -> Iterator[str]:
            yield "gen"
            closed.append("gen")

    class AsyncGenerator:
        async def __call__(self) -> AsyncIterator[str]:
            yield "async gen"
            closed.append("async gen")

    app = FastAPI()

    @app.get("/")
    def show(
        a: Annotated[str, Depends(Plain())],
        b: Annotated[str, Depends(Async())],
        c: Annotated[str, Depends(Generator())],
        d: Annotated[str, Depends(AsyncGenerator())],
    ) -> list[str]:
        return [a, b, c, d]

    assert get(app) == ["def", "async", "gen", "async gen"]
    assert closed == ["async gen", "gen"]


def test_subdeps_parametrise__partial_of_async_def_is_awaited() -> None:
    async def load(name: str) -> str:
        return name

    app = FastAPI()

    @app.get("/")
    def show(value: Annotated[str, Depends(partial(load, "loaded"))]) -> str:
        return value

    assert get(app) == "loaded"


def test_subdeps_callable_identity__inline_bound_methods_are_keys_of_their_own() -> (
    None
):
    calls: list[str] = []

    @dataclass(frozen=True)
    class Quota:
        plan: str

        def check(self) -> None:
            calls.append(self.plan)

    assert Quota("pro") == Quota("pro")
    app = FastAPI(
        dependencies=[Depends(Quota("pro").check), Depends(Quota("pro").check)]
    )
    app.add_api_route("/", lambda: None)
    get(app)
    assert calls == ["pro", "pro"]


def test_subdeps_callable_identity__ordinary_instances_do_not_share() -> None:
    calls: list[int] = []

    class Limiter:
        def __init__(self, most: int) -> None:
            self.most = most

        def __call__(self) -> None:
            calls.append(self.most)

    one = Limiter(5)
    app = FastAPI(dependencies=[Depends(one), Depends(Limiter(5)), Depends(one)])
    app.add_api_route("/", lambda: None)
    get(app)
    assert calls == [5, 5]


def test_subdeps_callable_identity__changed_hash_loses_the_override() -> None:
    # Small numbers: a dict finds the same object by luck if its slot is the same.
    @dataclass
    class Quota:
        most: int

        def __hash__(self) -> int:
            return self.most

        def __call__(self) -> str:
            return "real"

    quota = Quota(0)
    app = FastAPI()

    @app.get("/")
    def show(value: Annotated[str, Depends(quota)]) -> str:
        return value

    app.dependency_overrides[quota] = lambda: "fake"
    assert get(app) == "fake"
    quota.most = 1
    assert get(app) == "real"


def test_subdeps_callable_identity__two_originals_call_one_fake_twice() -> None:
    calls: list[str] = []

    def first() -> None: ...

    def second() -> None: ...

    def fake() -> None:
        calls.append("fake")

    app = FastAPI(dependencies=[Depends(first), Depends(second), Depends(first)])
    app.add_api_route("/", lambda: None)
    app.dependency_overrides = {first: fake, second: fake}
    get(app)
    assert calls == ["fake", "fake"]


def test_subdeps_resolution__invalid_node_is_not_called_its_siblings_are() -> None:
    calls: list[str] = []

    def invalid(number: int) -> None:
        calls.append("invalid")

    app = FastAPI(
        dependencies=[
            Depends(lambda: calls.append("before")),
            Depends(invalid),
            Depends(lambda: calls.append("after")),
        ]
    )
    app.add_api_route("/", lambda: calls.append("handler"))
    assert TestClient(app).get("/?number=x").status_code == 422
    assert calls == ["before", "after"]


def test_subdeps_flattening__required_wins_over_optional() -> None:
    def required(limit: int) -> None: ...

    def optional(limit: int = 5) -> None: ...

    for order in ([required, optional], [optional, required]):
        app = FastAPI(dependencies=[Depends(node) for node in order])
        app.add_api_route("/", lambda: None)
        (limit,) = parameters(app)
        assert limit["required"] is True


def test_subdeps_flattening__bodies_of_different_names_are_embedded() -> None:
    def note(note: Annotated[dict[str, int], Body()]) -> int:
        return note["n"]

    app = FastAPI()

    @app.post("/one")
    def one(n: Annotated[int, Depends(note)]) -> int:
        return n

    @app.post("/two")
    def two(
        n: Annotated[int, Depends(note)], data: Annotated[dict[str, int], Body()]
    ) -> int:
        return n + data["n"]

    client = TestClient(app)
    assert client.post("/one", json={"n": 1}).json() == 1
    both = {"note": {"n": 1}, "data": {"n": 2}}
    assert client.post("/two", json=both).json() == 3


def test_subdeps_flattening__path_parameter_becomes_a_query_parameter() -> None:
    def room(room_id: int) -> int:
        return room_id

    app = FastAPI()

    @app.get("/rooms/{room_id}")
    @app.get("/rooms")
    def read(found: Annotated[int, Depends(room)]) -> int:
        return found

    assert get(app, "/rooms/7?room_id=8") == 7
    assert get(app, "/rooms?room_id=8") == 8
    (place,) = parameters(app, "/rooms")
    assert place["in"] == "query"


def test_subdeps_flattening__alias_parts_two_limits() -> None:
    def newest(limit: int = 5) -> int:
        return limit

    def archive(limit: Annotated[int, Query(alias="archive_limit")] = 50) -> int:
        return limit

    app = FastAPI()

    @app.get("/")
    def logs(
        a: Annotated[int, Depends(newest)], b: Annotated[int, Depends(archive)]
    ) -> list[int]:
        return [a, b]

    assert get(app, "/?limit=1&archive_limit=2") == [1, 2]
    assert [p["name"] for p in parameters(app)] == ["limit", "archive_limit"]


def test_subdeps_unsolvable__optional_by_a_provider_not_by_empty_depends() -> None:
    app = FastAPI()

    @app.get("/")
    def show(store: Annotated[Store | None, Depends(lambda: None)]) -> bool:
        return store is None

    assert get(app) is True

    def union(store: Annotated[Store | None, Depends()]) -> None: ...

    def quoted(store: Annotated["Store", Depends()]) -> None: ...

    for handler in (union, quoted):
        with pytest.raises(TypeError):
            app.get("/broken")(handler)


def test_subdeps_unsolvable__positional_only_fails_at_the_first_request() -> None:
    def load(key: str, /) -> str:
        return key

    app = FastAPI(dependencies=[Depends(load)])
    app.add_api_route("/", lambda: None)
    assert [p["name"] for p in parameters(app)] == ["key"]
    with pytest.raises(TypeError):
        TestClient(app).get("/?key=k")


def test_subdeps_unsolvable__wrapper_without_wraps_asks_for_args_and_kwargs() -> None:
    def unwrapped(*args: Any, **kwargs: Any) -> None: ...

    app = FastAPI(dependencies=[Depends(unwrapped)])
    app.add_api_route("/", lambda: None)
    answer = TestClient(app).get("/")
    assert answer.status_code == 422
    assert [error["loc"][1] for error in answer.json()["detail"]] == ["args", "kwargs"]


def test_subdeps_one_after_another__context_variable_of_a_thread_is_lost() -> None:
    name: ContextVar[str] = ContextVar("name", default="none")

    def in_thread() -> None:
        name.set("thread")

    async def on_loop() -> None:
        name.set("loop")

    app = FastAPI()
    app.add_api_route("/thread", lambda: name.get(), dependencies=[Depends(in_thread)])
    app.add_api_route("/loop", lambda: name.get(), dependencies=[Depends(on_loop)])
    assert get(app, "/thread") == "none"
    assert get(app, "/loop") == "loop"


def test_subdeps_functions_over_classes__callable_instance_needs_no_thread() -> None:
    class Configured:
        def __init__(self, most: int) -> None:
            self.most = most

        async def __call__(self, limit: int = 10) -> tuple[int, int]:
            return min(limit, self.most), threading.get_ident()

    app = FastAPI()

    @app.get("/")
    async def show(
        found: Annotated[tuple[int, int], Depends(Configured(5))],
    ) -> list[object]:
        return [found[0], found[1] == threading.get_ident()]

    assert get(app, "/?limit=7&most=9") == [5, True]


def test_subdeps_cache_and_scopes__router_scopes_stay_in_their_branch() -> None:
    seen: list[list[str]] = []

    def user(scopes: SecurityScopes) -> None:
        seen.append(scopes.scopes)

    router = APIRouter(dependencies=[Security(user, scopes=["read"])])

    @router.get("/")
    def show(user: Annotated[None, Depends(user)]) -> None: ...

    app = FastAPI()
    app.include_router(router)
    get(app)
    assert seen == [["read"], []]


def test_subdeps_cache_and_scopes__role_callable_keeps_the_user_in_one_key() -> None:
    loads: list[str] = []

    def user(key: Annotated[str, Depends(APIKeyHeader(name="x-key"))]) -> str:
        loads.append(key)
        return key

    @dataclass(frozen=True)
    class Need:
        role: str

        def __call__(self, user: Annotated[str, Depends(user)]) -> None: ...

    app = FastAPI(dependencies=[Depends(Need("read")), Depends(Need("export"))])

    @app.get("/")
    def show(user: Annotated[str, Depends(user)]) -> str:
        return user

    assert TestClient(app).get("/", headers={"x-key": "k"}).json() == "k"
    assert loads == ["k"]
    assert "export" not in str(app.openapi())


def test_subdeps_service_repository__a_type_statement_is_unpacked() -> None:
    def get_service() -> str:
        return "service"

    # What "type ServiceDep = ..." makes on Python 3.12 and later.
    ServiceDep = TypeAliasType("ServiceDep", Annotated[str, Depends(get_service)])
    app = FastAPI()

    def show(service: str) -> str:
        return service

    show.__annotations__["service"] = ServiceDep
    app.add_api_route("/", show)
    assert get(app) == "service"


def test_subdeps_service_repository__empty_depends_calls_the_protocol() -> None:
    app = FastAPI()

    @app.get("/")
    def show(seats: Annotated[Protocolled, Depends()]) -> None: ...

    answer = TestClient(app).get("/")
    assert answer.status_code == 422
    assert [e["loc"] for e in answer.json()["detail"]] == [
        ["query", "args"],
        ["query", "kwargs"],
    ]
