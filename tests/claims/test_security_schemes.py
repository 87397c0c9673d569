"""Claims of Authentication basics and security schemes that no block shows."""

from base64 import b64encode
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Security
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
)
from fastapi.testclient import TestClient
from itsdangerous import BadSignature, TimestampSigner
from starlette.middleware.sessions import SessionMiddleware


def security_of(app: FastAPI, path: str) -> Any:
    return app.openapi()["paths"][path]["get"].get("security")


def test_auth_what_are_schemes__scheme_name_keeps_two_keys_apart() -> None:
    app = FastAPI()
    first = APIKeyHeader(name="X-Client", scheme_name="Client")
    second = APIKeyHeader(name="X-Signature", scheme_name="Signature")
    app.get("/", dependencies=[Depends(first), Depends(second)])(lambda: None)
    assert set(app.openapi()["components"]["securitySchemes"]) == {
        "Client",
        "Signature",
    }


def test_auth_what_are_schemes__a_scheme_is_found_at_any_depth() -> None:
    def inner(sent: Annotated[Any, Depends(HTTPBearer())]) -> None: ...
    def middle(sent: Annotated[None, Depends(inner)]) -> None: ...

    app = FastAPI()
    app.get("/", dependencies=[Depends(middle)])(lambda: None)
    assert security_of(app, "/") == [{"HTTPBearer": []}]


def test_auth_optional__a_foreign_scheme_is_none() -> None:
    app = FastAPI()
    optional = HTTPBearer(auto_error=False)

    @app.get("/")
    def read(
        sent: Annotated[HTTPAuthorizationCredentials | None, Depends(optional)],
    ) -> bool:
        return sent is None

    client = TestClient(app)
    for header in ("Basic YTpi", "Bearer", "Bearer "):
        assert client.get("/", headers={"Authorization": header}).json() is True


def test_auth_optional__basic_without_a_colon_is_401_all_the_same() -> None:
    app = FastAPI()
    optional = HTTPBasic(auto_error=False)
    app.get("/", dependencies=[Depends(optional)])(lambda: "ok")
    client = TestClient(app)
    no_colon = "Basic " + b64encode(b"ada").decode()
    headers = [{}, {"Authorization": "Bearer x"}, {"Authorization": no_colon}]
    assert [client.get("/", headers=h).status_code for h in headers] == [200, 200, 401]


def test_auth_two_schemes__with_auto_error_the_second_is_never_asked() -> None:
    asked: list[str] = []

    class Cookie(APIKeyCookie):
        async def __call__(self, request: Any) -> str | None:
            asked.append(self.model.name)
            return await super().__call__(request)

    app = FastAPI()
    schemes = [Depends(HTTPBearer()), Depends(Cookie(name="sid"))]
    app.get("/", dependencies=schemes)(lambda: None)
    client = TestClient(app, cookies={"sid": "s-ada"})
    assert client.get("/").status_code == 401
    assert asked == []


def test_auth_two_schemes__openapi_is_cached_until_the_routes_change() -> None:
    app = FastAPI()
    key = Depends(APIKeyHeader(name="X-Key"))
    app.get("/a", dependencies=[key])(lambda: None)
    app.openapi()["paths"]["/a"]["get"]["security"] = [{"repaired": []}]
    assert security_of(app, "/a") == [{"repaired": []}]
    app.get("/b", dependencies=[key])(lambda: None)
    assert security_of(app, "/a") == [{"APIKeyHeader": []}]


def test_auth_security_or_depends__router_dependency_shows_mounted_app_does_not() -> (
    None
):
    router = APIRouter(dependencies=[Depends(HTTPBearer())])
    router.get("/a")(lambda: None)
    router.get("/b")(lambda: None)
    inner = FastAPI()
    inner.get("/c", dependencies=[Depends(HTTPBearer())])(lambda: None)
    app = FastAPI()
    app.include_router(router)
    app.mount("/inner", inner)
    assert [security_of(app, p) for p in ("/a", "/b")] == [[{"HTTPBearer": []}]] * 2
    assert set(app.openapi()["paths"]) == {"/a", "/b"}
    assert security_of(inner, "/c") == [{"HTTPBearer": []}]


def test_auth_security_or_depends__padlock_does_not_mean_protected() -> None:
    app = FastAPI()
    optional = HTTPBearer(auto_error=False)
    app.get("/", dependencies=[Security(optional)])(lambda: "open")
    assert security_of(app, "/") == [{"HTTPBearer": []}]
    assert TestClient(app).get("/").json() == "open"


def test_auth_basic_compare__non_ascii_password_is_401_before_your_code() -> None:
    app = FastAPI()
    called: list[str] = []

    @app.get("/")
    def read(sent: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> None:
        called.append(sent.password)

    client = TestClient(app)
    for password in ("käse", "cheese"):
        pair = b64encode(f"ada:{password}".encode()).decode()
        client.get("/", headers={"Authorization": f"Basic {pair}"})
    assert called == ["cheese"]


def session_app(**options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="k" * 32, **options)

    @app.post("/login")
    def log_in(request: Request) -> None:
        request.session["user"] = "ada"

    @app.get("/me")
    def read_me(request: Request) -> str:
        return request.session.get("user", "guest")

    return app


def test_auth_session_middleware__cookie_is_sent_only_when_modified() -> None:
    client = TestClient(session_app())
    assert "set-cookie" in client.post("/login").headers
    answer = client.get("/me")
    assert answer.json() == "ada" and "set-cookie" not in answer.headers


def test_auth_session_middleware__signer_takes_a_list_and_a_subclass_can_use_it() -> (
    None
):
    old, new = TimestampSigner("old"), TimestampSigner("new")
    both = TimestampSigner(["old", "new"])
    assert both.unsign(old.sign("x")) == both.unsign(new.sign("x")) == b"x"
    assert new.unsign(both.sign("x")) == b"x"
    with pytest.raises(BadSignature):
        old.unsign(both.sign("x"))

    class Rotating(SessionMiddleware):
        def __init__(self, app: Any, **options: Any) -> None:
            super().__init__(app, secret_key="new", **options)
            self.signer = TimestampSigner(["k" * 32, "new"])

    cookies = TestClient(session_app())
    cookies.post("/login")
    app = FastAPI()
    app.add_middleware(Rotating)
    app.get("/me")(who)
    rotated = TestClient(app, cookies=dict(cookies.cookies))
    assert rotated.get("/me").json() == "ada"


def who(request: Request) -> str:
    return request.session.get("user", "guest")


def test_auth_session_fixation__session_middleware_writes_a_new_cookie_at_login() -> (
    None
):
    app = session_app()

    @app.post("/visit")
    def visit(request: Request) -> None:
        request.session["seen"] = 1

    attacker = TestClient(app)
    attacker.post("/visit")
    victim = TestClient(app, cookies=dict(attacker.cookies))
    victim.post("/login")
    assert (victim.get("/me").json(), attacker.get("/me").json()) == ("ada", "guest")


def test_auth_session_middleware__a_new_secret_key_logs_everybody_out() -> None:
    first = TestClient(session_app())
    first.post("/login")
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="n" * 32)
    app.get("/me")(who)
    assert TestClient(app, cookies=dict(first.cookies)).get("/me").json() == "guest"


def test_auth_protect_docs__each_mounted_app_brings_its_own_docs() -> None:
    app = FastAPI(openapi_url=None)
    app.mount("/sub", FastAPI())
    app.mount("/quiet", FastAPI(openapi_url=None))
    client = TestClient(app)
    paths = ("/docs", "/sub/docs", "/sub/openapi.json", "/quiet/docs")
    codes = [client.get(path).status_code for path in paths]
    assert codes == [404, 200, 200, 404]


def test_auth_protect_docs__scripts_come_from_a_cdn_unless_you_pass_urls() -> None:
    app = FastAPI()
    assert "https://cdn." in TestClient(app).get("/docs").text
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Own",
        swagger_js_url="/static/ui.js",
        swagger_css_url="/static/ui.css",
        swagger_favicon_url="/static/icon.png",
    )
    text = bytes(page.body).decode()
    assert "/static/ui.js" in text and "https://" not in text


def test_auth_missing_credentials_status__bare_401_has_no_challenge() -> None:
    app = FastAPI()

    @app.get("/")
    def read() -> None:
        raise HTTPException(401)

    assert "www-authenticate" not in TestClient(app).get("/").headers
