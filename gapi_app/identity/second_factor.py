"""One's own second factor."""

from typing import Any

from flask import Response, jsonify, request

from api_contract.scopes import Standing
from api_contract.shapes.proof import CONFIRMATION, PROOF, EnrolmentSchema, RecoveryCodesSchema, SecondFactorSchema
from gapi_app.access.auth import access, caller, require_token
from gapi_app.access.revocations import learn_now
from gapi_app.blueprint import Blueprint
from gapi_app.identity.client import identity

_NOT_STORED = {"Cache-Control": "no-store"}

blueprint = Blueprint(
    "second_factor", __name__, url_prefix="/api/auth/second-factor", description="A second factor for logins"
)
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.response(200, SecondFactorSchema)
@blueprint.refuses("NOT_FOUND")
def show_second_factor() -> Response:
    """Whether the account has a second factor, since when, and how many recovery codes are left."""
    return jsonify(identity().second_factor(caller()))


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.arguments(PROOF)
@blueprint.response(201, EnrolmentSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def enrol(given: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Begin with a second factor, or with a new one: its secret for an authenticator app, once.

    It takes the password again, and a code where a second factor is on. It counts once it is confirmed.
    """
    return jsonify(identity().enrol(caller(), given, _address())), 201, _NOT_STORED


@blueprint.route("/confirm", methods=["POST"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.arguments(CONFIRMATION)
@blueprint.response(200, RecoveryCodesSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def confirm_second_factor(given: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Turn the second factor on by a first code. Ends every login, this one too; the answer holds recovery codes."""
    codes = identity().confirm_second_factor(caller(), given, _address())
    learn_now(access().revocations)
    return jsonify(codes), 200, _NOT_STORED


@blueprint.route("/recovery-codes", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.arguments(PROOF)
@blueprint.response(200, RecoveryCodesSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def renew_recovery_codes(given: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """New recovery codes in place of all that were left."""
    return jsonify(identity().renew_recovery_codes(caller(), given, _address())), 200, _NOT_STORED


@blueprint.route("/disable", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.takes_key()
@blueprint.arguments(PROOF)
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def disable_second_factor(given: dict[str, Any]) -> None:
    """Let the password alone be enough again. Ends every login, this one too."""
    identity().disable_second_factor(caller(), given, _address())
    learn_now(access().revocations)


def _address() -> str:
    return request.remote_addr or ""
