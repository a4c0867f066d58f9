"""The second factor of the account that calls."""

from typing import Any

from api_contract.scopes import Standing
from api_contract.shapes.internal import CONFIRMATION, PROOF
from api_contract.shapes.proof import EnrolmentSchema, RecoveryCodesSchema, SecondFactorSchema
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.identity import second_factor
from pulse_core.identity.proof import Proof
from pulse_core.identity.second_factor import Enrolment, SecondFactorReport

blueprint = Blueprint("second_factor", __name__, url_prefix="/internal/second-factor", description="Second factor")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.response(200, SecondFactorSchema)
@blueprint.refuses("NOT_FOUND")
def show_second_factor() -> SecondFactorReport:
    """Whether the account has a second factor, since when, and how many recovery codes are left."""
    return second_factor.report(account_id())


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.arguments(PROOF)
@blueprint.response(201, EnrolmentSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE", "RATE_LIMITED")
def enrol(given: dict[str, Any]) -> Enrolment:
    """Offer a secret to one who knows the password; it counts once it is confirmed."""
    return second_factor.enrol(account_id(), *_shown(given), utcnow())


@blueprint.route("/confirm", methods=["POST"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.arguments(CONFIRMATION)
@blueprint.response(200, RecoveryCodesSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE", "RATE_LIMITED")
def confirm_second_factor(given: dict[str, Any]) -> dict[str, Any]:
    """Turn on the second factor that was offered; ends every login of the account."""
    codes = second_factor.confirm(account_id(), given["totp_code"], given["address"], utcnow())
    return {"recovery_codes": codes}


@blueprint.route("/recovery-codes", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.arguments(PROOF)
@blueprint.response(200, RecoveryCodesSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE", "RATE_LIMITED")
def renew_recovery_codes(given: dict[str, Any]) -> dict[str, Any]:
    """New recovery codes in place of all that were left."""
    return {"recovery_codes": second_factor.renew_recovery_codes(account_id(), *_shown(given), utcnow())}


@blueprint.route("/disable", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.takes_key(aside=["address"])
@blueprint.arguments(PROOF)
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE", "RATE_LIMITED")
def disable_second_factor(given: dict[str, Any]) -> None:
    """Let the password alone be enough again; ends every login of the account."""
    second_factor.disable(account_id(), *_shown(given), utcnow())


def proof_of(given: dict[str, Any]) -> Proof:
    """What a body shows beside a password."""
    return Proof(given.get("totp_code"), given.get("recovery_code"))


def _shown(given: dict[str, Any]) -> tuple[str, Proof, str | None]:
    return given["password"], proof_of(given), given["address"]
