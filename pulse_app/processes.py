"""What gateways say of themselves: they reach no database."""

from typing import Any

from api_contract.scopes import Standing
from api_contract.shapes.internal import SIGN_OF_LIFE
from pulse_app.auth import require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.health.signs import Sign, note_sign
from pulse_core.health.vocabulary import ProcessKind

blueprint = Blueprint("processes", __name__, url_prefix="/internal/processes", description="Who lives")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(SIGN_OF_LIFE)
@blueprint.response(204)
def report_process(given: dict[str, Any]) -> None:
    """Note that a process of the gateway lives, or that it ends; repeating it is harmless."""
    note_sign(ProcessKind.GAPI, Sign(**given))
