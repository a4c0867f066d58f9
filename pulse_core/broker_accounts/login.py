"""The login of a broker account: a person logs in on the broker's page, Pulse exchanges what comes back.

Nothing of it is kept but the token, sealed. Password and second factor are typed at the broker and nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NoReturn

from api_contract.errors import InvalidRequest, InvalidState, NotFound, ServiceUnavailable
from api_contract.order_rules import BROKER_ACCOUNT
from pulse_core import brokers, db
from pulse_core.broker_accounts import credentials as known
from pulse_core.broker_accounts import directory, vault
from pulse_core.broker_accounts.store import accounts, credentials, states
from pulse_core.broker_accounts.store.credentials import Standing
from pulse_core.broker_accounts.vault import Credentials
from pulse_core.broker_accounts.vocabulary import PAPER, BrokerAccountState
from pulse_core.broker_keys import CREDENTIALS, are_enough
from pulse_core.brokers.port import BrokerError, Login, Refused
from pulse_core.config import PLACEHOLDERS, KeyMissing, settings
from pulse_core.identity.store import audit
from pulse_core.markets.store import broker_calendars
from pulse_core.sealing import Unreadable
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.recheck import release_by_operator
from pulse_core.trading.store import ended_alarms

_LONGEST_TOKEN = 512
_ENDED_BY_A_LOGIN = (AlarmCode.TOKEN_ENDS, AlarmCode.ACCOUNT_HELD)


@dataclass(frozen=True)
class LoginReport:
    """How a broker account stands: who is logged in, and until when, as far as is known."""

    name: str
    broker: str
    is_live: bool
    state: BrokerAccountState
    reason: str | None
    state_since: datetime
    is_logged_in: bool
    broker_user: str | None
    valid_until: datetime | None


def login_reports(name: str | None = None) -> list[LoginReport]:
    """How broker accounts stand, by name, without opening anything. Raises NotFound for one that does not exist."""
    _check_name(name)
    with db.transaction() as session:
        found = credentials.standings(session, name)
    if name is not None and not found:
        raise NotFound(f"there is no broker account {name}")
    return [_report(one) for one in found]


def set_keys(account: str, api_key: str, secret: str, user: str | None, actor: str, now: datetime) -> None:
    """Seal an API key and secret in place of those before.

    Where a person logs in, somebody has to, now; where keys are enough, they are taken once the broker says that they
    are those of the account's user, and change nothing before. The user stays who it was unless another is stated.
    Raises NotFound, InvalidRequest, InvalidState, ServiceUnavailable.
    """
    if PLACEHOLDERS & {api_key.strip().lower(), secret.strip().lower()}:
        raise InvalidRequest("the API key and secret must be the broker's own, not placeholders", {"field": "api_key"})
    _check_name(account)
    there = directory.account_named(account)
    given = Credentials(account, 0, api_key, secret)
    try:
        if there is not None and are_enough(there.broker):
            _take_keys(given, user, actor, now)
        else:
            _await_login(given, user, actor, now)
    except KeyMissing as missing:
        raise InvalidState(str(missing)) from None
    known.forget()


def stated_keys(account: str) -> tuple[str, str]:
    """The API key and secret that the variables of the account's broker state. Raises NotFound, InvalidState."""
    names = CREDENTIALS.get(login_reports(account)[0].broker)
    if names is None:
        raise InvalidState(f"no variables state the keys of {account}")
    api_key, secret = (getattr(settings(), name).get_secret_value() for name in (names.api_key, names.api_secret))
    return api_key, secret


def _await_login(given: Credentials, user: str | None, actor: str, now: datetime) -> None:
    account = given.account
    with db.transaction() as session:
        before = credentials.newest(session, account)
        stated = user or (before.broker_user if before else None)
        version = vault.keep(session, replace(given, broker_user=stated), actor, now)
        awaiting, why = BrokerAccountState.AWAITING_TOKEN, "it has new keys, and nobody is logged in with them"
        states.hold(session, account, awaiting, why, now + states.NOTICED, is_read=False)
        audit.add(session, "broker.keys", actor, account, now, broker_user=stated, version=version)


def _take_keys(given: Credentials, stated: str | None, actor: str, now: datetime) -> None:
    vault.check(given)
    with _alone(given.account):
        with db.transaction() as session:
            before = credentials.newest(session, given.account)
        expected = (before.broker_user if before else None) or stated
        if stated is not None and stated != expected:
            raise InvalidState(f"{given.account} is the account of {expected}", {"expected": expected, "found": stated})
        with _in_words(f"the keys of {given.account} were not taken"):
            found = brokers.identity(given).whoami()
        if expected is not None and found != expected:
            _refuse_user(given.account, expected, found, actor, now, None)
        _keep(replace(given, broker_user=found), actor, now, None)
        _go_on(given.account, actor, now)


def login_address(account: str) -> str:
    """The broker's page on which a person logs in. Raises NotFound, InvalidState."""
    return _page(_given(account)).login_url()


def confirm(account: str, actor: str, now: datetime) -> LoginReport:
    """Ask the broker about keys that are enough by themselves, and let the account go on if it may.

    Raises NotFound, InvalidState, ServiceUnavailable.
    """
    found = check_login(account)
    with db.transaction() as session:
        before = credentials.newest(session, account)
    if before is not None and before.broker_user not in (None, found):
        _refuse_user(account, str(before.broker_user), found, actor, now, None)
    _go_on(account, actor, now)
    return login_reports(account)[0]


def has_page(account: str) -> bool:
    """Whether a person logs the account in on a page of its broker. Raises NotFound."""
    return not are_enough(login_reports(account)[0].broker)


def check_login(account: str) -> str:
    """The user whose token or keys are held, as the broker says. Raises NotFound, InvalidState, ServiceUnavailable."""
    given = _given(account)
    found = brokers.identity(given)
    if given.access_token is None and isinstance(found, Login):
        raise InvalidState(f"nobody is logged in for {account}: pulse broker login {account}")
    with _in_words(f"the broker does not accept the login of {account}"):
        return found.whoami()


def log_in(
    account: str, request_token: str, actor: str, now: datetime, address: str | None = None, user: str | None = None
) -> LoginReport:
    """Exchange a request token, and have every process use what it gives from its next claim on.

    Nothing changes unless the token belongs to the `user` of the account and works. The first login must state who that
    is: what a browser brings may be somebody else's. One login of an account goes on at a time: each ends the token
    before it at the broker, so the last must be the one that counts.
    Raises NotFound, InvalidRequest, InvalidState, ServiceUnavailable.
    """
    if not 1 <= len(request_token) <= _LONGEST_TOKEN or not request_token.isascii() or not request_token.isprintable():
        raise InvalidRequest("request_token is what the broker's page hands out", {"field": "request_token"})
    with _alone(account):
        given = _given(account)
        page = _page(given)
        expected = _expected(given, user)
        with _in_words(f"{account} was not logged in"):
            made = page.redeem(request_token, now)
        if made.user != expected:
            _refuse_user(account, expected, made.user, actor, now, address)
        renewed = replace(given, access_token=made.access_token, broker_user=made.user, valid_until=made.valid_until)
        with _in_words(f"{account} was not logged in: its new token does not work"):
            found = brokers.identity(renewed).whoami()
        if found != expected:
            _refuse_user(account, expected, found, actor, now, address)
        _keep(renewed, actor, now, address)
        _go_on(account, actor, now)
    known.forget()
    return login_reports(account)[0]


def _keep(renewed: Credentials, actor: str, now: datetime, address: str | None) -> None:
    with db.transaction() as session:
        version = vault.keep(session, renewed, actor, now)
        until = renewed.valid_until.isoformat() if renewed.valid_until else None
        told = {"broker_user": renewed.broker_user, "version": version, "valid_until": until}
        audit.add(session, "broker.login", actor, renewed.account, now, address, **told)


def _go_on(account: str, actor: str, now: datetime) -> None:
    """Let what the account's orders have missed go out. Whoever dies before leaves it to the next probe."""
    release_by_operator(account, actor)
    with db.transaction() as session:
        states.note_login(session, account)
        broker_calendars.ask_anew(session, accounts.existing(session, account).broker)
        for code in _ENDED_BY_A_LOGIN:
            ended_alarms.resolve_of_subject(session, code, account, actor, now)


def _expected(given: Credentials, stated: str | None) -> str:
    if given.broker_user is None and stated is None:
        raise InvalidRequest(f"say whose account {given.account} is: the first login needs its user", {"field": "user"})
    if stated is not None and given.broker_user not in (None, stated):
        raise InvalidState(
            f"{given.account} is the account of {given.broker_user}", {"expected": given.broker_user, "found": stated}
        )
    return stated or str(given.broker_user)


def _refuse_user(account: str, expected: str, found: str, actor: str, now: datetime, address: str | None) -> NoReturn:
    with db.transaction() as session:
        audit.add(session, "broker.login_refused", actor, account, now, address, expected=expected, found=found)
    raise InvalidState(
        f"{account} is the account of {expected}, and {found} has logged in: nothing was changed",
        {"expected": expected, "found": found},
    )


def _given(account: str) -> Credentials:
    """What to log in with. Raises NotFound, InvalidState."""
    _check_name(account)
    with db.transaction() as session:
        if not credentials.standings(session, account):
            raise NotFound(f"there is no broker account {account}")
    try:
        given = vault.newest(account) or known.of_environment(account)
    except (KeyMissing, Unreadable) as shut:
        raise InvalidState(f"the credentials of {account} cannot be opened: {known.why_shut(shut)}") from None
    if given is None or (account != PAPER and given.api_secret.strip().lower() in PLACEHOLDERS):
        raise InvalidState(f"{account} has no API key yet: pulse broker keys {account}")
    return given


def _check_name(account: str | None) -> None:
    # It also makes those that are always there. Not every text can be asked of Postgres: a NUL would fail there.
    directory.accounts_known()
    if account is not None and not BROKER_ACCOUNT.fullmatch(account):
        raise NotFound("there is no such broker account")


def _page(given: Credentials) -> Login:
    found = brokers.identity(given)
    if not isinstance(found, Login):
        raise InvalidState(
            f"{given.account} has no login page: its keys are enough (pulse broker keys {given.account})"
        )
    return found


@contextmanager
def _alone(account: str) -> Iterator[None]:
    with db.fence(f"broker login {account}") as fence:
        if fence is None:
            raise InvalidState(f"somebody else is logging {account} in at this moment")
        yield


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """What a broker says, as a refusal of ours."""
    try:
        yield
    except Refused as refused:
        raise InvalidState(f"{what}: {refused.message}", {"broker_code": refused.code}) from None
    except BrokerError as away:
        raise ServiceUnavailable(f"{what}: {away.message}", {"broker_code": away.code}) from None


def _report(standing: Standing) -> LoginReport:
    told = {name: getattr(standing, name) for name in LoginReport.__dataclass_fields__}
    has_keys = standing.version is not None and are_enough(standing.broker)
    return LoginReport(**{**told, "is_logged_in": standing.is_logged_in or has_keys})
