"""Setting up a second factor, and taking it off again.

Whatever turns one on or off ends every login of the account, as a new password does; its API keys go on.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.errors import Forbidden, InvalidState, NotFound, PulseError, SecondFactorRequired
from pulse_core import db
from pulse_core.identity import accounts as people
from pulse_core.identity import login_throttle, totp
from pulse_core.identity.login_throttle import Attempt
from pulse_core.identity.proof import Proof, is_required_of, opened, seal, wrong_code
from pulse_core.identity.revocations import end_everything
from pulse_core.identity.store import accounts, audit, second_factors
from pulse_core.identity.tables import Account, SecondFactor

TO_CONFIRM = timedelta(minutes=15)


@dataclass(frozen=True)
class Enrolment:
    """A secret that becomes a second factor once it is confirmed with one of its codes."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)
    qr_rows: list[str] = field(repr=False)
    digits: int
    period_seconds: int
    expires_at: datetime


@dataclass(frozen=True)
class SecondFactorReport:
    """Whether a second factor is on, and whether the account's role asks for one."""

    is_on: bool
    since: datetime | None
    recovery_codes_left: int
    is_required: bool


def report(account_id: str) -> SecondFactorReport:
    """Raises NotFound."""
    with db.transaction() as session:
        account = accounts.get(session, account_id)
        if account is None:
            raise NotFound("there is no such account")
        factor = second_factors.get(session, account_id)
        left = len(factor.recovery_hashes) if factor else 0
        since = account.second_factor_since
        return SecondFactorReport(since is not None, since, left, is_required_of(account.role))


def enrol(account_id: str, password: str, proof: Proof, address: str | None, now: datetime) -> Enrolment:
    """Offer a secret to one who knows the password; where a second factor is on, it stays so until the confirmation.

    Raises Forbidden, RateLimited, NotFound, InvalidState.
    """
    secret = totp.new_secret()
    sealed_secret = seal().sealed(secret, account_id)
    people.confirm(account_id, password, address, now, proof=proof)
    with db.transaction() as session:
        account = _locked(session, account_id)
        second_factors.offer(session, account_id, sealed_secret, now)
        audit.add(session, "second_factor.offered", account_id, account_id, now, address)
        uri = totp.uri(secret, account.username)
    return Enrolment(secret, uri, totp.qr_rows(uri), totp.DIGITS, totp.PERIOD_SECONDS, now + TO_CONFIRM)


def confirm(account_id: str, code: str, address: str | None, now: datetime) -> list[str]:
    """Turn the second factor on that was offered, by one of its codes; its recovery codes, which nobody sees again.

    Raises Forbidden, RateLimited after too many wrong codes, NotFound, InvalidState.
    """
    with db.transaction() as session:
        account = _locked(session, account_id)
        found = _turned_on(session, account, code, Attempt(account.username, address), now)
    if isinstance(found, SecondFactorRequired):
        raise Forbidden(found.message, found.details)
    if isinstance(found, PulseError):
        raise found
    return found


def renew_recovery_codes(account_id: str, password: str, proof: Proof, address: str | None, now: datetime) -> list[str]:
    """New recovery codes in place of all that were left. Raises Forbidden, RateLimited, NotFound, InvalidState."""
    people.confirm(account_id, password, address, now, proof=proof)
    codes = totp.new_recovery_codes()
    with db.transaction() as session:
        account = _locked(session, account_id)
        if account.second_factor_since is None:
            raise InvalidState("there is no second factor")
        second_factors.keep_recovery_codes(session, account_id, _hashes(account_id, codes))
        audit.add(session, "second_factor.codes_renewed", account_id, account_id, now, address)
    return codes


def disable(account_id: str, password: str, proof: Proof, address: str | None, now: datetime) -> None:
    """Let the password alone be enough again; repeating it is harmless.

    Raises Forbidden, RateLimited, NotFound, or InvalidState where the role asks for a second factor.
    """
    if is_required_of(people.account_of(account_id).role):
        raise InvalidState("the role needs a second factor: set up a new one, which takes the place of this one")
    people.confirm(account_id, password, address, now, proof=proof)
    with db.transaction() as session:
        account = _locked(session, account_id)
        if account.second_factor_since is not None:
            _turn_off(session, account, "second_factor.off", account_id, now, address)


def remove(account_id: str, actor: str, now: datetime) -> None:
    """Take off the second factor of somebody who has lost it; repeating it is harmless.

    Raises NotFound, or InvalidState for admins who would take off their own without a code.
    """
    if account_id == actor:
        raise InvalidState("nobody may remove their own second factor here", {"account_id": account_id})
    with db.transaction() as session:
        account = _locked(session, account_id)
        if account.second_factor_since is not None:
            _turn_off(session, account, "second_factor.removed", actor, now)


def _turned_on(
    session: Session, account: Account, code: str, attempt: Attempt, now: datetime
) -> list[str] | PulseError:
    """The recovery codes; or what is to be raised once it is committed that a wrong code was counted."""
    if held_up := login_throttle.block(session, attempt, now):
        return held_up
    factor = second_factors.lock(session, account.id)
    if factor is None or factor.new_secret is None or not _is_offered(factor, now):
        raise InvalidState("there is nothing to confirm: set up a second factor first")
    step = totp.step_of(opened(factor.new_secret, account.id), code, now, None)
    if step is None:
        return wrong_code(session, account, "totp_code", attempt, now)
    codes = totp.new_recovery_codes()
    second_factors.turn_on(session, factor, step, _hashes(account.id, codes))
    accounts.change(session, account, now, second_factor_since=now)
    audit.add(session, "second_factor.on", account.id, account.id, now, attempt.address)
    end_everything(session, account, now)
    return codes


def _is_offered(factor: SecondFactor, now: datetime) -> bool:
    return factor.offered_at is not None and now < factor.offered_at + TO_CONFIRM


def _turn_off(
    session: Session, account: Account, action: str, actor: str, now: datetime, address: str | None = None
) -> None:
    second_factors.turn_off(session, account.id)
    accounts.change(session, account, now, second_factor_since=None)
    audit.add(session, action, actor, account.id, now, address)
    end_everything(session, account, now)


def _hashes(account_id: str, codes: list[str]) -> list[str]:
    return [totp.recovery_hash(account_id, code) for code in codes]


def _locked(session: Session, account_id: str) -> Account:
    account = accounts.lock(session, account_id)
    if account is None:
        raise NotFound("there is no such account")
    return account
