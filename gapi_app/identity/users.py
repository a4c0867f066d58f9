"""Users and keys of everybody, for admins who have logged in."""

from typing import Any

from flask import Response, jsonify

from api_contract.policy_rules import CatchUpPolicy
from api_contract.preconditions import ETAG
from api_contract.risk_rules import RiskLimits
from api_contract.scopes import Standing
from api_contract.shapes.api_keys import KEY_QUERY, KeyListSchema, KeySchema
from api_contract.shapes.policies import NEW_POLICY, AccountPolicySchema
from api_contract.shapes.risk import LIMITS_QUERY, NEW_RISK_LIMITS, AccountLimitsSchema
from api_contract.shapes.users import (
    LOGOUT_QUERY,
    NEW_USER,
    OFFBOARD,
    PAGE_QUERY,
    USER_CHANGE,
    OffboardedSchema,
    UserListSchema,
    UserSchema,
)
from gapi_app.access.auth import access, caller, require_token
from gapi_app.access.revocations import learn_now
from gapi_app.blueprint import Blueprint
from gapi_app.identity.client import identity

blueprint = Blueprint("admin", __name__, url_prefix="/api/admin", description="Users and keys, for admins")
blueprint.before_request(require_token)


@blueprint.route("/users", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(PAGE_QUERY, location="query")
@blueprint.response(200, UserListSchema)
def list_users(query: dict[str, Any]) -> Response:
    """Users by name, a page at a time."""
    return jsonify(identity().users(caller(), query))


@blueprint.route("/users", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(NEW_USER)
@blueprint.response(201, UserSchema)
@blueprint.refuses("INVALID_STATE")
def add_user(new_user: dict[str, Any]) -> tuple[Response, int]:
    """Make a user."""
    return jsonify(identity().add_user(caller(), new_user)), 201


@blueprint.route("/users/<account_id>", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, UserSchema)
@blueprint.refuses("NOT_FOUND")
def show_user(account_id: str) -> Response:
    """One user."""
    return jsonify(identity().user(caller(), account_id))


@blueprint.route("/users/<account_id>", methods=["PATCH"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(USER_CHANGE)
@blueprint.response(200, UserSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def change_user(changes: dict[str, Any], account_id: str) -> Response:
    """Change role, password, limit or whether a user is active. All but a limit ends their logins; orders go on."""
    changed = identity().change_user(caller(), account_id, changes)
    access().holders.forget()
    learn_now(access().revocations)
    return jsonify(changed)


@blueprint.route("/users/<account_id>/limits", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(LIMITS_QUERY, location="query")
@blueprint.response(200, AccountLimitsSchema)
@blueprint.refuses("NOT_FOUND")
def show_user_limits(query: dict[str, str], account_id: str) -> Response:
    """What a user may do at most with a broker account, and what of that is left."""
    return jsonify(identity().user_limits(caller(), account_id, query))


@blueprint.route("/users/<account_id>/limits", methods=["PUT"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(NEW_RISK_LIMITS)
@blueprint.response(200, AccountLimitsSchema)
@blueprint.refuses("NOT_FOUND")
def set_user_limits(stated: RiskLimits, account_id: str) -> Response:
    """Set all limits of a user in place of those before: one that is left out is the installation's again.

    Written down with what held before. Repeating it is harmless.
    """
    return jsonify(identity().set_user_limits(caller(), account_id, NEW_RISK_LIMITS.dump(stated)))


@blueprint.route("/users/<account_id>/policy", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def show_user_policy(account_id: str) -> Response:
    """How a user's orders catch up that do not state it."""
    return jsonify(identity().user_policy(caller(), account_id))


@blueprint.route("/users/<account_id>/policy", methods=["PUT"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(NEW_POLICY)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def set_user_policy(stated: CatchUpPolicy, account_id: str) -> Response:
    """Set all of that in place of what held before: what is left out is as for all again.

    Written down with what held before. Orders that were accepted keep theirs. Repeating it is harmless.
    """
    return jsonify(identity().set_user_policy(caller(), account_id, NEW_POLICY.dump(stated)))


@blueprint.route("/users/<account_id>/logout", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(LOGOUT_QUERY, location="query")
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def log_user_out(query: dict[str, str], account_id: str) -> None:
    """End every login of a user. API keys stay unless `revoke_keys=true`."""
    identity().log_user_out(caller(), account_id, query)
    learn_now(access().revocations)


@blueprint.route("/users/<account_id>/second-factor", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def remove_second_factor(account_id: str) -> None:
    """Remove the second factor of a user who has lost it. Ends their logins; repeating it is harmless."""
    identity().remove_second_factor(caller(), account_id)
    learn_now(access().revocations)


@blueprint.route("/users/<account_id>/offboard", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(OFFBOARD)
@blueprint.response(200, OffboardedSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def offboard_user(wish: dict[str, Any], account_id: str) -> Response:
    """Disable a user who leaves: logins, API keys, streams and webhooks end, and open orders do as is said.

    Repeating it is harmless, and needed while `orders_left` is not 0.
    """
    answer = identity().offboard(caller(), account_id, wish)
    access().holders.forget()
    learn_now(access().revocations)
    return jsonify(answer)


@blueprint.route("/keys", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(KEY_QUERY, location="query")
@blueprint.response(200, KeyListSchema)
def list_all_keys(query: dict[str, Any]) -> Response:
    """Everybody's keys, or those of one account, newest first."""
    return jsonify(identity().all_keys(caller(), query))


@blueprint.route("/keys/<key_id>", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(200, KeySchema)
@blueprint.refuses("NOT_FOUND")
def revoke_any_key(key_id: str) -> Response:
    """Revoke anybody's key; repeating it is harmless."""
    revoked = identity().revoke_any_key(caller(), key_id)
    learn_now(access().revocations)
    return jsonify(revoked)
