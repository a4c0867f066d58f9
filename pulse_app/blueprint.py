"""Views of pulse: opened by a service token, and answered from the database."""

from collections.abc import Callable
from typing import Any

from flask import Response, g

from api_contract import blueprint
from api_contract.blueprint import Security
from api_contract.idempotency import KeyUse
from api_contract.scopes import Scope, Standing, check_enrolled
from pulse_app import auth, idempotency
from pulse_app.openapi import SERVICE_TOKEN


class Blueprint(blueprint.Blueprint):
    """Views behind a service token."""

    SCHEME = SERVICE_TOKEN

    def check(self, needed: Scope | Standing) -> None:
        auth.check(needed)

    def check_enrolled(self) -> None:
        check_enrolled(g.caller)

    def answer_once(self, key: str, use: KeyUse, view: Callable[[], Any]) -> Response:
        return idempotency.answer_once(key, use, view)

    def codes_of(self, security: Security) -> list[str]:
        return ["UNAUTHORIZED", "FORBIDDEN", "DATABASE_ERROR", "SERVICE_UNAVAILABLE"] if security else []
