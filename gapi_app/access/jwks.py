"""The public keys that access tokens are verified with."""

from flask import Response, jsonify

from api_contract.shapes.tokens import JwksSchema
from gapi_app.access.auth import access
from gapi_app.blueprint import Blueprint

blueprint = Blueprint(
    "jwks", __name__, url_prefix="/.well-known", description="Keys of access tokens", is_limited=False
)


@blueprint.route("/jwks.json", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, JwksSchema)
def public_keys() -> tuple[Response, int, dict[str, str]]:
    """The keys as a JWK Set, the retiring one too; never a key that could sign."""
    return jsonify(access().tokens.keys.public_jwks()), 200, {"Cache-Control": "public, max-age=300"}
