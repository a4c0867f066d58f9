"""Logins at the paper exchange, which ends tokens as Kite does: sealed, in use at once, warned of, and never shown."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import text

from api_contract.errors import InvalidRequest, InvalidState, NotFound, ServiceUnavailable
from pulse_core import brokers, config, db
from pulse_core.broker_accounts import credentials, directory, login, starting, vault
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.broker_accounts.watch_logins import watch_logins
from pulse_core.brokers.port import BookUnavailable
from pulse_core.clock import utcnow
from pulse_core.trading import inbox
from pulse_core.trading.inbox import AlarmFilters
from pulse_core.trading.order.recheck import recheck_holds
from pulse_ops.cli import main
from pulse_ops.stack.ports import free_port, is_free
from tests.support import servers
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.processes import wait_until

PAPER, USER = "paper", "PAPER1"
REDIRECT = "http://127.0.0.1:5010/"
SIX = "00:30:00"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("logins"), more=["--redirect-url", REDIRECT]) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: RunningExchange, clean_database: str, monkeypatch: pytest.MonkeyPatch) -> RunningExchange:
    monkeypatch.setenv("PULSE_PAPER_EXCHANGE_URL", running.url)
    monkeypatch.setenv("KITE_API_KEY", API_KEY)
    monkeypatch.setenv("KITE_API_SECRET", API_SECRET)
    monkeypatch.setenv("KITE_ACCESS_TOKEN", ACCESS_TOKEN)
    config.settings.cache_clear()
    credentials.forget()
    add_account(PAPER)
    running.control("PUT", "logins", {"standing_token": False})
    return running


@pytest.fixture(autouse=True)
def settings_anew() -> Iterator[None]:
    yield
    config.settings.cache_clear()
    credentials.forget()


def add_account(name: str, is_live: bool = False) -> None:
    with servers.as_owner() as owner:
        owner.execute(
            text(
                "INSERT INTO broker_accounts (name, broker, is_live, options, state, state_since, made_by, made_at)"
                " VALUES (:name, :name, :live, '{}', 'AWAITING_TOKEN', now(), 'test', now()) ON CONFLICT DO NOTHING"
            ),
            {"name": name, "live": is_live},
        )


def request_token(address: str) -> str:
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(address, allow_redirects=False, timeout=5)
    return parse_qs(urlsplit(page.headers["Location"]).query)["request_token"][0]


def log_in(**changes: object) -> login.LoginReport:
    given = {"actor": "asha", "now": utcnow(), "user": USER} | changes
    return login.log_in(PAPER, request_token(login.login_address(PAPER)), **given)  # type: ignore[arg-type]


def present() -> vault.Credentials:
    """As this process has them now."""
    known = directory.account_named(PAPER)
    given = None if known is None else credentials.sealed(known)
    assert given is not None
    return given


def standing() -> tuple[str, str | None]:
    [found] = login.login_reports(PAPER)
    return found.state, found.reason


def rows() -> list[tuple[object, ...]]:
    with db.transaction() as session:
        told = "SELECT version, broker_user, made_by, key_id FROM broker_credentials ORDER BY version"
        return [tuple(row) for row in session.execute(text(told))]


def open_alarms() -> dict[str, int]:
    found = inbox.alarm_page(AlarmFilters(is_unresolved=True), 50).alarms
    return {one.code: one.occurrences for one in found if one.code in ("TOKEN_ENDS", "ACCOUNT_HELD")}


def test_a_login_is_in_use_at_the_next_call_and_the_one_before_is_not(exchange: RunningExchange) -> None:
    with pytest.raises(BookUnavailable):
        brokers.connect(PAPER).order_book()
    report = log_in()
    assert (report.state, report.broker_user, report.is_logged_in) == (BrokerAccountState.READY, USER, True)
    assert report.valid_until is not None
    assert f"{report.valid_until:%H:%M:%S}" == SIX
    assert timedelta(0) < report.valid_until - utcnow() <= timedelta(days=1)
    first = brokers.connect(PAPER)
    assert first.order_book() == []
    assert brokers.connect(PAPER) is first
    log_in(user=None)
    assert brokers.connect(PAPER).order_book() == []
    with pytest.raises(BookUnavailable):
        first.order_book()
    assert [row[:3] for row in rows()] == [(1, USER, "asha"), (2, USER, "asha")]
    assert login.check_login(PAPER) == USER


def test_a_version_of_another_process_is_noticed_within_a_second(exchange: RunningExchange) -> None:
    log_in()
    before = present()
    with db.transaction() as session:
        vault.keep(session, before, "elsewhere", utcnow())
    credentials.forget()
    assert present().version == 2
    assert present().access_token == before.access_token


def test_a_login_of_somebody_else_changes_nothing(exchange: RunningExchange) -> None:
    with pytest.raises(InvalidRequest, match="say whose account paper is"):
        log_in(user=None)
    with pytest.raises(InvalidState, match="paper is the account of AB1234, and PAPER1 has logged in"):
        log_in(user="AB1234")
    assert rows() == []
    log_in()
    with pytest.raises(InvalidState, match="paper is the account of PAPER1"):
        log_in(user="AB1234")
    assert (len(rows()), standing()) == (1, ("READY", None))
    with db.transaction() as session:
        told = session.execute(text("SELECT action, actor, subject, detail FROM audit_entries ORDER BY id")).all()
    assert [tuple(row[:3]) for row in told] == [
        ("broker.login_refused", "asha", PAPER),
        ("broker.login", "asha", PAPER),
    ]


def test_a_request_token_works_once_and_a_made_up_one_never(exchange: RunningExchange) -> None:
    token = request_token(login.login_address(PAPER))
    login.log_in(PAPER, token, "asha", utcnow(), user=USER)
    for again in (token, "made-up"):
        with pytest.raises(InvalidState, match="paper was not logged in: Token is invalid or has expired"):
            login.log_in(PAPER, again, "asha", utcnow())
    with pytest.raises(InvalidRequest):
        login.log_in(PAPER, "", "asha", utcnow())
    with pytest.raises(NotFound):
        login.login_address("nobody")
    assert len(rows()) == 1


def test_what_may_have_been_exchanged_is_told_from_what_was_not(exchange: RunningExchange) -> None:
    address = login.login_address(PAPER)
    assert urlsplit(address).path == "/connect/login"
    token = request_token(address)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_PAPER_EXCHANGE_URL", "http://127.0.0.1:9")
        config.settings.cache_clear()
        with pytest.raises(ServiceUnavailable, match="no connection to the broker"):
            login.log_in(PAPER, token, "asha", utcnow(), user=USER)
    config.settings.cache_clear()
    assert login.log_in(PAPER, token, "asha", utcnow(), user=USER).broker_user == USER


def test_a_token_is_warned_of_once_an_hour_before_and_waited_for_after_its_end(exchange: RunningExchange) -> None:
    log_in()
    ends_in(timedelta(hours=1, minutes=1))
    assert (watch_logins(utcnow()), open_alarms()) == (0, {})
    ends_in(timedelta(minutes=59))
    assert [watch_logins(utcnow()) for _ in range(3)] == [1, 0, 0]
    assert (open_alarms(), standing()) == ({"TOKEN_ENDS": 1}, ("READY", None))
    ends_in(timedelta(0))
    assert [watch_logins(utcnow()) for _ in range(3)] == [1, 0, 0]
    assert open_alarms() == {"TOKEN_ENDS": 1, "ACCOUNT_HELD": 1}
    assert standing() == ("AWAITING_TOKEN", "TOKEN_ENDED: its login has ended")
    # What the exchange still takes counts for nothing: only a login helps.
    recheck_holds(utcnow())
    assert standing()[0] == "AWAITING_TOKEN"
    log_in()
    assert (open_alarms(), standing()) == ({}, ("READY", None))
    ends_in(timedelta(minutes=-1))
    assert watch_logins(utcnow()) == 1
    assert open_alarms() == {"ACCOUNT_HELD": 2}


def ends_in(left: timedelta) -> None:
    """By Postgres's clock, which nobody drives: the end moves instead."""
    with servers.as_owner() as owner:
        newest = "(SELECT max(version) FROM broker_credentials)"
        owner.execute(
            text(f"UPDATE broker_credentials SET valid_until = clock_timestamp() + :left WHERE version = {newest}"),
            {"left": left},
        )


def test_a_token_that_the_exchange_has_ended_is_told_by_the_test(exchange: RunningExchange) -> None:
    report = log_in()
    assert report.valid_until is not None
    exchange.move_clock(report.valid_until)
    try:
        with pytest.raises(InvalidState, match="the broker does not accept the login of paper"):
            login.check_login(PAPER)
        log_in()
        assert login.check_login(PAPER) == USER
    finally:
        exchange.move_clock(None)


def test_keys_are_rotated_and_one_that_is_still_needed_is_named(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = f"old:{secrets.token_urlsafe(32)}", f"new:{secrets.token_urlsafe(32)}"
    give_keys(monkeypatch, old)
    log_in()
    log_in()
    give_keys(monkeypatch, f"{new},{old}")
    assert (vault.reseal_all().count, {row[3] for row in rows()}) == (2, {"new"})
    give_keys(monkeypatch, new)
    assert login.check_login(PAPER) == USER

    give_keys(monkeypatch, old)
    with pytest.raises(InvalidState, match="PULSE_VAULT_KEYS has no key new"):
        login.check_login(PAPER)
    forget_opened()
    with pytest.raises(ServiceUnavailable, match="PULSE_VAULT_KEYS has no key new"):
        present()
    told = CliRunner().invoke(main, ["keys", "rotate-vault"])
    assert told.exit_code == 1
    assert "Still needed: new, which PULSE_VAULT_KEYS lacks, for 2." in told.stderr


def give_keys(monkeypatch: pytest.MonkeyPatch, text_: str) -> None:
    monkeypatch.setenv("PULSE_VAULT_KEYS", text_)
    config.settings.cache_clear()
    credentials.forget()


def forget_opened() -> None:
    credentials._opened.clear()


def test_what_was_opened_before_is_used_while_a_newer_version_is_shut(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in()
    known = present()
    with monkeypatch.context() as elsewhere:
        give_keys(elsewhere, f"other:{secrets.token_urlsafe(32)}")
        with db.transaction() as session:
            vault.keep(session, known, "elsewhere", utcnow())
    config.settings.cache_clear()
    credentials.forget()
    assert present() == known


def test_a_secret_moved_to_another_row_does_not_open(exchange: RunningExchange) -> None:
    log_in()
    log_in()
    with servers.as_owner() as owner:
        owner.execute(
            text(
                "UPDATE broker_credentials SET token_sealed ="
                " (SELECT token_sealed FROM broker_credentials WHERE version = 1) WHERE version = 2"
            )
        )
    with pytest.raises(InvalidState, match="they are not as they were sealed"):
        login.check_login(PAPER)


def test_no_secret_is_told_by_what_a_login_leaves_behind(
    exchange: RunningExchange, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = request_token(login.login_address(PAPER))
    report = login.log_in(PAPER, token, "asha", utcnow(), user=USER)
    given = present()
    with pytest.raises(InvalidState) as refused:
        login.log_in(PAPER, token, "asha", utcnow())
    runner = CliRunner()
    shown = (
        runner.invoke(main, ["broker", "status", "--json"]).output
        + runner.invoke(main, ["broker", "test", PAPER]).output
    )
    with db.transaction() as session:
        tables = session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'installation'")
        ).all()
        dump = [str(row) for table in tables for row in session.execute(text(f"SELECT t::text FROM {table} t"))]
    places = [
        repr(report),
        repr(given),
        str(refused.value),
        repr(refused.value.details),
        shown,
        *capfd.readouterr(),
        *dump,
    ]
    assert any(USER in row for row in dump)
    for secret in (token, given.access_token, API_SECRET):
        assert secret
        assert not [place for place in places if secret in place]


def test_a_live_account_without_credentials_is_not_started_and_never_ready(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_account("zerodha", is_live=True)
    monkeypatch.setenv("PULSE_BROKER", "zerodha")
    for name in ("KITE_API_KEY", "KITE_API_SECRET", "KITE_ACCESS_TOKEN"):
        monkeypatch.setenv(name, "paper")
    config.settings.cache_clear()
    with pytest.raises(SystemExit, match=r"pulse cannot start: KITE_API_KEY is refused.*nothing is sealed for zerodha"):
        starting.check_credentials("pulse")
    with pytest.raises(InvalidState, match="zerodha has no API key yet"):
        login.login_address("zerodha")
    assert login.login_reports("zerodha")[0].state is BrokerAccountState.AWAITING_TOKEN

    with db.transaction() as session:
        vault.keep(session, vault.Credentials("zerodha", 0, "k" * 16, "s" * 32), "asha", utcnow())
    credentials.forget()
    starting.check_credentials("pulse")
    assert login.login_reports("zerodha")[0].state is BrokerAccountState.AWAITING_TOKEN
    assert login.login_address("zerodha").startswith("https://kite.zerodha.com/connect/login?api_key=kkkk")


def test_the_variables_count_where_nothing_is_sealed(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_account("zerodha", is_live=True)
    monkeypatch.setenv("PULSE_BROKER", "zerodha")
    config.settings.cache_clear()
    starting.check_credentials("pulse")
    assert brokers.connect("zerodha").name == "zerodha"
    assert credentials.of_environment("zerodha").access_token == ACCESS_TOKEN  # type: ignore[union-attr]
    assert credentials.of_environment("elsewhere") is None


def test_a_login_from_the_terminal_takes_what_comes_to_loopback_or_is_pasted(exchange: RunningExchange) -> None:
    here = ["broker", "login", PAPER]
    port = free_port()
    with ThreadPoolExecutor(1) as browser:
        visit = browser.submit(visit_when_open, port)
        listening = CliRunner().invoke(main, [*here, "--user", USER, "--port", str(port)])
        assert visit.result() == 200
    assert (listening.exit_code, listening.stdout.strip()) == (0, login.login_address(PAPER))
    assert f"{USER} is logged in for {PAPER} until" in listening.stderr

    pasted = f"{REDIRECT}?status=success&request_token={request_token(login.login_address(PAPER))}"
    assert CliRunner().invoke(main, [*here, "--paste"], input=f"{pasted}\n").exit_code == 0
    again = CliRunner().invoke(main, [*here, "--paste"], input=f"{pasted}\n")
    assert (again.exit_code, "Token is invalid or has expired" in again.stderr) == (4, True)
    assert [row[0] for row in rows()] == [1, 2]
    assert CliRunner().invoke(main, ["broker", "status"]).exit_code == 0
    told = CliRunner().invoke(main, ["broker", "test", PAPER])
    assert told.stderr == f"The broker knows us as {USER}.\n"


def visit_when_open(port: int) -> int:
    wait_until(lambda: not is_free("127.0.0.1", port))
    token = request_token(login.login_address(PAPER))
    with requests.Session() as browser:
        browser.trust_env = False
        return browser.get(f"http://127.0.0.1:{port}/?status=success&request_token={token}", timeout=5).status_code


def test_new_keys_are_sealed_from_the_terminal_and_ask_for_a_login(exchange: RunningExchange) -> None:
    log_in()
    wrong = CliRunner().invoke(main, ["broker", "keys", PAPER], input="paper\npaper\n")
    assert (wrong.exit_code, "not placeholders" in wrong.stderr) == (4, True)
    told = CliRunner().invoke(main, ["broker", "keys", PAPER], input=f"{API_KEY}\n{API_SECRET}\n")
    assert (told.exit_code, API_SECRET in told.output) == (0, False)
    assert standing() == ("AWAITING_TOKEN", "it has new keys, and nobody is logged in with them")
    with pytest.raises(BookUnavailable):
        brokers.connect(PAPER).order_book()
    assert log_in(user=None).state is BrokerAccountState.READY
    assert CliRunner().invoke(main, ["broker", "keys", PAPER, "--from-environment"]).exit_code == 0
    assert [row[:2] for row in rows()] == [(1, USER), (2, USER), (3, USER), (4, USER)]
