"""What this installation trades, where, and within which limits."""

from api_contract.scopes import Standing
from api_contract.shapes.installation import InstallationSchema
from pulse_app.auth import require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.about import InstallationReport, installation_report

blueprint = Blueprint("installation", __name__, url_prefix="/internal/installation", description="What is served here")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.response(200, InstallationSchema)
def show_installation() -> InstallationReport:
    """The broker, what can be traded there, and the limits of an order."""
    return installation_report()
