"""One's own API keys."""

from typing import Any

from flask import Response, jsonify, request

from api_contract.scopes import Standing
from api_contract.shapes.api_keys import NEW_KEY, KeyListSchema, KeySchema, MadeKeySchema
from api_contract.shapes.users import PAGE_QUERY
from gapi_app.access.auth import access, caller, require_token
from gapi_app.access.revocations import learn_now
from gapi_app.blueprint import Blueprint
from gapi_app.identity.client import identity

blueprint = Blueprint("keys", __name__, url_prefix="/api/keys", description="API keys, for programs")
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.LOGIN)
@blueprint.arguments(PAGE_QUERY, location="query")
@blueprint.response(200, KeyListSchema)
def list_keys(query: dict[str, Any]) -> Response:
    """The account's keys, newest first, with their last use."""
    return jsonify(identity().keys(caller(), query))


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.arguments(NEW_KEY)
@blueprint.response(201, MadeKeySchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def add_key(new_key: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Make a key with some of the role's scopes. `api_key` is in this answer and nowhere else: keep it.

    It asks for the password again: an unlocked screen or a stolen access token makes no key that outlives it.
    """
    made = identity().add_key(caller(), new_key, request.remote_addr or "")
    return jsonify(made), 201, {"Cache-Control": "no-store"}


@blueprint.route("/<key_id>", methods=["DELETE"])
@blueprint.needs(Standing.LOGIN)
@blueprint.takes_key()
@blueprint.response(200, KeySchema)
@blueprint.refuses("NOT_FOUND")
def revoke_key(key_id: str) -> Response:
    """Revoke a key; repeating it is harmless."""
    revoked = identity().revoke_key(caller(), key_id)
    learn_now(access().revocations)
    return jsonify(revoked)
