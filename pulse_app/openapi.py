"""The OpenAPI document of pulse."""

from api_contract.openapi import Specification
from api_contract.shapes import internal
from api_contract.shapes.examples import EXAMPLES
from pulse_app.refusals import REFUSALS

SERVICE_TOKEN = "serviceToken"  # noqa: S105  the name of a scheme
_NEEDS = (
    "Made by the gateway for the one request, and for an account or for itself. Each operation names what it needs: a"
    " scope that the account's role has, and its API key too; `login`: no API key; `admin`: an admin without an API"
    " key; `staff`: an operator or admin without one; `oversight`: an operator or admin with `events:read`; `gateway`:"
    " the gateway on its own behalf; `account`: any account."
)

SPECIFICATION = Specification(
    description="Orders of all accounts, for the gateway only.",
    schemes={SERVICE_TOKEN: _NEEDS},
    refusals=REFUSALS,
    examples=EXAMPLES | internal.EXAMPLES,
)
