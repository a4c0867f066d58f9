"""Logins over HTTP, each from an address of its own, so that the failures of one test hold up no other."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.contract.client import Account, Service


def an_address() -> str:
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


@dataclass
class Login:
    """One login through the gateway, with its newest tokens."""

    gapi: Service
    access_token: str
    refresh_token: str
    password: str = field(default="", repr=False)
    address: str = field(default_factory=an_address)

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.gapi.send(method, path, headers=self.gapi.bearer(self.access_token), **options)

    def make_key(self, *scopes: str, **more: Any) -> dict[str, Any]:
        """A key of the account, with its text in `api_key`."""
        body = {"name": "bot", "scopes": list(scopes or ("orders:read",)), "password": self.password, **more}
        answer = self.send("POST", "/api/keys", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def refresh(self, token: str | None = None) -> requests.Response:
        """Exchange the newest refresh token, or another one."""
        body = {"refresh_token": token or self.refresh_token}
        answer = self.gapi.send("POST", "/api/auth/refresh", headers={"X-Forwarded-For": self.address}, json=body)
        if answer.status_code == 200:
            self.access_token, self.refresh_token = (answer.json()[name] for name in ("access_token", "refresh_token"))
        return answer

    def is_believed(self, token: str | None = None) -> bool:
        """Whether the access token, or another one, opens anything."""
        headers = self.gapi.bearer(token or self.access_token)
        return self.gapi.send("GET", "/api/orders", headers=headers).status_code == 200


def try_login(gapi: Service, username: str, password: str, address: str | None = None) -> requests.Response:
    headers = {"X-Forwarded-For": address or an_address()}
    return gapi.send("POST", "/api/auth/login", headers=headers, json={"username": username, "password": password})


def log_in(gapi: Service, account: Account) -> Login:
    answer = try_login(gapi, account.username, account.password)
    assert answer.status_code == 200, answer.text
    return Login(gapi, answer.json()["access_token"], answer.json()["refresh_token"], account.password)
