"""A client of either service that checks, on every answer, what the contract says of every answer."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import requests
from jsonschema import Draft202012Validator

import gapi_app
import pulse_app
from tests.support.processes import WATCHED_AT
from tests.support.service_token import service_claims, signed

SANE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
DOCUMENTS = {"gapi": gapi_app.openapi(), "pulse": pulse_app.openapi()}
# Decided before any operation is chosen, so not part of one.
OF_NO_OPERATION = {405}
WATCHED = ("/ready", "/metrics")


@dataclass(frozen=True)
class Account:
    account_id: str
    username: str
    password: str
    role: str


@dataclass(frozen=True)
class Service:
    """One of the two services, with what it takes to call it as an account."""

    name: str
    url: str
    key: str
    log: Path
    http: requests.Session = field(default_factory=requests.Session, compare=False)

    @property
    def orders(self) -> str:
        return "/api/orders" if self.name == "gapi" else "/internal/orders"

    def claims(self, account: Account, method: str = "GET", path: str = "", body: bytes = b"") -> dict[str, Any]:
        """What a token says that is right; one for pulse is for this request alone, else for a listing."""
        if self.name == "pulse":
            return service_claims(account.account_id, account.role, method, path or self.orders, body)
        now = int(time.time())
        common = {"iss": "gapi", "aud": "gapi-api", "sub": account.account_id, "role": account.role, "type": "access"}
        return common | {"sid": "ses_1", "gen": 1, "iat": now, "exp": now + 30, "jti": secrets.token_hex(8)}

    def token(
        self, account: Account, method: str = "GET", path: str = "", body: bytes = b"", /, **overrides: Any
    ) -> str:
        claims = self.claims(account, method, path, body) | overrides
        if self.name == "pulse":
            return signed(self.key, claims)
        return jwt.encode({name: one for name, one in claims.items() if one is not None}, self.key, algorithm="HS256")

    def bearer(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def send(
        self,
        method: str,
        path: str,
        account: Account | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 15,
        **options: Any,
    ) -> requests.Response:
        """Send a request and check its answer against the rules for all answers and the specification."""
        if path in WATCHED:
            # On a port of its own, and no part of the API.
            return requests.request(method, WATCHED_AT[self.url] + path, headers=headers, timeout=timeout)
        prepared = self.http.prepare_request(requests.Request(method, self.url + path, headers=headers, **options))
        if account and "Authorization" not in prepared.headers:
            token = self.token(account, method, prepared.path_url, body_of(prepared))
            prepared.headers["Authorization"] = f"Bearer {token}"
        answer = self.http.send(prepared, timeout=timeout, allow_redirects=False)
        check_answer(answer)
        self._check_documented(method, path.partition("?")[0], answer)
        return answer

    def place(self, account: Account, **fields: Any) -> requests.Response:
        return self.send("POST", self.orders, account, json=new_order(**fields))

    def _check_documented(self, method: str, path: str, answer: requests.Response) -> None:
        document = DOCUMENTS[self.name]
        fitting = [one for one in document["paths"] if re.fullmatch(re.sub("{[^}]+}", "[^/]+", one), path)]
        # As OpenAPI has it: what is written out comes before what has a parameter there.
        template = min(fitting, key=lambda one: one.count("{"), default="")
        operation = document["paths"].get(template, {}).get(method.lower())
        if operation is None or answer.status_code in OF_NO_OPERATION:
            return
        assert str(answer.status_code) in operation["responses"], f"{method} {template}: {answer.status_code}"
        documented = resolved(document, operation["responses"][str(answer.status_code)])
        limits = {name for name in answer.headers if name.startswith("RateLimit-")}
        assert limits <= documented["headers"].keys(), f"{method} {template}: {limits}"
        media = documented.get("content", {})
        media = media.get(answer.headers.get("Content-Type", ""))
        if media and answer.request.method != "HEAD":
            value = answer.json() if answer.headers["Content-Type"] == "application/json" else answer.text
            Draft202012Validator({**document, **media["schema"]}).validate(value)


def resolved(document: Mapping[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or the one that it refers to."""
    for name in part.get("$ref", "#/").split("/")[1:-1]:
        document = document[name]
    return document[part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def body_of(prepared: requests.PreparedRequest) -> bytes:
    """What a token is made for; what is sent in chunks is collected first, and sent in chunks still."""
    body = prepared.body or b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    chunks = list(body)
    prepared.body = iter(chunks)  # type: ignore[assignment]
    return b"".join(chunks)


def check_answer(answer: requests.Response) -> None:
    for name in ("X-Request-Id", "X-Trace-Id"):
        assert SANE_ID.fullmatch(answer.headers.get(name, "")), f"{name}: {answer.headers}"
    if answer.status_code == 429:
        assert int(answer.headers["Retry-After"]) >= 1
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json().keys() == {"error"}
        assert answer.json()["error"].keys() == {"code", "message", "details"}
        for secret in ("Traceback", "SELECT", "psycopg2", "127.0.0.1"):
            assert secret not in answer.text


def new_order(**changes: Any) -> dict[str, Any]:
    """An order that is right, but for the changes; names of `split_config` go there, None leaves a field out."""
    split = {"num_splits": 5, "duration_minutes": 60, "randomize": True}
    order = {
        "order_unique_key": f"key-{secrets.token_hex(8)}",
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": 100,
        "split_config": split,
    }
    for name, value in changes.items():
        (split if name in split else order)[name] = value
    return {name: value for name, value in order.items() if value is not None}


def error_of(answer: requests.Response) -> tuple[int, str, dict[str, Any]]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["details"]
