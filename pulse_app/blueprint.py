"""Views of pulse: opened by a service token, and answered from the database."""

from api_contract import blueprint
from api_contract.blueprint import Security
from api_contract.scopes import Scope, Standing
from pulse_app import auth
from pulse_app.openapi import SERVICE_TOKEN


class Blueprint(blueprint.Blueprint):
    """Views behind a service token."""

    SCHEME = SERVICE_TOKEN

    def check(self, needed: Scope | Standing) -> None:
        auth.check(needed)

    def codes_of(self, security: Security) -> list[str]:
        return ["UNAUTHORIZED", "FORBIDDEN", "DATABASE_ERROR", "SERVICE_UNAVAILABLE"] if security else []
