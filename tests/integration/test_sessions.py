"""Logins that refresh themselves, end, and tell a stolen token; guessing that is held up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Thread

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, text

from api_contract.errors import Forbidden, InvalidState, RateLimited, Unauthorized
from api_contract.scopes import Role
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.identity import login_throttle, passwords, revocations
from pulse_core.identity.accounts import add_account, change_account, change_password
from pulse_core.identity.login_throttle import OnAttack
from pulse_core.identity.sessions import GRACE, log_in, log_out, refresh
from pulse_core.identity.store import login_networks
from pulse_core.login_alarms import raise_login_attack
from tests.support.processes import wait_until
from tests.support.settings import started_with

pytestmark = pytest.mark.usefixtures("clean_database")

PASSWORD, ADDRESS = "correct horse battery", "192.0.2.7"
# In the same /24, and in another one.
NEIGHBOUR, ELSEWHERE = "192.0.2.200", "198.51.100.9"


@pytest.fixture
def asha(clean_database: str) -> str:
    return add_account("asha", PASSWORD, Role.TRADER, utcnow()).id


def guess(username: str = "asha", address: str = ADDRESS, now: datetime | None = None) -> str:
    """What a wrong password is answered with."""
    try:
        log_in(username, "wrong horse battery", address, now or utcnow())
    except (Unauthorized, RateLimited) as refused:
        return refused.code
    raise AssertionError


def rows(query: str) -> list[tuple[object, ...]]:
    with db.transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


@pytest.mark.usefixtures("asha")
def test_each_refresh_token_is_good_once_and_the_login_ends_after_twelve_hours() -> None:
    now = utcnow()
    first = log_in("asha", PASSWORD, ADDRESS, now)
    second = refresh(first.refresh_token, ADDRESS, now + timedelta(hours=6))

    assert second.session_id == first.session_id
    assert second.refresh_token != first.refresh_token
    assert second.expires_at == now + timedelta(hours=12)
    with pytest.raises(Unauthorized):
        refresh(second.refresh_token, ADDRESS, now + timedelta(hours=12))


@pytest.mark.usefixtures("asha")
def test_a_refresh_token_that_comes_again_later_ends_the_whole_login() -> None:
    now = utcnow()
    first = log_in("asha", PASSWORD, ADDRESS, now)
    newest = refresh(first.refresh_token, ADDRESS, now)

    for token in (first.refresh_token, newest.refresh_token):
        with pytest.raises(Unauthorized):
            refresh(token, ADDRESS, now + GRACE)

    assert [(one.kind, one.subject) for one in revocations.news(0, 10).revocations] == [("SESSION", first.session_id)]
    assert rows('SELECT "end" FROM sessions') == [("REUSE",)]


@pytest.mark.usefixtures("asha")
def test_the_token_used_last_may_come_again_for_a_moment_and_retires_the_one_it_gave() -> None:
    now = utcnow()
    first = log_in("asha", PASSWORD, ADDRESS, now)
    retired = refresh(first.refresh_token, ADDRESS, now)

    newest = refresh(first.refresh_token, ADDRESS, now + GRACE - timedelta(seconds=1))

    going_on = refresh(newest.refresh_token, ADDRESS, now + GRACE)
    with pytest.raises(Unauthorized):
        refresh(retired.refresh_token, ADDRESS, now + GRACE)
    with pytest.raises(Unauthorized):
        refresh(going_on.refresh_token, ADDRESS, now + GRACE)


@pytest.mark.usefixtures("asha")
def test_a_token_whose_newer_one_is_in_use_has_no_grace() -> None:
    now = utcnow()
    first = log_in("asha", PASSWORD, ADDRESS, now)
    second = refresh(first.refresh_token, ADDRESS, now)
    refresh(second.refresh_token, ADDRESS, now + timedelta(seconds=1))

    with pytest.raises(Unauthorized):
        refresh(first.refresh_token, ADDRESS, now + timedelta(seconds=2))

    assert rows('SELECT "end" FROM sessions') == [("REUSE",)]


@pytest.mark.usefixtures("asha")
def test_of_many_that_race_with_one_refresh_token_one_is_left_with_a_token_that_works() -> None:
    token = log_in("asha", PASSWORD, ADDRESS, utcnow()).refresh_token

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _number: refresh(token, ADDRESS, utcnow()).refresh_token, range(8)))

    assert len(set(given)) == 8
    assert rows("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL AND retired_at IS NULL") == [(1,)]
    assert rows('SELECT "end" FROM sessions') == [(None,)]


def test_tokens_and_passwords_are_kept_as_hashes_only(asha: str) -> None:
    token = log_in("asha", PASSWORD, ADDRESS, utcnow()).refresh_token
    kept = str(
        [rows(f"SELECT * FROM {table}") for table in ("accounts", "sessions", "refresh_tokens", "audit_entries")]
    )

    assert token not in kept
    assert PASSWORD not in kept
    assert asha in kept


def test_logging_out_ends_one_login_and_no_other(asha: str) -> None:
    here, there = (log_in("asha", PASSWORD, ADDRESS, utcnow()) for _ in range(2))
    log_out(asha, here.session_id, utcnow())
    log_out(asha, here.session_id, utcnow())
    log_out("acc_somebody_else", there.session_id, utcnow())

    refresh(there.refresh_token, ADDRESS, utcnow())
    with pytest.raises(Unauthorized):
        refresh(here.refresh_token, ADDRESS, utcnow())
    assert len(revocations.news(0, 10).revocations) == 1


def test_a_new_password_ends_every_login_and_the_old_one_is_refused(asha: str) -> None:
    login = log_in("asha", PASSWORD, ADDRESS, utcnow())
    with pytest.raises(Forbidden):
        change_password(asha, "wrong horse battery", "a password of hers", ADDRESS, utcnow())
    change_password(asha, PASSWORD, "a password of hers", ADDRESS, utcnow())

    with pytest.raises(Unauthorized):
        refresh(login.refresh_token, ADDRESS, utcnow())
    assert guess() == "UNAUTHORIZED"
    assert log_in("asha", "a password of hers", ADDRESS, utcnow()).account.generation == 2


@pytest.mark.parametrize("change", [{"role": Role.VIEWER}, {"is_active": False}, {"password": "a password of hers"}])
def test_whatever_changes_in_an_account_ends_its_logins(asha: str, change: dict[str, object]) -> None:
    login = log_in("asha", PASSWORD, ADDRESS, utcnow())
    change_account(asha, utcnow(), "acc_admin", **change)  # type: ignore[arg-type]

    with pytest.raises(Unauthorized):
        refresh(login.refresh_token, ADDRESS, utcnow())
    [revoked] = revocations.news(0, 10).revocations
    assert (revoked.kind, revoked.subject, revoked.generation) == ("ACCOUNT", asha, 2)


def test_admins_cannot_lock_themselves_out() -> None:
    admin = add_account("root", PASSWORD, Role.ADMIN, utcnow()).id
    for change in ({"role": Role.TRADER}, {"is_active": False}):
        with pytest.raises(InvalidState):
            change_account(admin, utcnow(), admin, **change)  # type: ignore[arg-type]


@pytest.mark.usefixtures("asha")
@pytest.mark.parametrize("username", ["asha", "nobody"])
def test_guessing_is_held_up_twice_as_long_each_time(username: str) -> None:
    now = utcnow()
    assert [guess(username, now=now) for _ in range(6)] == ["UNAUTHORIZED"] * 5 + ["RATE_LIMITED"]
    for seconds in (1, 2, 4, 8):
        with pytest.raises(RateLimited) as held_up:
            log_in(username, PASSWORD, NEIGHBOUR, now)
        assert held_up.value.details == {"retry_after_seconds": seconds}
        now += timedelta(seconds=seconds)
        assert guess(username, now=now) == "UNAUTHORIZED"


@pytest.mark.usefixtures("asha")
def test_a_success_or_an_hour_of_rest_forgets_the_failures_of_a_name() -> None:
    now = utcnow()
    assert [guess(now=now) for _ in range(4)] == ["UNAUTHORIZED"] * 4
    log_in("asha", PASSWORD, ADDRESS, now)
    assert [guess(now=now) for _ in range(6)] == ["UNAUTHORIZED"] * 5 + ["RATE_LIMITED"]
    later = now + timedelta(hours=1, seconds=1)
    assert [guess(now=later) for _ in range(2)] == ["UNAUTHORIZED"] * 2


def test_an_address_that_tries_many_names_is_held_up_with_its_network() -> None:
    now = utcnow()
    answers = [guess(f"name-{number}", f"2001:db8::{number:x}", now) for number in range(31)]
    assert answers == ["UNAUTHORIZED"] * 30 + ["RATE_LIMITED"]
    assert guess("name-99", "2001:db8:0:1::1", now) == "UNAUTHORIZED"


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch, clean_database: str) -> Iterator[None]:
    """What a hash costs is not what these tests are about."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    passwords._decoy_hash.cache_clear()
    yield
    passwords._decoy_hash.cache_clear()


@pytest.mark.usefixtures("quick_hashes", "asha")
@pytest.mark.parametrize(
    ("guesser", "owner"), [(ADDRESS, ELSEWHERE), ("2001:db8:1:2::1", "2001:db8:2::1"), (ADDRESS, "2001:db8::1")]
)
def test_who_guesses_elsewhere_locks_nobody_out(guesser: str, owner: str) -> None:
    now = utcnow()
    while guess(address=guesser, now=now) != "RATE_LIMITED":
        pass
    assert log_in("asha", PASSWORD, owner, now).account.username == "asha"
    assert guess(address=guesser, now=now) == "RATE_LIMITED", "where the guessing was, it is held up still"


def attack_from_many_networks(username: str, now: datetime, on_attack: OnAttack | None = None) -> None:
    """As many wrong passwords as are free for a username, no two from one network."""
    for number in range(login_throttle.FREE_FOR_USERNAME):
        with pytest.raises(Unauthorized):
            log_in(username, "wrong horse battery", f"203.0.{number}.1", now, on_attack)


@pytest.mark.usefixtures("quick_hashes", "asha")
def test_a_name_that_is_guessed_from_everywhere_is_open_to_networks_that_it_has_logged_in_from() -> None:
    now = utcnow()
    log_in("asha", PASSWORD, ADDRESS, now)
    attack_from_many_networks("asha", now)

    with pytest.raises(RateLimited):
        log_in("asha", PASSWORD, ELSEWHERE, now)
    assert log_in("asha", PASSWORD, NEIGHBOUR, now).account.username == "asha"
    assert log_in("asha", PASSWORD, ELSEWHERE, now + timedelta(seconds=2)).account.username == "asha", "later"


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize("username", ["asha", "nobody"])
def test_operators_hear_of_a_name_that_is_guessed_from_everywhere(asha: str, username: str) -> None:
    attack_from_many_networks(username, utcnow(), raise_login_attack)

    [(code, subject, account_id, detail)] = rows("SELECT code, subject, account_id, detail FROM alarms")
    assert code == "LOGIN_ATTACK"
    assert account_id == (asha if username == "asha" else None)
    assert (subject == asha) == (username == "asha")
    last = login_throttle.FREE_FOR_USERNAME
    assert detail == {"by": "username", "failures": last, "network": f"203.0.{last - 1}.0/24"}


@pytest.mark.usefixtures("quick_hashes")
def test_operators_hear_of_an_address_that_tries_many_names_and_not_of_who_forgot_a_password() -> None:
    now = utcnow()
    for number in range(login_throttle.FREE_FOR_ADDRESS):
        with pytest.raises(Unauthorized):
            log_in(f"name-{number}", "wrong horse battery", ADDRESS, now, raise_login_attack)
    with pytest.raises(Unauthorized):
        log_in("name-99", "wrong horse battery", ADDRESS, now + timedelta(seconds=2), raise_login_attack)
    for _ in range(login_throttle.FREE_IN_NETWORK):
        with pytest.raises(Unauthorized):
            log_in("forgetful", "wrong horse battery", ELSEWHERE, now, raise_login_attack)

    found = rows("SELECT code, occurrences, detail ->> 'by', detail ->> 'network' FROM alarms")
    assert found == [("LOGIN_ATTACK", 2, "address", "192.0.2.0/24")]


@pytest.mark.usefixtures("asha")
@pytest.mark.parametrize(("days", "left"), [("1", 1), ("3", 2)])
def test_a_login_is_kept_for_as_long_as_is_set_after_it_expired(days: str, left: int) -> None:
    now = utcnow()
    log_in("asha", PASSWORD, ADDRESS, now - timedelta(days=2, hours=13))
    with started_with("PULSE_RETENTION_LOGIN_DAYS", days):
        log_in("asha", PASSWORD, ADDRESS, now)

    assert rows("SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM refresh_tokens)") == [(left, left)]


def test_an_account_is_known_in_its_last_fifty_networks(asha: str) -> None:
    now = utcnow()
    with db.transaction() as session:
        for number in range(login_networks.MOST_KEPT + 2):
            login_networks.note(session, asha, f"10.0.{number}.0/24", now + timedelta(seconds=number))
    with db.transaction() as session:
        known = [number for number in range(60) if login_networks.is_known(session, "asha", f"10.0.{number}.0/24")]
    assert known == list(range(2, login_networks.MOST_KEPT + 2))


@pytest.mark.usefixtures("asha")
def test_many_guesses_at_once_get_few_looks_at_the_password() -> None:
    now = utcnow()
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _number: guess(now=now), range(24)))
    assert answers.count("UNAUTHORIZED") <= login_throttle.FREE_IN_NETWORK + 3


@pytest.mark.usefixtures("quick_hashes", "asha")
def test_who_is_known_where_they_log_in_waits_for_nobody_who_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    log_in("asha", PASSWORD, ADDRESS, now)
    turns = passwords.Turns(1)
    monkeypatch.setattr(passwords, "_turns", turns)
    served: list[str] = []
    verify = passwords._hasher.verify

    class Noting:
        """Which hash is looked at; what a login does after that takes as long as it takes."""

        hash = passwords._hasher.hash

        @staticmethod
        def verify(*arguments: str) -> bool:
            served.append(arguments[0])
            return verify(*arguments)

    monkeypatch.setattr(passwords, "_hasher", Noting)

    def come(username: str, address: str) -> None:
        with suppress(Unauthorized):
            log_in(username, PASSWORD, address, now)

    assert turns.take(goes_first=False, seconds=0)
    guessers = [Thread(target=come, args=(f"user-{number}", f"203.0.{number}.1")) for number in range(8)]
    owner = Thread(target=come, args=("asha", NEIGHBOUR))
    for thread in guessers:
        thread.start()
    wait_until(lambda: turns.waiting == 8, what="all that guess wait")
    owner.start()
    wait_until(lambda: turns.waiting == 9, what="the owner waits behind them")
    turns.give_back()
    for thread in (owner, *guessers):
        thread.join(20)
    # Those of names that nobody has are looked at against one hash for all.
    assert [served.count(one) for one in served] == [1] + [8] * 8


@pytest.mark.usefixtures("quick_hashes", "asha")
def test_who_is_held_up_waits_for_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    while guess(address=ADDRESS, now=now) != "RATE_LIMITED":
        pass
    monkeypatch.setattr(passwords, "_turns", passwords.Turns(0))
    monkeypatch.setattr(passwords, "_LONGEST_WAIT_SECONDS", 0.01)
    with pytest.raises(RateLimited, match="too many failed logins"):
        log_in("asha", PASSWORD, ADDRESS, now)


@contextmanager
def counted_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement of a login, and every hash that is verified. What the time is, is asked whoever logs in."""
    work: list[str] = []
    verify = passwords._hasher.verify

    def counted(*arguments: str) -> bool:
        work.append("verify")
        return verify(*arguments)

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "clock_timestamp" not in statement:
            work.append(statement)

    class Counting:
        verify = staticmethod(counted)
        hash = passwords._hasher.hash

    with monkeypatch.context() as patch:
        patch.setattr(passwords, "_hasher", Counting)
        event.listen(db.engine(), "before_cursor_execute", note)
        try:
            yield work
        finally:
            event.remove(db.engine(), "before_cursor_execute", note)


def test_the_same_work_is_done_for_every_reason_of_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    for username in ("asha", "ravi"):
        add_account(username, PASSWORD, Role.TRADER, utcnow())
    change_account(add_account("gone", PASSWORD, Role.TRADER, utcnow()).id, utcnow(), is_active=False)
    guess("somebody-before")
    done = {}
    for username, password in (("asha", "wrong horse battery"), ("nobody", PASSWORD), ("gone", PASSWORD)):
        with counted_work(monkeypatch) as work, pytest.raises(Unauthorized, match=r"^username or password is wrong$"):
            log_in(username, password, ADDRESS, utcnow())
        done[username] = work

    assert done["asha"] == done["nobody"] == done["gone"]
    assert done["asha"].count("verify") == 1


def test_logins_and_changes_are_recorded_and_guesses_are_counted_not_recorded_one_by_one(asha: str) -> None:
    now = utcnow()
    log_in("asha", PASSWORD, ADDRESS, now)
    for _ in range(20):
        guess(now=now)
    change_account(asha, now, "acc_admin", role=Role.VIEWER)

    assert rows("SELECT action, actor, subject, address FROM audit_entries ORDER BY id") == [
        ("account.added", "terminal", asha, None),
        ("login", asha, asha, ADDRESS),
        ("login.blocked", "pulse", asha, ADDRESS),
        ("account.changed", "acc_admin", asha, None),
    ]
    counted = rows("SELECT split_part(subject, ':', 1), failures FROM login_failures ORDER BY subject")
    assert counted == [("addr", 5), ("pair", 5), ("user", 5)]


def test_readers_of_revocations_miss_none_whatever_order_they_commit_in(asha: str) -> None:
    def revoke(number: int) -> None:
        revocations.revoke_token(f"jti-{number}", asha, utcnow())

    seen: list[str] = []
    last = 0
    with ThreadPoolExecutor(6) as threads:
        running = [threads.submit(revoke, number) for number in range(40)]
        while not all(one.done() for one in running) or last < revocations.news(last, 1).latest:
            for one in revocations.news(last, 7).revocations:
                seen.append(one.subject)
                last = one.id

    assert sorted(seen) == sorted(f"jti-{number}" for number in range(40))
