"""What this installation trades, where, and within which limits."""

from api_contract.scopes import Standing
from api_contract.shapes.installation import MARKET_QUERY, InstallationSchema, MarketSchema
from api_contract.shapes.risk import LIMITS_QUERY, AccountLimitsSchema
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core import account_limits
from pulse_core.about import InstallationReport, installation_report
from pulse_core.account_limits import AccountLimits
from pulse_core.clock import utcnow
from pulse_core.markets import queries
from pulse_core.markets.queries import MarketReport

blueprint = Blueprint("installation", __name__, url_prefix="/internal", description="What is served here")
blueprint.before_request(require_service_token)


@blueprint.route("/installation", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.response(200, InstallationSchema)
def show_installation() -> InstallationReport:
    """The broker, what can be traded there, and the limits of an order."""
    return installation_report()


@blueprint.route("/limits", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(LIMITS_QUERY, location="query")
@blueprint.response(200, AccountLimitsSchema)
@blueprint.refuses("NOT_FOUND")
def show_limits(query: dict[str, str]) -> AccountLimits:
    """What the caller may do at most with a broker account, and what of that is left."""
    return account_limits.limits_report(account_id(), query.get("broker_account"), utcnow())


@blueprint.route("/markets/<exchange>", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(MARKET_QUERY, location="query")
@blueprint.response(200, MarketSchema)
@blueprint.refuses("NOT_FOUND", "BEYOND_CALENDAR")
def show_market(query: dict[str, str], exchange: str) -> MarketReport:
    """The hours of an exchange on one day, and its next session."""
    return queries.market_report(exchange, query.get("day"), utcnow())
