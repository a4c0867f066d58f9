"""What this installation trades, where, and within which limits."""

from api_contract.policy_rules import CatchUpPolicy
from api_contract.scopes import Scope, Standing
from api_contract.shapes.installation import MARKET_QUERY, InstallationSchema, MarketSchema
from api_contract.shapes.policies import NEW_POLICY, AccountPolicySchema
from api_contract.shapes.risk import LIMITS_QUERY, AccountLimitsSchema
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core import account_limits
from pulse_core.about import InstallationReport, installation_report
from pulse_core.account_limits import AccountLimits
from pulse_core.clock import utcnow
from pulse_core.markets import queries
from pulse_core.markets.queries import MarketReport
from pulse_core.policies import setting as policies
from pulse_core.policies.setting import AccountPolicy

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


@blueprint.route("/policy", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def show_policy() -> AccountPolicy:
    """How the caller's orders catch up that do not state it."""
    return policies.policy_of(account_id())


@blueprint.route("/policy", methods=["PUT"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_key()
@blueprint.arguments(NEW_POLICY)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def set_policy(stated: CatchUpPolicy) -> AccountPolicy:
    """Set all of that in place of what held before; written down with both. Repeating it is harmless."""
    return policies.set_policy(account_id(), stated, account_id(), utcnow())


@blueprint.route("/markets/<exchange>", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(MARKET_QUERY, location="query")
@blueprint.response(200, MarketSchema)
@blueprint.refuses("NOT_FOUND", "BEYOND_CALENDAR")
def show_market(query: dict[str, str], exchange: str) -> MarketReport:
    """The hours of an exchange on one day, and its next session."""
    return queries.market_report(exchange, query.get("day"), utcnow())
