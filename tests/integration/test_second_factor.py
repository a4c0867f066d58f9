"""A second factor: set up, asked for, proved once, lost, and taken off again."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from secrets import token_urlsafe

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from api_contract.errors import (
    Forbidden,
    InvalidState,
    NotFound,
    PulseError,
    RateLimited,
    Unauthorized,
)
from api_contract.scopes import Role
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.identity import accounts, login_throttle, passwords, second_factor
from pulse_core.identity.accounts import add_account, change_password
from pulse_core.identity.proof import NO_PROOF, Proof
from pulse_core.identity.sessions import Login, log_in, refresh
from tests.support.second_factors import Phone, a_phone
from tests.support.servers import forget_settings

PASSWORD, WRONG, ADDRESS = "correct horse battery", "wrong horse battery", "192.0.2.7"
PERIOD = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch, clean_database: str) -> Iterator[None]:
    """What a hash costs is not what these tests are about."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    passwords._decoy_hash.cache_clear()
    yield
    passwords._decoy_hash.cache_clear()


@pytest.fixture
def now() -> datetime:
    return utcnow()


@pytest.fixture
def asha(quick_hashes: None, now: datetime) -> str:
    return add_account("asha", PASSWORD, Role.OPERATOR, now).id


@pytest.fixture
def phone(asha: str, now: datetime) -> Phone:
    return a_phone(asha, now)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Gives this process other settings; None unsets one."""

    def change(**variables: str | None) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name)
        forget_settings()

    yield change
    monkeypatch.undo()
    forget_settings()


def enter(proof: Proof, now: datetime, password: str = PASSWORD) -> Login:
    return log_in("asha", password, ADDRESS, now, proof=proof)


def answer_to(proof: Proof, now: datetime, password: str = PASSWORD) -> str:
    """The code of the refusal, or "in"."""
    try:
        enter(proof, now, password)
    except PulseError as refused:
        return refused.code
    return "in"


def rows(query: str) -> list[tuple[object, ...]]:
    with db.transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


def audited() -> list[object]:
    found = rows("SELECT action FROM audit_entries WHERE action LIKE 'second_factor%' ORDER BY id")
    return [action for (action,) in found]


def test_a_second_factor_counts_once_it_is_confirmed_and_ends_every_login(asha: str, now: datetime) -> None:
    login = enter(NO_PROOF, now)
    offered = second_factor.enrol(asha, PASSWORD, NO_PROOF, ADDRESS, now)
    phone = Phone(offered.secret)
    assert not second_factor.report(asha).is_on
    with pytest.raises(Forbidden, match="totp_code is not right"):
        second_factor.confirm(asha, phone.wrong_code(now), ADDRESS, now)
    assert refresh(login.refresh_token, ADDRESS, now).session_id == login.session_id

    codes = second_factor.confirm(asha, phone.code(now), ADDRESS, now)

    report = second_factor.report(asha)
    assert (report.is_on, report.since, report.recovery_codes_left, report.is_required) == (True, now, 10, False)
    assert len(set(codes)) == 10
    assert rows("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]
    assert answer_to(NO_PROOF, now) == "SECOND_FACTOR_REQUIRED"
    assert answer_to(phone.proof(now), now) == "SECOND_FACTOR_REQUIRED", "it was used to confirm"
    assert answer_to(phone.proof(now, 1), now) == "in"
    assert audited() == ["second_factor.offered", "second_factor.on"]


def test_an_offer_takes_the_password_and_is_over_after_a_while(asha: str, now: datetime) -> None:
    with pytest.raises(Forbidden):
        second_factor.enrol(asha, WRONG, NO_PROOF, ADDRESS, now)
    with pytest.raises(InvalidState, match="nothing to confirm"):
        second_factor.confirm(asha, "000000", ADDRESS, now)
    phone = Phone(second_factor.enrol(asha, PASSWORD, NO_PROOF, ADDRESS, now).secret)
    late = now + second_factor.TO_CONFIRM
    with pytest.raises(InvalidState, match="nothing to confirm"):
        second_factor.confirm(asha, phone.code(late), ADDRESS, late)
    with pytest.raises(NotFound):
        second_factor.report("acc_nobody")


def test_guessing_the_first_code_is_held_up(asha: str, now: datetime) -> None:
    phone = Phone(second_factor.enrol(asha, PASSWORD, NO_PROOF, ADDRESS, now).secret)
    for _ in range(login_throttle.FREE_IN_NETWORK):
        with pytest.raises(Forbidden):
            second_factor.confirm(asha, phone.wrong_code(now), ADDRESS, now)
    with pytest.raises(RateLimited):
        second_factor.confirm(asha, phone.code(now), ADDRESS, now)


def test_who_lacks_the_password_learns_nothing_of_the_second_factor(phone: Phone, now: datetime) -> None:
    for proof in (NO_PROOF, phone.proof(now), Proof(recovery_code=phone.recovery_codes[0])):
        with pytest.raises(Unauthorized, match=r"^username or password is wrong$"):
            enter(proof, now, WRONG)
    assert answer_to(phone.proof(now), now) == "in", "no code was used up by it"


def test_each_code_is_taken_once_and_none_that_is_older(phone: Phone, now: datetime) -> None:
    told = [answer_to(phone.proof(now, ahead), now) for ahead in (2, -2, 0, 0, -1, 1)]
    refused = "SECOND_FACTOR_REQUIRED"
    assert told == [refused, refused, "in", refused, refused, "in"]


@pytest.mark.parametrize("kind", ["totp_code", "recovery_code"])
def test_of_many_logins_with_one_code_one_goes_through(phone: Phone, now: datetime, kind: str) -> None:
    proof = phone.proof(now) if kind == "totp_code" else Proof(recovery_code=phone.recovery_codes[0])

    with ThreadPoolExecutor(6) as threads:
        told = list(threads.map(lambda _number: answer_to(proof, now), range(6)))

    assert told.count("in") == 1
    assert rows("SELECT count(*) FROM sessions") == [(1,)]


def test_wrong_codes_are_failed_logins_and_a_missing_one_is_none(phone: Phone, now: datetime) -> None:
    wrong = Proof(totp_code=phone.wrong_code(now))
    told = [answer_to(NO_PROOF, now) for _ in range(7)] + [answer_to(wrong, now) for _ in range(5)]
    assert set(told) == {"SECOND_FACTOR_REQUIRED"}
    assert answer_to(phone.proof(now), now) == "RATE_LIMITED"
    assert answer_to(NO_PROOF, now) == "RATE_LIMITED"
    elsewhere = log_in("asha", PASSWORD, "198.51.100.9", now, proof=phone.proof(now))
    assert elsewhere.account.username == "asha", "nobody is locked out by it"


def test_many_codes_guessed_at_once_are_looked_at_one_by_one(
    phone: Phone, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that all of them are past their password before the first is at its code.
    monkeypatch.setattr(login_throttle, "refuse_blocked", lambda _attempt, _now: None)
    wrong = Proof(totp_code=phone.wrong_code(now))

    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _number: answer_to(wrong, now), range(16)))

    assert told.count("SECOND_FACTOR_REQUIRED") == login_throttle.FREE_IN_NETWORK
    assert told.count("RATE_LIMITED") == 16 - login_throttle.FREE_IN_NETWORK


def test_a_recovery_code_is_good_once_however_it_is_typed(asha: str, phone: Phone, now: datetime) -> None:
    first, second, *_ = phone.recovery_codes
    assert answer_to(Proof(recovery_code=first), now) == "in"
    assert answer_to(Proof(recovery_code=first), now) == "SECOND_FACTOR_REQUIRED"
    assert answer_to(Proof(recovery_code=second.upper().replace("-", "")), now) == "in"
    assert second_factor.report(asha).recovery_codes_left == 8
    assert rows("SELECT detail FROM audit_entries WHERE action = 'second_factor.recovery_code_used' ORDER BY id") == [
        ({"left": 9},),
        ({"left": 8},),
    ]


def test_new_recovery_codes_take_the_place_of_all_before(asha: str, phone: Phone, now: datetime) -> None:
    with pytest.raises(Forbidden):
        second_factor.renew_recovery_codes(asha, PASSWORD, NO_PROOF, ADDRESS, now)
    codes = second_factor.renew_recovery_codes(asha, PASSWORD, phone.proof(now), ADDRESS, now)

    assert answer_to(Proof(recovery_code=phone.recovery_codes[0]), now) == "SECOND_FACTOR_REQUIRED"
    assert answer_to(Proof(recovery_code=codes[0]), now) == "in"


def test_a_new_phone_takes_the_place_of_the_old_one_once_it_is_confirmed(
    asha: str, phone: Phone, now: datetime
) -> None:
    with pytest.raises(Forbidden):
        second_factor.enrol(asha, PASSWORD, NO_PROOF, ADDRESS, now)
    lost = Proof(recovery_code=phone.recovery_codes[0])
    newer = Phone(second_factor.enrol(asha, PASSWORD, lost, ADDRESS, now).secret)
    assert answer_to(newer.proof(now), now) == "SECOND_FACTOR_REQUIRED"
    assert answer_to(phone.proof(now), now) == "in"

    second_factor.confirm(asha, newer.code(now), ADDRESS, now)

    later = now + 2 * PERIOD
    assert answer_to(phone.proof(later), later) == "SECOND_FACTOR_REQUIRED"
    assert answer_to(newer.proof(later), later) == "in"


def test_turning_it_off_takes_password_and_code_and_ends_every_login(asha: str, phone: Phone, now: datetime) -> None:
    login = enter(phone.proof(now, -1), now)
    for password, proof in ((WRONG, phone.proof(now)), (PASSWORD, NO_PROOF)):
        with pytest.raises(Forbidden):
            second_factor.disable(asha, password, proof, ADDRESS, now)

    second_factor.disable(asha, PASSWORD, phone.proof(now), ADDRESS, now)
    second_factor.disable(asha, PASSWORD, phone.proof(now), ADDRESS, now)

    with pytest.raises(Unauthorized):
        refresh(login.refresh_token, ADDRESS, now)
    assert answer_to(NO_PROOF, now) == "in"
    assert second_factor.report(asha).recovery_codes_left == 0
    with pytest.raises(InvalidState):
        second_factor.renew_recovery_codes(asha, PASSWORD, NO_PROOF, ADDRESS, now)
    assert audited() == ["second_factor.off"]


def test_an_admin_removes_that_of_somebody_else(asha: str, phone: Phone, now: datetime) -> None:
    login = enter(phone.proof(now), now)
    with pytest.raises(InvalidState):
        second_factor.remove(asha, asha, now)

    for _ in range(2):
        second_factor.remove(asha, "acc_admin", now)

    with pytest.raises(Unauthorized):
        refresh(login.refresh_token, ADDRESS, now)
    assert answer_to(NO_PROOF, now) == "in"
    assert rows("SELECT action, actor, subject FROM audit_entries WHERE action LIKE 'second_factor%'") == [
        ("second_factor.removed", "acc_admin", asha)
    ]


def test_changing_a_password_takes_a_code_and_keeps_the_second_factor(asha: str, phone: Phone, now: datetime) -> None:
    newer = "a password of hers"
    for proof in (NO_PROOF, Proof(totp_code=phone.wrong_code(now))):
        with pytest.raises(Forbidden) as refused:
            change_password(asha, PASSWORD, newer, ADDRESS, now, proof=proof)
        assert refused.value.details == {"field": "totp_code"}
    change_password(asha, PASSWORD, newer, ADDRESS, now, proof=phone.proof(now))

    assert answer_to(NO_PROOF, now, newer) == "SECOND_FACTOR_REQUIRED"
    assert answer_to(phone.proof(now, 1), now, newer) == "in"


def test_wrong_codes_beside_a_right_password_are_held_up_after_a_login_too(
    asha: str, phone: Phone, now: datetime
) -> None:
    wrong = Proof(totp_code=phone.wrong_code(now))
    for _ in range(login_throttle.FREE_IN_NETWORK):
        with pytest.raises(Forbidden):
            accounts.confirm(asha, PASSWORD, ADDRESS, now, proof=wrong)
    with pytest.raises(RateLimited):
        accounts.confirm(asha, PASSWORD, ADDRESS, now, proof=phone.proof(now))


def test_a_role_that_needs_one_may_only_set_it_up(asha: str, now: datetime, settings: Callable[..., None]) -> None:
    before = enter(NO_PROOF, now)
    assert not before.must_enrol
    settings(PULSE_SECOND_FACTOR_FOR="admin,operator")

    assert enter(NO_PROOF, now).must_enrol
    assert refresh(before.refresh_token, ADDRESS, now).must_enrol, "a login that goes on"
    phone = Phone(second_factor.enrol(asha, PASSWORD, NO_PROOF, ADDRESS, now).secret)
    second_factor.confirm(asha, phone.code(now), ADDRESS, now)
    login = enter(phone.proof(now, 1), now)
    assert not login.must_enrol
    later = now + 3 * PERIOD
    with pytest.raises(InvalidState, match="the role needs"):
        second_factor.disable(asha, PASSWORD, phone.proof(later), ADDRESS, later)
    assert second_factor.report(asha).is_required


def test_with_another_key_no_code_is_right_and_recovery_codes_still_work(
    asha: str, phone: Phone, now: datetime, settings: Callable[..., None]
) -> None:
    settings(PULSE_TOTP_KEY=token_urlsafe(32))
    with pytest.raises(InvalidState, match="sealed with another PULSE_TOTP_KEY"):
        enter(phone.proof(now), now)
    assert answer_to(Proof(recovery_code=phone.recovery_codes[0]), now) == "in"
    assert answer_to(NO_PROOF, now) == "SECOND_FACTOR_REQUIRED"


def test_secrets_and_codes_are_in_no_table_and_no_log(
    asha: str, now: datetime, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    offered = second_factor.enrol(asha, PASSWORD, NO_PROOF, ADDRESS, now)
    phone = Phone(offered.secret)
    codes = second_factor.confirm(asha, phone.code(now), ADDRESS, now)
    answer_to(phone.proof(now, 2), now)
    enter(Proof(recovery_code=codes[0]), now)

    tables = ("second_factors", "audit_entries", "login_failures", "sessions")
    kept = str([rows(f"SELECT * FROM {table}") for table in tables])
    told = "".join(capfd.readouterr()) + caplog.text
    assert "second_factor.on" in kept
    for secret in (offered.secret, *codes, phone.code(now, 2), *(code.replace("-", "") for code in codes)):
        assert not re.search(rf"\b{secret}\b", kept + told)
    assert offered.secret not in repr(offered)
    assert codes[0] not in repr(Proof(recovery_code=codes[0]))
