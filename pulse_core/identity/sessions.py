"""Logins: a password once, then refresh tokens, each good for one use, until the login ends."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from ulid import ULID

from api_contract import ids
from api_contract.errors import Unauthorized
from api_contract.vocabulary import RevocationKind
from pulse_core import db
from pulse_core.config import settings
from pulse_core.copies import copy_of
from pulse_core.identity import login_throttle, passwords, revocations
from pulse_core.identity.accounts import AccountReport, authenticate
from pulse_core.identity.login_throttle import Attempt, OnAttack
from pulse_core.identity.proof import NO_PROOF, Proof, must_enrol, refusal
from pulse_core.identity.store import accounts, audit, sessions
from pulse_core.identity.tables import Account, LoginSession
from pulse_core.identity.vocabulary import SessionEnd

LIFETIME = timedelta(hours=12)
# Two tabs of a browser, or an answer that was lost: the same token comes twice within moments.
GRACE = timedelta(seconds=30)


@dataclass(frozen=True)
class Login:
    """Who is logged in, until when, and the one token that keeps the login going."""

    account: AccountReport
    session_id: str
    expires_at: datetime
    refresh_token: str

    @property
    def must_enrol(self) -> bool:
        """Whether it may only set up the second factor that the role asks for."""
        return must_enrol(self.account.role, self.account.second_factor_since)


def log_in(
    username: str,
    password: str,
    address: str | None,
    now: datetime,
    on_attack: OnAttack | None = None,
    proof: Proof = NO_PROOF,
) -> Login:
    """Begin a login; `on_attack` hears of it when one username or one address fails too often.

    Raises Unauthorized, the same way and as slowly for an unknown username, a wrong password and a disabled account,
    whatever the proof; SecondFactorRequired to those alone who have the password, where the proof is missing or wrong;
    RateLimited after too many of these; InvalidState where no code can be checked.
    """
    attempt = Attempt(username, address) if on_attack is None else Attempt(username, address, on_attack)
    # Before anybody waits: who guesses must not take the turns of those who are known where they log in.
    is_known = login_throttle.look(attempt, now)
    with passwords.turn(goes_first=is_known):
        login_throttle.refuse_blocked(attempt, now)
        account = authenticate(username, password, attempt, now)
    with db.transaction() as session:
        current = accounts.lock(session, account.id)
        # A password that was changed while it was checked, or an account disabled, begins nothing.
        if current is None or not current.is_active or current.password_hash != account.password_hash:
            raise Unauthorized("username or password is wrong")
        refused = refusal(session, current, proof, attempt, now)
        if refused is None:
            return _welcome(session, current, attempt, now)
    raise refused


def refresh(refresh_token: str, address: str | None, now: datetime) -> Login:
    """Exchange a refresh token for the next one. Raises Unauthorized.

    The token that was used last may come again for GRACE: its newer one, if nobody has used that, is retired for yet
    another. Any other that was used or retired ends the whole login: either the client or a thief has the newest one,
    and nobody can tell which.
    """
    token_hash = _hash(refresh_token)
    with db.transaction() as session:
        begun = sessions.of_token(session, token_hash)
        account = accounts.get(session, begun.account_id) if begun else None
        login = None
        if begun is not None and account is not None and _goes_on(begun, account, now):
            login = _next(session, begun, account, token_hash, address, now)
    if login is None:
        raise Unauthorized("the refresh token is not valid")
    return login


def end_of_login(account_id: str, session_id: str) -> datetime | None:
    """Until when a login of the account lasts, however often it is refreshed; None when it has ended."""
    with db.transaction() as session:
        return sessions.end_of(session, account_id, session_id)


def log_out(account_id: str, session_id: str, now: datetime) -> None:
    """End one login with all its tokens; repeating it is harmless."""
    with db.transaction() as session:
        if sessions.end(session, account_id, session_id, SessionEnd.LOGOUT, now):
            audit.add(session, "logout", account_id, account_id, now, session_id=session_id)
            revocations.record(session, RevocationKind.SESSION, session_id, now)


def _welcome(session: Session, account: Account, attempt: Attempt, now: datetime) -> Login:
    login_throttle.welcome(session, attempt, account.id, now)
    login = _begin(session, account, now)
    audit.add(session, "login", account.id, account.id, now, attempt.address, session_id=login.session_id)
    sessions.forget_expired(session, now - timedelta(days=settings().retention_login_days))
    return login


def _begin(session: Session, account: Account, now: datetime) -> Login:
    session_id, expires_at = ids.session_id(ULID.from_datetime(now)), now + LIFETIME
    sessions.add(session, session_id, account.id, now, expires_at)
    return Login(copy_of(account, AccountReport), session_id, expires_at, _new_token(session, session_id, now))


def _goes_on(begun: LoginSession, account: Account, now: datetime) -> bool:
    return begun.ended_at is None and begun.expires_at > now and account.is_active


def _next(
    session: Session, begun: LoginSession, account: Account, token_hash: str, address: str | None, now: datetime
) -> Login | None:
    if sessions.use_token(session, token_hash, now) or sessions.retire_successor(
        session, begun.id, token_hash, now - GRACE, now
    ):
        report = copy_of(account, AccountReport)
        return Login(report, begun.id, begun.expires_at, _new_token(session, begun.id, now))
    sessions.end(session, account.id, begun.id, SessionEnd.REUSE, now)
    audit.add(session, "refresh_token.reused", "pulse", account.id, now, address, session_id=begun.id)
    revocations.record(session, RevocationKind.SESSION, begun.id, now)
    return None


def _new_token(session: Session, session_id: str, now: datetime) -> str:
    token = f"rt_{secrets.token_urlsafe(32)}"
    sessions.add_token(session, session_id, _hash(token), now)
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
