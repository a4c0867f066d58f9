"""An account's own limit, as the services keep it and as `pulse users` sets it."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api_contract.errors import InvalidRequest, Unauthorized
from api_contract.scopes import Role, Scope
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.identity import revocations
from pulse_core.identity.accounts import account_named, account_of, add_account, change_account
from pulse_core.identity.api_keys import add_key, holder_of
from pulse_core.identity.sessions import log_in, refresh
from pulse_ops.cli import main

PASSWORD = "correct horse battery"


@pytest.fixture
def asha(clean_database: str) -> str:
    return add_account("asha", PASSWORD, Role.TRADER, utcnow()).id


@pytest.fixture
def users(asha: str) -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(main, ["users", *arguments])


def audited(account_id: str) -> list[dict[str, str]]:
    query = "SELECT detail FROM audit_entries WHERE action = 'account.changed' AND subject = :id ORDER BY id"
    with db.transaction() as session:
        return list(session.scalars(text(query), {"id": account_id}))


def test_a_limit_is_told_with_the_next_refresh_and_to_keys_and_ends_nothing(asha: str) -> None:
    login = log_in("asha", PASSWORD, None, utcnow())
    key = add_key(asha, "bot", [Scope.ORDERS_READ], 30, utcnow()).text
    assert (login.account.requests_per_minute, holder_of(key, utcnow()).requests_per_minute) == (None, None)

    assert change_account(asha, utcnow(), "acc_admin", requests_per_minute=300).requests_per_minute == 300
    assert refresh(login.refresh_token, None, utcnow()).account.requests_per_minute == 300
    assert holder_of(key, utcnow()).requests_per_minute == 300
    assert revocations.news(0, 10).revocations == []


def test_each_change_of_a_limit_is_recorded_and_one_that_changes_nothing_is_not(asha: str) -> None:
    for limit in (300, 300, None, None):
        change_account(asha, utcnow(), "acc_admin", requests_per_minute=limit)

    assert audited(asha) == [{"requests_per_minute": "None -> 300"}, {"requests_per_minute": "300 -> None"}]


def test_a_limit_with_another_change_ends_logins_as_that_does(asha: str) -> None:
    login = log_in("asha", PASSWORD, None, utcnow())
    change_account(asha, utcnow(), "acc_admin", role=Role.VIEWER, requests_per_minute=300)

    with pytest.raises(Unauthorized):
        refresh(login.refresh_token, None, utcnow())
    assert log_in("asha", PASSWORD, None, utcnow()).account.requests_per_minute == 300


def test_other_changes_leave_the_limit_alone(asha: str) -> None:
    change_account(asha, utcnow(), requests_per_minute=300)
    assert change_account(asha, utcnow(), is_active=False).requests_per_minute == 300


@pytest.mark.parametrize("limit", [0, -1, 1_000_001])
def test_a_limit_out_of_range_is_refused_by_the_service_and_by_the_database(asha: str, limit: int) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        change_account(asha, utcnow(), requests_per_minute=limit)
    assert refusal.value.details == {"field": "requests_per_minute", "min": 1, "max": 1_000_000}

    with pytest.raises(IntegrityError, match="ck_accounts_requests_per_minute"), db.transaction() as session:
        session.execute(text("UPDATE accounts SET requests_per_minute = :limit"), {"limit": limit})
    assert account_of(asha).requests_per_minute is None


def test_the_terminal_sets_shows_and_clears_a_limit(users: Callable[..., Result]) -> None:
    assert users("limit", "asha", "300").exit_code == 0
    [shown] = json.loads(users("list", "--json").stdout)
    assert shown["requests_per_minute"] == account_named("asha").requests_per_minute == 300
    assert users("list").stdout.splitlines()[1].split()[:4] == ["asha", "trader", "active", "300"]

    assert users("limit", "asha", "--clear").exit_code == 0
    assert users("list").stdout.splitlines()[1].split()[:4] == ["asha", "trader", "active", "-"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("asha", "0"), 4, "requests_per_minute must be from 1 to 1000000"),
        (("nobody", "300"), 4, "there is no account nobody"),
        (("asha",), 2, "Give the requests per minute, or --clear."),
        (("asha", "300", "--clear"), 2, "Give the requests per minute, or --clear."),
        (("asha", "many"), 2, "not a valid integer"),
    ],
)
def test_a_limit_that_cannot_be_is_one_sentence(
    users: Callable[..., Result], arguments: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    result = users("limit", *arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert sentence in result.stderr.splitlines()[-1]
    assert account_named("asha").requests_per_minute is None
