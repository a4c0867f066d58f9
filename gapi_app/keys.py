"""One's own API keys."""

from typing import Any

from flask import Response, jsonify

from gapi_app.api import Blueprint
from gapi_app.auth import access, person, require_token
from gapi_app.identity_client import identity
from gapi_app.identity_schemas import NEW_KEY, PAGE_QUERY, KeyListSchema, KeySchema, MadeKeySchema
from gapi_app.revocations import learn_now

_ALWAYS = ("UNAUTHORIZED", "FORBIDDEN", "UPSTREAM_ERROR", "SERVICE_UNAVAILABLE", "UPSTREAM_TIMEOUT")

blueprint = Blueprint("keys", __name__, url_prefix="/api/keys", description="API keys, for programs")
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.arguments(PAGE_QUERY, location="query")
@blueprint.response(200, KeyListSchema)
@blueprint.refuses("INVALID_REQUEST", *_ALWAYS)
def list_keys(query: dict[str, Any]) -> Response:
    """The account's keys, newest first, with their last use."""
    return jsonify(identity().keys(person(), query))


@blueprint.route("", methods=["POST"])
@blueprint.arguments(NEW_KEY)
@blueprint.response(201, MadeKeySchema)
@blueprint.refuses(
    "INVALID_REQUEST", "NOT_FOUND", "INVALID_STATE", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", *_ALWAYS
)
def add_key(new_key: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Make a key with some of the role's scopes. `api_key` is in this answer and nowhere else: keep it."""
    return jsonify(identity().add_key(person(), new_key)), 201, {"Cache-Control": "no-store"}


@blueprint.route("/<key_id>", methods=["DELETE"])
@blueprint.response(200, KeySchema)
@blueprint.refuses("NOT_FOUND", *_ALWAYS)
def revoke_key(key_id: str) -> Response:
    """Revoke a key; repeating it is harmless."""
    revoked = identity().revoke_key(person(), key_id)
    learn_now(access().revocations)
    return jsonify(revoked)
