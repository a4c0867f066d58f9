"""For sibling services: what a user's token says, and the end of tokens. No user's token opens this."""

from typing import Any

from flask import current_app, g, request

from api_contract.bearer import bearer
from api_contract.errors import Forbidden, InvalidRequest, Unauthorized
from api_contract.instants import LEEWAY_SECONDS
from api_contract.service_keys import ServiceRight
from api_contract.service_tokens import check_request
from api_contract.shapes.tokens import INTROSPECT, REVOKE, IntrospectionSchema
from gapi_app import clock
from gapi_app.access.auth import access
from gapi_app.access.service_tokens import read_sibling_token
from gapi_app.access.tokens import AUDIENCE, ISSUER
from gapi_app.blueprint import Blueprint
from gapi_app.identity.client import identity
from gapi_app.openapi import SERVICE_TOKEN

SERVICE_KEYS = "SERVICE_KEYS"
# The right that opens each view, by its name.
_NEEDED = {"introspect": ServiceRight.INTROSPECT, "revoke": ServiceRight.REVOKE}
_BY_SERVICES: list[dict[str, list[str]]] = [{SERVICE_TOKEN: []}]

blueprint = Blueprint(
    "internal", __name__, url_prefix="/internal/tokens", description="For sibling services", is_limited=False
)


@blueprint.before_request
def _require_service_token() -> None:
    if request.method == "OPTIONS":
        return
    signed = read_sibling_token(bearer("a service token"), current_app.config[SERVICE_KEYS])
    check_request(signed.claims, request)
    if not access().used_service_tokens.use(signed.once, signed.claims["exp"] + LEEWAY_SECONDS, clock.now()):
        raise Unauthorized("the service token was used before")
    needed = _NEEDED[str(request.endpoint).rpartition(".")[2]]
    if needed not in signed.rights:
        raise Forbidden("this service may not call this", {"needed": needed})
    g.sibling = signed.issuer


@blueprint.route("/introspect", methods=["POST"])
@blueprint.doc(security=_BY_SERVICES)
@blueprint.arguments(INTROSPECT)
@blueprint.response(200, IntrospectionSchema)
@blueprint.refuses("FORBIDDEN", "RATE_LIMITED")
def introspect(given: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Say whether an access token or API key is good now, and whom it speaks for (RFC 7662)."""
    return _introspection(given["token"]), 200, {"Cache-Control": "no-store"}


@blueprint.route("/revoke", methods=["POST"])
@blueprint.doc(security=_BY_SERVICES)
@blueprint.arguments(REVOKE)
@blueprint.response(204)
@blueprint.refuses("FORBIDDEN", "RATE_LIMITED")
def revoke(given: dict[str, str]) -> None:
    """Revoke the access token with a `jti`, or every login and access token of an `account_id`."""
    if len(given) != 1:
        rule = "give jti or account_id, one of them"
        raise InvalidRequest(rule, {"fields": {"jti": rule, "account_id": rule}})
    identity().revoke(given, g.sibling)
    access().revocations.learn_all_now()


def _introspection(text: str) -> dict[str, Any]:
    try:
        found = access().read(text)
    except Unauthorized:
        return {"active": False}
    who = found.caller
    if who.must_enrol:
        # Good for the set-up of a second factor, and for no service.
        return {"active": False}
    told: dict[str, Any] = {"active": True, "sub": who.account_id, "role": who.role, "jti": found.jti}
    told |= {"scope": " ".join(sorted(who.scopes)), "exp": found.expires_at, "iss": ISSUER, "aud": AUDIENCE}
    if who.key_id is not None:
        bound = {"networks": list(found.networks)} if found.networks else {}
        return told | {"token_type": "api_key"} | bound
    return told | {"token_type": "access_token", "iat": found.issued_at}
