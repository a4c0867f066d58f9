"""The second factor of a login: what proves it, and whose role asks for one."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.errors import InvalidState, PulseError, SecondFactorRequired
from api_contract.log import get_logger
from api_contract.scopes import Role
from pulse_core.config import keys_of, settings
from pulse_core.identity import login_throttle, totp
from pulse_core.identity.login_throttle import Attempt
from pulse_core.identity.store import audit, second_factors
from pulse_core.identity.tables import Account, SecondFactor
from pulse_core.sealing import Seal, Unreadable

log = get_logger(__name__)


@dataclass(frozen=True)
class Proof:
    """What somebody shows beside a password: the code of an app, a recovery code, or neither."""

    totp_code: str | None = field(default=None, repr=False)
    recovery_code: str | None = field(default=None, repr=False)


NO_PROOF = Proof()


def is_required_of(role: Role) -> bool:
    """Whether this role may do nothing without a second factor."""
    return role in (settings().pulse_second_factor_for or ())


def must_enrol(role: Role, second_factor_since: datetime | None) -> bool:
    """Whether a login of this role may only set up its second factor, as there is none."""
    return second_factor_since is None and is_required_of(role)


def seal() -> Seal:
    """What seals the secrets."""
    return Seal(keys_of("totp"), "secrets of second factors")


def opened(sealed_secret: str, account_id: str) -> str:
    """A secret that was sealed. Raises InvalidState without the key that it was sealed with."""
    try:
        return seal().opened(sealed_secret, account_id)
    except Unreadable:
        log.error("secret of a second factor cannot be opened", account_id=account_id)
        raise InvalidState("the second factor was sealed with another PULSE_TOTP_KEY") from None


def refusal(session: Session, account: Account, proof: Proof, attempt: Attempt, now: datetime) -> PulseError | None:
    """Why a locked account's second factor is not proved; None when it is, or is off. A code is used up by it.

    SecondFactorRequired, or RateLimited after too many wrong codes. Returned, not raised: the transaction must be
    committed, as a wrong code was counted in it. Who guesses many codes at once waits here for one after the other.
    Raises InvalidState.
    """
    if account.second_factor_since is None:
        return None
    if proof == NO_PROOF:
        return SecondFactorRequired("this takes a code of the second factor too", {"field": "totp_code"})
    if held_up := login_throttle.block(session, attempt, now):
        return held_up
    factor = second_factors.lock(session, account.id)
    assert factor is not None  # noqa: S101
    given = "totp_code" if proof.recovery_code is None else "recovery_code"
    if _is_recovery_code(session, factor, proof, now) or _is_code(session, factor, proof, now):
        return None
    return wrong_code(session, account, given, attempt, now)


def wrong_code(session: Session, account: Account, given: str, attempt: Attempt, now: datetime) -> SecondFactorRequired:
    """Count a wrong code, as a wrong password is counted."""
    login_throttle.note_failure(session, attempt, account.id, now)
    return SecondFactorRequired(f"{given} is not right, or was used before", {"field": given})


def _is_code(session: Session, factor: SecondFactor, proof: Proof, now: datetime) -> bool:
    if proof.totp_code is None or factor.secret is None:
        return False
    secret = opened(factor.secret, factor.account_id)
    step = totp.step_of(secret, proof.totp_code, now, factor.used_step)
    if step is None:
        return False
    second_factors.use_step(session, factor.account_id, step)
    return True


def _is_recovery_code(session: Session, factor: SecondFactor, proof: Proof, now: datetime) -> bool:
    if proof.recovery_code is None:
        return False
    given, who = totp.recovery_hash(factor.account_id, proof.recovery_code), factor.account_id
    left = [one for one in factor.recovery_hashes if one != given]
    if len(left) == len(factor.recovery_hashes):
        return False
    second_factors.keep_recovery_codes(session, who, left)
    audit.add(session, "second_factor.recovery_code_used", who, who, now, left=len(left))
    return True
