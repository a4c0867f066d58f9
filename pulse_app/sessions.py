"""Checking passwords for the gateway, which keeps none."""

from pulse_app.api import Blueprint
from pulse_app.auth import require_gateway, require_service_token
from pulse_app.schemas import SESSION, AccountSchema
from pulse_core.domain.errors import Unauthorized
from pulse_core.models import Account
from pulse_core.services import accounts

blueprint = Blueprint("sessions", __name__, url_prefix="/internal/sessions", description="Logging in")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["POST"])
@blueprint.arguments(SESSION)
@blueprint.response(200, AccountSchema)
@blueprint.refuses(
    "INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE",
    "DATABASE_ERROR", "SERVICE_UNAVAILABLE",
)  # fmt: skip
def check_credentials(credentials: dict[str, str]) -> Account:
    """Name the account that a username and password belong to."""
    require_gateway()
    try:
        return accounts.authenticate(credentials["username"], credentials["password"])
    except Unauthorized as refused:
        # The gateway must tell a user's wrong password from a wrong token of its own.
        raise Unauthorized(refused.message, {"reason": "credentials"}) from None
