"""Claims of OAuth2 and JWT that no block on the page shows."""

import json
import secrets
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Annotated, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import Depends, FastAPI, Form
from fastapi.security import OAuth2PasswordRequestForm, OAuth2PasswordRequestFormStrict
from fastapi.testclient import TestClient
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from jwt.utils import base64url_decode
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

KEY = secrets.token_bytes(32)


def decode(claims: dict[str, Any], **options: Any) -> Any:
    token = jwt.encode(claims, KEY, algorithm="HS256")
    return jwt.decode(token, KEY, algorithms=["HS256"], **options)


@contextmanager
def provider(body: bytes) -> Generator[str]:
    """Answer every request on loopback with 200 and this body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def published(*kids: str | None) -> bytes:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    key = OKPAlgorithm.to_jwk(public, as_dict=True)
    keys = [key | ({"kid": kid} if kid else {}) for kid in kids]
    return json.dumps({"keys": keys}).encode()


def test_jwt_what_is_in_it__verify_exp_can_be_asked_for_without_a_signature() -> None:
    token = jwt.encode({"exp": 1}, KEY)
    options: Any = {"verify_signature": False}
    assert jwt.decode(token, options=options) == {"exp": 1}
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, options=options | {"verify_exp": True})


def test_jwt_what_is_in_it__a_jwe_of_five_parts_is_not_implemented() -> None:
    with pytest.raises(jwt.DecodeError):
        jwt.decode("e30.a.b.c.d", KEY, algorithms=["HS256"])


def test_jwt_login_flow__what_the_two_form_classes_check() -> None:
    app = FastAPI()
    app.post("/lax", dependencies=[Depends(OAuth2PasswordRequestForm)])(lambda: None)
    strict = Depends(OAuth2PasswordRequestFormStrict)
    app.post("/strict", dependencies=[strict])(lambda: None)
    client = TestClient(app)
    data = {"username": "ada", "password": "x", "client_secret": "made up"}
    grants: list[dict[str, str]] = [{}, {"grant_type": "password"}, {"grant_type": "x"}]
    for path, expected in (("/lax", [200, 200, 422]), ("/strict", [422, 200, 422])):
        sent = [client.post(path, data=data | grant) for grant in grants]
        assert [answer.status_code for answer in sent] == expected


def test_jwt_login_flow__without_python_multipart_the_app_fails_at_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    monkeypatch.setitem(sys.modules, "multipart", None)

    def login(name: Annotated[str, Form()]) -> None: ...

    with pytest.raises(RuntimeError):
        FastAPI().post("/token")(login)


def test_jwt_password_hashing__unknown_hash_raises() -> None:
    hasher = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=1024)])
    for stored in ("", "!", "$1$salt$digest"):
        with pytest.raises(UnknownHashError):
            hasher.verify("violet lamp", stored)


def test_jwt_hash_cost__verify_and_update_moves_users_to_a_lower_cost_too() -> None:
    cheap = PasswordHash([Argon2Hasher(memory_cost=19456, time_cost=2, parallelism=1)])
    dearer = PasswordHash([Argon2Hasher(memory_cost=24576, time_cost=3)])
    strong = dearer.hash("violet lamp")
    valid, moved = cheap.verify_and_update("violet lamp", strong)
    assert valid and moved and "m=19456,t=2,p=1" in moved


def test_jwt_pin_algorithms__a_pyjwk_refuses_a_token_of_another_algorithm() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    data = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    key = jwt.PyJWK(data, algorithm="ES256")
    token = jwt.encode({"sub": "7"}, private, algorithm="ES256")
    assert jwt.decode(token, key, algorithms=["ES256"])["sub"] == "7"
    other = jwt.encode({"sub": "7"}, KEY, algorithm="HS256")
    with pytest.raises(jwt.InvalidAlgorithmError):
        jwt.decode(other, key, algorithms=["ES256", "HS256"])


def test_jwt_required_claims__iat_in_the_future_is_refused() -> None:
    now = int(time.time())
    with pytest.raises(jwt.ImmatureSignatureError):
        decode({"sub": "7", "iat": now + 600})
    assert decode({"sub": "7", "iat": now + 30}, leeway=60)["sub"] == "7"


def test_jwt_required_claims__aud_list_needs_one_match_strict_aud_a_string() -> None:
    claims = {"sub": "7", "aud": ["billing", "sensors"]}
    assert decode(claims, audience="sensors") == claims
    with pytest.raises(jwt.InvalidAudienceError):
        decode(claims, audience="other")
    strict = {"strict_aud": True}
    with pytest.raises(jwt.InvalidAudienceError):
        decode(claims, audience="sensors", options=strict)
    single = {"sub": "7", "aud": "sensors"}
    assert decode(single, audience="sensors", options=strict) == single


def test_jwt_required_claims__jti_must_be_a_string() -> None:
    with pytest.raises(jwt.exceptions.InvalidJTIError):
        decode({"sub": "7", "jti": 7})


def test_jwt_symmetric_or_asymmetric__length_of_the_signature() -> None:
    keys: dict[str, Any] = {
        "HS256": KEY,
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    sizes = {}
    for algorithm, key in keys.items():
        signature = jwt.encode({}, key, algorithm=algorithm).split(".")[2]
        sizes[algorithm] = len(base64url_decode(signature))
    assert sizes == {"HS256": 32, "RS256": 256, "ES256": 64, "EdDSA": 64}


def test_jwt_jwks_validation__html_page_with_200_is_a_value_error() -> None:
    with provider(b"<html>maintenance</html>") as url:
        client = jwt.PyJWKClient(url, timeout=3)
        with pytest.raises(ValueError) as caught:
            client.get_signing_key("may")
    assert isinstance(caught.value, json.JSONDecodeError)
    assert not isinstance(caught.value, jwt.PyJWTError)


def test_jwt_jwks_validation__an_unknown_kid_is_no_invalid_token_error() -> None:
    with (
        provider(published("may")) as url,
        pytest.raises(jwt.PyJWKClientError) as caught,
    ):
        jwt.PyJWKClient(url, timeout=3).get_signing_key("november")
    assert isinstance(caught.value, jwt.PyJWTError)
    assert not isinstance(caught.value, jwt.InvalidTokenError)
    assert not isinstance(caught.value, jwt.PyJWKClientConnectionError)


def test_jwt_jwks_unknown_kid__a_key_or_a_token_without_kid_finds_nothing() -> None:
    with provider(published(None, "may")) as url:
        client = jwt.PyJWKClient(url, timeout=3)
        assert [key.key_id for key in client.get_signing_keys()] == ["may"]
        token = jwt.encode({"sub": "7"}, KEY)
        with pytest.raises(jwt.PyJWTError):
            client.get_signing_key_from_jwt(token)


def test_jwt_jwks_unknown_kid__cache_keys_keeps_a_revoked_key() -> None:
    class Client(jwt.PyJWKClient):
        current = published("may")

        def fetch_data(self) -> Any:
            data = json.loads(self.current)
            if self.jwk_set_cache:
                self.jwk_set_cache.put(data)
            return data

    for cached in (True, False):
        client = Client("http://unused.example/", cache_keys=cached, lifespan=0.001)
        client.get_signing_key("may")
        client.current = published("november")
        time.sleep(0.01)  # the set has expired
        if cached:
            assert client.get_signing_key("may").key_id == "may"
        else:
            with pytest.raises(jwt.PyJWKClientError):
                client.get_signing_key("may")


def test_jwt_jwks_unknown_kid__defaults_of_the_client() -> None:
    client = jwt.PyJWKClient("http://unused.example/")
    assert (client.timeout, client.cooldown_duration) == (30, 30)
    assert client.jwk_set_cache and client.jwk_set_cache.lifespan == 300
