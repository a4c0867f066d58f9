"""Logins: a password checked by pulse becomes an access token of ours, and every bad token is a 401."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Flask, Response, current_app
from flask_jwt_extended import JWTManager, create_access_token, get_jwt, verify_jwt_in_request

from gapi_app.api import Blueprint
from gapi_app.config import Settings
from gapi_app.errors import Forbidden, Unauthorized, error_answer
from gapi_app.pulse_client import Caller, pulse
from gapi_app.schemas import LOGIN, AccessTokenSchema

ROLES = frozenset({"viewer", "trader", "operator", "admin"})
TRADING_ROLES = ROLES - {"viewer"}
OPERATING_ROLES = frozenset({"operator"})
_ISSUER, _AUDIENCE = "gapi", "gapi-api"
_TEXTS, _INSTANTS = ("sub", "role", "jti", "type"), ("iat", "exp")

blueprint = Blueprint("auth", __name__, url_prefix="/api/auth", description="Logging in")


@blueprint.route("/login", methods=["POST"])
@blueprint.doc(security=[])
@blueprint.arguments(LOGIN)
@blueprint.response(200, AccessTokenSchema)
@blueprint.refuses(
    "INVALID_REQUEST", "UNAUTHORIZED", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE",
    "UPSTREAM_ERROR", "SERVICE_UNAVAILABLE", "UPSTREAM_TIMEOUT",
)  # fmt: skip
def login(credentials: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Exchange a username and password for an access token."""
    account = pulse().login(credentials["username"], credentials["password"])
    token = create_access_token(account["account_id"], additional_claims={"role": account["role"]})
    lifetime = int(current_app.config["JWT_ACCESS_TOKEN_EXPIRES"].total_seconds())
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}
    return answer, 200, {"Cache-Control": "no-store"}


def caller() -> Caller:
    """The account of this request's access token."""
    claims = get_jwt()
    return Caller(claims["sub"], claims["role"])


def trader() -> Caller:
    """The caller, who must be allowed to trade."""
    who = caller()
    if who.role not in TRADING_ROLES:
        raise Forbidden("this account may look, not trade", {"role": who.role})
    return who


def operator() -> Caller:
    """The caller, who must be allowed to act on the slices of every account."""
    who = caller()
    if who.role not in OPERATING_ROLES:
        raise Forbidden("this needs an operator", {"role": who.role})
    return who


def require_token() -> None:
    """For `before_request`: no view below runs without a valid access token."""
    verify_jwt_in_request()


def issue_and_check_tokens(app: Flask, settings: Settings) -> None:
    """Pin what a token of ours looks like, and answer 401 for any other."""
    app.config.update(
        JWT_SECRET_KEY=settings.pulse_jwt_key.get_secret_value(),
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_ENCODE_ISSUER=_ISSUER,
        JWT_DECODE_ISSUER=_ISSUER,
        JWT_ENCODE_AUDIENCE=_AUDIENCE,
        JWT_DECODE_AUDIENCE=_AUDIENCE,
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=settings.pulse_access_token_lifetime),
        JWT_TOKEN_LOCATION=["headers"],
    )
    manager = JWTManager(app)
    manager.token_verification_loader(_is_ours)
    manager.unauthorized_loader(_refuse_missing)
    manager.expired_token_loader(_refuse_expired)
    # The library would answer some of these with 400 or 422.
    for set_answer in (
        manager.invalid_token_loader,
        manager.needs_fresh_token_loader,
        manager.revoked_token_loader,
        manager.token_verification_failed_loader,
        manager.user_lookup_error_loader,
    ):
        set_answer(_refuse_invalid)


def _is_ours(_header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    if not all(isinstance(claims.get(name), str) for name in _TEXTS):
        return False
    if not all(type(claims.get(name)) is int for name in _INSTANTS):
        return False
    return claims["type"] == "access" and claims["role"] in ROLES


def _refuse_missing(*_reason: object) -> Response:
    return error_answer(Unauthorized("an access token is needed in Authorization: Bearer"))


def _refuse_expired(*_reason: object) -> Response:
    return error_answer(Unauthorized("the access token has expired"))


def _refuse_invalid(*_reason: object) -> Response:
    return error_answer(Unauthorized("the access token is not valid"))
