"""Who calls, and how much of everything is allowed."""

from typing import Any, cast

from flask import Response, current_app, g, jsonify
from limits import parse

from api_contract.policy_rules import CatchUpPolicy
from api_contract.scopes import SCOPES, Scope, Standing
from api_contract.shapes.installation import MARKET_QUERY, InstallationSchema, MarketSchema
from api_contract.shapes.logins import MeSchema
from api_contract.shapes.policies import NEW_POLICY, AccountPolicySchema
from api_contract.shapes.risk import LIMITS_QUERY, AccountLimitsSchema
from gapi_app.access.auth import caller, require_token
from gapi_app.access.tokens import Identity
from gapi_app.blueprint import Blueprint
from gapi_app.config import Settings
from gapi_app.guard.limits import OFF, stricter
from gapi_app.identity.client import identity
from gapi_app.upstream import pulse

SETTINGS = "SETTINGS"

blueprint = Blueprint("me", __name__, url_prefix="/api", description="Who calls, and what is served here")
blueprint.before_request(require_token)


@blueprint.route("/me", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT, before_enrolment=True)
@blueprint.response(200, MeSchema)
@blueprint.refuses("NOT_FOUND")
def show_me() -> Response:
    """Whom the token speaks for, what it may do and how often, and when the login ends."""
    who = caller()
    scopes = sorted(SCOPES[who.role] & who.scopes)
    return jsonify(identity().me(who) | {"scopes": scopes, "key_id": who.key_id, "limits": _limits()})


@blueprint.route("/installation", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.response(200, InstallationSchema)
def show_installation() -> Response:
    """The broker, paper or live, what can be traded there, and the limits of an order."""
    return jsonify(pulse().installation(caller()))


@blueprint.route("/limits", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(LIMITS_QUERY, location="query")
@blueprint.response(200, AccountLimitsSchema)
@blueprint.refuses("NOT_FOUND")
def show_limits(query: dict[str, str]) -> Response:
    """What you may do at most with a broker account, and what of that is left."""
    return jsonify(pulse().limits(caller(), query))


@blueprint.route("/policy", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def show_policy() -> Response:
    """How your orders catch up that do not state it."""
    return jsonify(pulse().policy(caller()))


@blueprint.route("/policy", methods=["PUT"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.takes_key()
@blueprint.arguments(NEW_POLICY)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def set_policy(stated: CatchUpPolicy) -> Response:
    """Set all of that in place of what held before: what is left out is as for all again.

    Written down with what held before. Orders that were accepted keep theirs. Repeating it is harmless.
    """
    return jsonify(pulse().set_policy(caller(), NEW_POLICY.dump(stated)))


@blueprint.route("/markets/<exchange>", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(MARKET_QUERY, location="query")
@blueprint.response(200, MarketSchema)
@blueprint.refuses("NOT_FOUND", "BEYOND_CALENDAR")
def show_market(query: dict[str, str], exchange: str) -> Response:
    """The hours of an exchange on one day, and its next session."""
    return jsonify(pulse().market(caller(), exchange, query))


def _limits() -> dict[str, Any]:
    settings, own = cast("Settings", current_app.config[SETTINGS]), cast("Identity", g.identity).requests_per_minute
    requests = settings.pulse_rate_limit_account if own is None else f"{own}/minute"
    return {
        "requests": _shown(requests),
        "new_orders": _shown(stricter(settings.pulse_rate_limit_orders, own)),
        "event_streams": settings.pulse_streams_per_account,
    }


def _shown(limit: str) -> dict[str, int] | None:
    if limit == OFF:
        return None
    parsed = parse(limit)
    return {"limit": parsed.amount, "window_seconds": parsed.get_expiry()}
