"""Who makes a call: an account of a role, the gateway, a sibling service, or nobody who may."""

import secrets
from dataclasses import dataclass
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from api_contract.scopes import Role
from tests.contract.client import Account, Service, body_of
from tests.contract.conftest import make_account
from tests.contract.siblings import sibling_token
from tests.support.service_token import service_token

ROLES = {
    "orders:read": tuple(Role),
    "events:read": tuple(Role),
    "webhooks:write": tuple(Role),
    "account": tuple(Role),
    "login": tuple(Role),
    "orders:write": (Role.TRADER, Role.OPERATOR),
    "slices:operate": (Role.OPERATOR,),
    "oversight": (Role.OPERATOR, Role.ADMIN),
    "halting": (Role.TRADER, Role.OPERATOR, Role.ADMIN),
    "staff": (Role.OPERATOR, Role.ADMIN),
    "admin": (Role.ADMIN,),
}
GATEWAY = Account("gapi", "gapi", "", "gapi")


@dataclass(frozen=True)
class Caller(AuthBase):
    """Signs requests to a service; `standing` tells whether the call may go through."""

    service: Service
    account: Account
    needed: str | None
    standing: str = "allowed"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self.needed is not None and self.standing != "nobody":
            request.headers["Authorization"] = f"Bearer {self._token(request)}"
        return request

    def _token(self, request: PreparedRequest) -> str:
        path, body = request.path_url, body_of(request)
        if self.standing == "forged":
            return self.service.token(self.account, request.method or "", path, body, exp=1, iat=0)
        if self.service.name == "pulse":
            return service_token(
                self.service.key, self.account.account_id, self.account.role, request.method or "", path, body
            )
        if self.needed == "service":
            return sibling_token(path, body)
        return self.service.token(self.account, sid=f"ses_{secrets.token_hex(8)}")


def caller(service: Service, needed: str | None, turn: int) -> Caller:
    """A caller with an account of its own; of eight turns one is nobody's, one has a bad token, one a wrong role."""
    if needed in (None, "service", "gateway"):
        account = GATEWAY if needed == "gateway" else make_account()
        standings = {0: "nobody", 1: "forged"}
        return Caller(service, account, needed, standings.get(turn % 8, "allowed"))
    allowed = ROLES[str(needed)]
    others = [role for role in Role if role not in allowed]
    if turn % 8 == 2 and others:
        return Caller(service, make_account(others[turn // 8 % len(others)]), needed, "forbidden")
    account = make_account(allowed[turn // 8 % len(allowed)])
    return Caller(service, account, needed, {0: "nobody", 1: "forged"}.get(turn % 8, "allowed"))


def expected_refusal(caller: Caller, operation: dict[str, Any]) -> int | None:
    """The status that a caller must get who may not call, None for one who may."""
    if operation["security"] == []:
        return None
    return {"nobody": 401, "forged": 401, "forbidden": 403}.get(caller.standing)
