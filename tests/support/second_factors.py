"""Accounts with a second factor, and the phones that show its codes."""

from dataclasses import dataclass, field
from datetime import datetime

from pulse_core import db
from pulse_core.identity import totp
from pulse_core.identity.proof import Proof, seal
from pulse_core.identity.store import accounts, second_factors


@dataclass(frozen=True)
class Phone:
    """`recovery_codes` are kept beside it."""

    secret: str
    recovery_codes: list[str] = field(default_factory=list)

    def code(self, now: datetime, ahead: int = 0) -> str:
        """What it shows so many periods from now."""
        return totp.code_of(self.secret, totp.step_at(now) + ahead)

    def wrong_code(self, now: datetime) -> str:
        near = {self.code(now, ahead) for ahead in range(-3, 4)}
        return next(text for text in (f"{number:06}" for number in range(10)) if text not in near)

    def proof(self, now: datetime, ahead: int = 0) -> Proof:
        return Proof(totp_code=self.code(now, ahead))


def a_phone(account_id: str, now: datetime) -> Phone:
    """A second factor that is on since now, with all its codes unused; the account's logins go on."""
    phone = Phone(totp.new_secret(), totp.new_recovery_codes())
    hashes = [totp.recovery_hash(account_id, code) for code in phone.recovery_codes]
    with db.transaction() as session:
        account = accounts.lock(session, account_id)
        second_factors.offer(session, account_id, seal().sealed(phone.secret, account_id), now)
        factor = second_factors.lock(session, account_id)
        assert account is not None
        assert factor is not None
        second_factors.turn_on(session, factor, totp.step_at(now) - 3, hashes)
        accounts.change(session, account, now, second_factor_since=now)
    return phone
