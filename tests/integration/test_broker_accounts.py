"""An order belongs to a broker account: what is done for one account touches nothing of another."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from click.testing import CliRunner, Result

from api_contract.errors import (
    BrokerAccountNotGranted,
    DuplicateOrderUniqueKey,
    InvalidRequest,
    InvalidState,
    NotFound,
    UnknownBrokerAccount,
)
from api_contract.scopes import Role
from api_contract.vocabulary import SliceStatus
from pulse_core import brokers, db
from pulse_core.broker_accounts import accounts, directory, grants
from pulse_core.broker_accounts.reach import Credentials
from pulse_core.brokers.port import BookUnavailable, Broker, Placement
from pulse_core.clock import utcnow
from pulse_core.identity.store import accounts as users
from pulse_core.identity.tables import AuditEntry
from pulse_core.owner import OneAccount
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_core.trading.book import hints, pace
from pulse_core.trading.book.hints import Hint
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.recheck import release_by_operator
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import execute
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.shares import Shares
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import installation
from pulse_ops.cli import EXIT_REFUSED, main
from tests.support.broker import SimulatedBroker, accept_but_lose_the_answer
from tests.support.factories import a_new_order, a_split_order, an_account, an_order, order, slices_of
from tests.support.processes import wait_until
from tests.support.servers import connected_to

OTHER = "kite-two"
# A Monday morning in India: the other account keeps the hours of its market.
MORNING = datetime(2026, 11, 30, 4, 30, tzinfo=UTC)


@pytest.fixture
def other(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    """A live account beside the paper one."""
    accounts.add_account(OTHER, "zerodha", "the test", utcnow())
    # As if somebody had logged in to it.
    assert release_by_operator(OTHER, "the test")
    second = SimulatedBroker(name=OTHER)
    connections: dict[str, Broker] = {"paper": broker, OTHER: second}
    monkeypatch.setattr(brokers, "connect", lambda account: connections[account])
    assert sending_hold.may_send(second)
    return second


def a_trader(*names: str) -> str:
    account_id = an_account()
    for name in names:
        grants.grant(name, account_id, "the test", utcnow())
    return account_id


def orders_of_both() -> tuple[str, str]:
    trader = a_trader(OTHER)
    here = a_split_order(MORNING, trader, num_splits=2)
    return here, a_split_order(MORNING, trader, num_splits=2, broker_account=OTHER)


def first_of(*order_ids: str) -> list[str]:
    return [slices_of(one)[0].id for one in order_ids]


def status_of(order_id: str) -> SliceStatus:
    return slices_of(order_id)[0].status


def test_each_slice_is_placed_with_the_account_of_its_order(broker: SimulatedBroker, other: SimulatedBroker) -> None:
    here, there = orders_of_both()

    execute_slices(first_of(here, there), lambda: MORNING)

    placed = {one.client_order_id for one in (*broker.placements, *other.placements)}
    assert (len(broker.placements), len(other.placements), len(placed)) == (1, 1, 2)
    assert slices_of(here)[0].client_order_id == broker.placements[0].client_order_id
    assert slices_of(there)[0].client_order_id == other.placements[0].client_order_id


def test_fills_and_ends_are_those_of_the_own_book_though_ids_are_the_same(
    broker: SimulatedBroker, other: SimulatedBroker
) -> None:
    here, there = orders_of_both()
    execute_slices(first_of(here, there), lambda: MORNING)
    [broker_order_id] = broker.book.keys() & other.book.keys()
    other.fill(broker_order_id)

    track_slices(MORNING)

    assert (status_of(here), status_of(there)) == (SliceStatus.WORKING, SliceStatus.FILLED)
    broker.reject(broker_order_id)
    track_slices(MORNING)
    assert (status_of(here), status_of(there)) == (SliceStatus.REJECTED, SliceStatus.FILLED)


def test_a_book_that_cannot_be_read_stops_nothing_of_another_account(
    broker: SimulatedBroker, other: SimulatedBroker
) -> None:
    here, there = orders_of_both()
    # The account that comes first by name is the one whose book is read.
    broker.answers = other.answers = [accept_but_lose_the_answer]
    execute_slices(first_of(here, there), lambda: MORNING)
    other.is_book_readable = False

    with pytest.raises(BookUnavailable):
        resolve_slices(MORNING + timedelta(seconds=1))

    assert (status_of(here), status_of(there)) == (SliceStatus.WORKING, SliceStatus.UNKNOWN)
    other.is_book_readable = True
    resolve_slices(MORNING + timedelta(minutes=1))
    assert status_of(there) is SliceStatus.WORKING


def test_only_the_own_broker_is_asked_to_cancel_and_called_back_from(
    broker: SimulatedBroker, other: SimulatedBroker
) -> None:
    here, there = orders_of_both()
    execute_slices(first_of(here, there), lambda: MORNING)
    trader = an_owner_of(there)
    cancel_order(trader, there, MORNING, "the test")

    cancel_slices(MORNING)
    reconcile(MORNING)

    assert (broker.cancels, len(other.cancels)) == ([], 1)
    assert status_of(here) is SliceStatus.WORKING


def an_owner_of(order_id: str) -> OneAccount:
    return OneAccount(order(order_id).account_id)


def test_an_account_whose_database_was_not_compared_sends_nothing_and_the_others_do(
    broker: SimulatedBroker, other: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = orders_of_both()
    sending_hold._clearance.cache_clear()
    other.is_book_readable = False
    try:
        # Whichever of the two comes first.
        assert sending_hold.may_send(broker)
        execute_slices(first_of(here, there), lambda: MORNING)
    finally:
        sending_hold._clearance.cache_clear()

    assert (len(broker.placements), len(other.placements)) == (1, 0)
    assert (status_of(here), status_of(there)) == (SliceStatus.WORKING, SliceStatus.SCHEDULED)


def test_what_looks_like_ours_at_the_first_look_into_a_new_account_holds_all_sending(
    broker: SimulatedBroker, other: SimulatedBroker
) -> None:
    foreign = Placement("A" * 20, "NSE:SBIN", "BUY", 1)  # type: ignore[arg-type]
    accounts.add_account("kite-three", "zerodha", "the test", utcnow())
    third = SimulatedBroker(name="kite-three")
    third.enter(foreign)
    other.enter(foreign)
    try:
        sending_hold.compare(other, utcnow())
        assert sending_hold.standing().hold is None
        sending_hold.compare(third, utcnow())
        assert sending_hold.standing().hold is not None
    finally:
        with db.transaction() as session:
            installation.release(session)


def test_an_account_that_hangs_holds_up_no_other_and_is_told_of_when_it_is_over(other: SimulatedBroker) -> None:
    may_go_on, asked = Event(), Counter[str]()

    def ask(broker: Broker) -> int:
        asked[broker.name] += 1
        if broker.name == OTHER and not may_go_on.is_set():
            may_go_on.wait(30)
            raise BookUnavailable("NETWORK", "away")
        return 1

    try:
        for times in (1, 2, 3):
            assert brokers.for_each_account("asking", ask) == 1
            assert asked == {OTHER: 1, "paper": times}
    finally:
        may_go_on.set()

    told: list[str] = []

    def is_told() -> bool:
        try:
            brokers.for_each_account("asking", ask)
        except BookUnavailable as error:
            told.append(error.code)
        return bool(told)

    wait_until(is_told)
    wait_until(lambda: brokers.for_each_account("asking", ask) == 2)
    assert told == ["NETWORK"]


def test_a_postback_has_the_book_of_its_own_account_read_and_no_other(
    broker: SimulatedBroker, other: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(pace, "LONGEST_PAUSE", 3600.0)
    # The postbacks of both are relied on.
    monkeypatch.setattr(pace, "paces", pace.Paces())
    for account in (broker, other):
        pace.paces.of(account)._right = pace.RELIED_ON_AFTER
    execute_slices(first_of(*orders_of_both()), lambda: MORNING)
    [broker_order_id] = broker.book.keys() & other.book.keys()

    # The first run reads each.
    track_slices(MORNING)
    before, of_other = broker.readings, other.readings

    hints.take_hint(hints.told([Hint(OTHER, broker_order_id)]))
    wait_until(lambda: track_slices(MORNING) is not None and other.readings > of_other)

    assert (broker.readings, other.readings) == (before, of_other + 1)


def test_a_sweep_asks_the_accounts_that_it_has_work_for(other: SimulatedBroker) -> None:
    asked: list[str] = []

    def ask(broker: Broker) -> int:
        asked.append(broker.name)
        return 1

    assert brokers.for_each_account("asking", ask, lambda broker: broker.name == OTHER) == 1
    assert brokers.for_each_account("asking", ask, lambda _broker: False) == 0
    assert asked == [OTHER]


def test_an_account_that_has_its_share_of_threads_leaves_its_slices_and_costs_them_nothing(
    broker: SimulatedBroker, other: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = orders_of_both()
    hung, may_go_on = Event(), Event()

    def hang(exchange: SimulatedBroker, placement: Placement) -> str:
        hung.set()
        may_go_on.wait(30)
        return exchange.enter(placement)

    other.answers = [hang]
    monkeypatch.setattr(execute, "shares", Shares(threads=2))
    first, second = (one.id for one in slices_of(there))

    def last_due() -> datetime:
        return slices_of(there)[1].due_at

    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(execute_slices, [first], last_due)
        try:
            assert hung.wait(30)
            assert execute_slices([second], last_due).made == {}
            before = slices_of(there)[1]
            assert execute.shares.take_aside(OTHER) == ([second],)
            assert execute_slices([slices_of(here)[0].id], last_due).made.keys() == {slices_of(here)[0].id}
        finally:
            may_go_on.set()
        under_way.result()

    assert (before.status, before.attempts) == (SliceStatus.SCHEDULED, 0)
    assert len(broker.placements) == 1
    execute_slices([second], last_due)
    assert [one.status for one in slices_of(there)] == [SliceStatus.WORKING] * 2
    assert [one.attempts for one in slices_of(there)] == [1, 1]


def test_an_order_names_an_account_that_there_is_and_that_is_granted(
    broker: SimulatedBroker, other: SimulatedBroker
) -> None:
    trader = an_account()
    wanted = a_new_order(broker_account=OTHER)

    with pytest.raises(UnknownBrokerAccount) as unknown:
        submit_order(trader, a_new_order(broker_account="kite-nine"), MORNING)
    with pytest.raises(BrokerAccountNotGranted) as refused:
        submit_order(trader, wanted, MORNING)
    assert unknown.value.details == {"field": "broker_account", "broker_account": "kite-nine"}
    assert (unknown.value.status, refused.value.status) == (422, 403)

    grants.grant(OTHER, trader, "the test", utcnow())
    placed = submit_order(trader, wanted, MORNING)
    grants.revoke_grant(OTHER, trader, "the test", utcnow())

    assert submit_order(trader, wanted, MORNING) == type(placed)(placed.order_id, is_new=False)
    with pytest.raises(BrokerAccountNotGranted):
        submit_order(trader, a_new_order(broker_account=OTHER), MORNING)
    assert submit_order(trader, a_new_order(), MORNING).is_new


def test_a_repeat_that_names_another_account_is_another_order(broker: SimulatedBroker, other: SimulatedBroker) -> None:
    trader, key = a_trader(OTHER), "the-same-key"
    submit_order(trader, a_new_order(order_unique_key=key), MORNING)

    assert not submit_order(trader, a_new_order(order_unique_key=key, broker_account="paper"), MORNING).is_new
    with pytest.raises(DuplicateOrderUniqueKey) as refused:
        submit_order(trader, a_new_order(order_unique_key=key, broker_account=OTHER), MORNING)
    assert refused.value.details["differs"] == ["broker_account"]


def test_grants_are_given_and_taken_once_and_told_in_the_audit(other: SimulatedBroker) -> None:
    trader = a_trader(OTHER, OTHER)
    assert [one.account_id for one in grants.grants_of(OTHER)] == [trader]

    for _ in range(2):
        grants.revoke_grant(OTHER, trader, "anna", utcnow())

    assert grants.grants_of(OTHER) == []
    with db.transaction() as session:
        told = [(one.action, one.actor) for one in session.query(AuditEntry).order_by(AuditEntry.id)]
    assert told[-3:] == [
        ("broker_account.added", "the test"),
        ("broker_account.granted", "the test"),
        ("broker_account.grant_revoked", "anna"),
    ]


@pytest.mark.parametrize("name", ["demo", "demo-0a1b2c"])
def test_the_demo_user_trades_on_paper_only(other: SimulatedBroker, name: str) -> None:
    with db.transaction() as session:
        users.add(session, "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", name, "no hash", Role.TRADER, utcnow())

    with pytest.raises(InvalidState, match="paper only"):
        grants.grant(OTHER, "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", "the test", utcnow())
    with pytest.raises(BrokerAccountNotGranted):
        an_order(MORNING, "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", broker_account=OTHER)
    assert [one.name for one in accounts.accounts_for("acc_01M83H5T3ZC6N2GQ1W9J8X4K7B")] == ["paper"]


def test_what_cannot_be_added_or_granted_is_refused(other: SimulatedBroker) -> None:
    for name, at, refusal in (
        ("Kite", "zerodha", InvalidRequest),
        ("kite-four", "robinhood", InvalidRequest),
        ("kite-four", "paper", InvalidRequest),
        (OTHER, "zerodha", InvalidState),
        ("paper", "zerodha", InvalidState),
    ):
        with pytest.raises(refusal):
            accounts.add_account(name, at, "the test", utcnow())
    with pytest.raises(NotFound):
        grants.grant("kite-four", an_account(), "the test", utcnow())
    with pytest.raises(NotFound):
        grants.grant(OTHER, "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", "the test", utcnow())


def test_the_credentials_of_the_environment_are_those_of_one_account_and_new_ones_make_a_new_connection(
    clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PULSE_BROKER": "zerodha", "KITE_API_KEY": "k1", "KITE_ACCESS_TOKEN": "t1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULSE_PAPER_EXCHANGE_URL")
    with connected_to(clean_database):
        accounts.add_account(OTHER, "zerodha", "the test", utcnow())
        assert [one.name for one in brokers.reachable()] == ["zerodha"]
        for name in ("paper", OTHER, "kite-nine"):
            with pytest.raises(brokers.NotConnected):
                brokers.connect(name)
        first = brokers.connect("zerodha")
        assert brokers.connect("zerodha") is first
        monkeypatch.setattr(brokers, "credentials_of", lambda _account: Credentials("k1", "t2"))
        assert brokers.connect("zerodha") is not first


@pytest.fixture
def other_root() -> Iterator[tuple[str, list[str]]]:
    """A broker with an empty book, and what was asked of it."""
    asked: list[str] = []

    class Kite(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(f"{self.command} {self.path}")
            body = b'{"status": "success", "data": []}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Kite)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_after_the_switch_nothing_of_a_paper_order_goes_to_the_other_root(
    clean_database: str, other_root: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = a_split_order(num_splits=30)
    root, asked = other_root
    given = {"PULSE_BROKER": "zerodha", "KITE_ROOT_URL": root, "KITE_API_KEY": "k1", "KITE_ACCESS_TOKEN": "t1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULSE_PAPER_EXCHANGE_URL")
    with connected_to(clean_database):
        at = utcnow() + timedelta(minutes=30)
        for task in (Task.DISPATCH_DUE_SLICES, Task.TRACK_SLICES, Task.RESOLVE_SLICES, Task.CANCEL_SLICES):
            SWEEPS[task].run(at)
        assert dispatch_due_slices(at) == 0
        execute_slices([one.id for one in slices_of(order_id)], lambda: at)
        for task in (Task.RECONCILE, Task.END_DAY, Task.WATCH_HOLD):
            SWEEPS[task].run(at)

        found = slices_of(order_id)
    assert {one.status for one in found} == {SliceStatus.SCHEDULED}
    assert {one.attempts for one in found} == {0}
    assert [one for one in asked if not one.startswith("GET /orders") and not one.startswith("GET /trades")] == []


def test_an_account_that_is_added_is_known_everywhere_a_second_later(clean_database: str) -> None:
    assert directory.accounts_known().keys() == {"paper"}
    accounts.add_account(OTHER, "zerodha", "the test", utcnow())

    assert directory.accounts_known().keys() == {OTHER, "paper"}
    assert [(one.name, one.is_live, one.is_default) for one in accounts.every_account()] == [
        (OTHER, True, False),
        ("paper", False, True),
    ]


def test_the_command_line_adds_grants_and_lists(clean_database: str) -> None:
    def pulse(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["broker", *arguments])

    with db.transaction() as session:
        users.add(session, "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", "meera", "no hash", Role.TRADER, utcnow())
    assert pulse("add", OTHER, "--broker", "zerodha").exit_code == 0
    assert pulse("add", OTHER, "--broker", "zerodha").exit_code == EXIT_REFUSED
    assert pulse("grant", OTHER, "meera").exit_code == 0
    assert pulse("grant", OTHER, "nobody").exit_code == EXIT_REFUSED

    listed = json.loads(pulse("list", "--json").stdout)
    assert [(one["name"], one["is_live"], one["granted_to"]) for one in listed] == [
        (OTHER, True, ["meera"]),
        ("paper", False, []),
    ]
    shown = pulse("list").stdout
    assert "everybody" in shown
    assert "meera" in shown
    pulse("revoke-grant", OTHER, "meera")
    assert grants.grants_of(OTHER) == []
