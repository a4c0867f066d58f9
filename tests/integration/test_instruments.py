"""Brokers' lists are loaded as a whole or not at all, and orders are held to the one in force."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, text

from api_contract.alarms import AlarmStatus
from api_contract.errors import DuplicateOrderUniqueKey, InvalidRequest, NotFound, NotListedSo
from api_contract.vocabulary import LoadOutcome, OrderStatus, OrderType, Product
from pulse_core import brokers, config, db, instrument_loading, queue
from pulse_core.broker_accounts import directory
from pulse_core.brokers.instruments import Listing, ListsInstruments
from pulse_core.brokers.port import Broker
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.instrument_loading import load_instruments
from pulse_core.instruments import current, queries
from pulse_core.instruments.store import loads
from pulse_core.instruments.store.instruments import Asked
from pulse_core.instruments.tables import Instrument
from pulse_core.metrics.broker_calls import Measured
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.store import alarms
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_ops.cli import main
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_new_order, an_account, order, slices_of
from tests.support.instruments import ListingBroker, a_future, a_share, cut_off, shares
from tests.support.statements import statements

PAPER = "paper"
INDIA = ZoneInfo("Asia/Kolkata")


@pytest.fixture(autouse=True)
def lister(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListingBroker]:
    """A broker that lists a share and a future; no message reaches anybody."""
    broker = ListingBroker(listed=[a_share(), a_share("M&M"), a_future()])
    monkeypatch.setattr(brokers, "connect", lambda _account: broker)
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_EXCHANGES", "NSE,BSE,NFO")
        config.settings.cache_clear()
        directory.forget()
        current.forget()
        current._line.cache_clear()
        yield broker
    config.settings.cache_clear()
    current.forget()


def load_again(*, accepts_smaller: bool = False) -> queries.LoadReport:
    """Ask for a load, and what became of it."""
    asked = queries.ask_for_load(PAPER, "ops", accepts_smaller=accepts_smaller)
    load_instruments(utcnow())
    return queries.load_report(asked.id)


def listed_symbols() -> list[str]:
    return [one.symbol for one in queries.instrument_page(PAPER, Asked(), 200).instruments]


def stale() -> list[Alarm]:
    with db.transaction() as session:
        return list(alarms.page(session, AlarmFilters(code=AlarmCode.INSTRUMENTS_STALE), 10, None))


def refused(**changes: object) -> NotListedSo:
    with pytest.raises(NotListedSo) as raised:
        submit_order(an_account(), a_new_order(**changes), utcnow())
    return raised.value


def test_without_a_list_orders_are_taken_as_ever() -> None:
    accepted = order(submit_order(an_account(), a_new_order(instrument="NSE:NOWHERE"), utcnow()).order_id)

    assert (accepted.lot_size, accepted.most_per_slice) == (1, None)
    assert queries.instrument_page(PAPER, Asked(), 10) == queries.InstrumentPage(PAPER, None, (), None)
    with pytest.raises(NotFound):
        queries.instrument_report(PAPER, "NSE:RELIANCE")


def test_the_list_of_the_day_is_loaded_once_and_again_when_somebody_asks(lister: ListingBroker) -> None:
    assert [load_instruments(utcnow()), load_instruments(utcnow())] == [1, 0]

    [loaded] = queries.list_loads()
    assert (loaded.outcome, loaded.listed, loaded.asked_by) == (LoadOutcome.LOADED, 3, "pulse")
    assert lister.asked == [frozenset({"NSE", "BSE", "NFO"})]
    lister.skipped = 2
    again = load_again()
    assert (again.outcome, again.skipped, again.asked_by, len(lister.asked)) == (LoadOutcome.LOADED, 2, "ops", 2)


def test_a_list_is_due_again_when_the_next_one_is_ready() -> None:
    load_instruments(utcnow())
    with db.transaction() as session:
        session.execute(text("UPDATE instrument_loads SET begun_at = begun_at - interval '24 hours'"))

    assert load_instruments(utcnow()) == 1


@pytest.mark.parametrize(("minutes", "expected"), [(0, 1), (3, 0)])
def test_what_came_before_the_list_of_the_day_was_ready_is_not_it(minutes: int, expected: int) -> None:
    """It is ready in so many `minutes`, by the Indian clock; what there is came two minutes ago."""
    load_instruments(utcnow())
    with db.transaction() as session:
        session.execute(text("UPDATE instrument_loads SET begun_at = begun_at - interval '2 minutes'"))
    ready_at = utcnow().astimezone(INDIA) + timedelta(minutes=minutes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_INSTRUMENTS_READY_AT", f"{ready_at:%H:%M}")
        config.settings.cache_clear()

        assert load_instruments(utcnow()) == expected
    config.settings.cache_clear()


def test_the_old_list_stays_with_one_alarm_until_a_new_one_is_whole(lister: ListingBroker) -> None:
    lister.listed = shares(100)
    load_again()
    before = listed_symbols()

    lister.trouble = cut_off()
    assert (load_again().outcome, load_again().outcome) == (LoadOutcome.FAILED, LoadOutcome.FAILED)
    lister.trouble, lister.listed = None, shares(89)
    assert load_again().outcome is LoadOutcome.REFUSED
    lister.listed = []
    assert load_again().reason == "it has no instrument of the exchanges that are served"

    assert listed_symbols() == before
    [alarm] = stale()
    assert (alarm.status, alarm.occurrences, alarm.subject) == (AlarmStatus.OPEN, 4, PAPER)
    lister.listed = shares(90)
    assert load_again().outcome is LoadOutcome.LOADED
    assert len(listed_symbols()) == 90
    assert [one.status for one in stale()] == [AlarmStatus.RESOLVED]


def test_an_operator_may_take_a_smaller_list_and_what_expires_or_is_no_longer_served_is_not_missed(
    lister: ListingBroker,
) -> None:
    expired = [a_future(f"F{number}", expires_on=date(2026, 1, 1)) for number in range(50)]
    lister.listed = [*shares(10), *shares(10, "BSE"), *expired]
    load_again()

    lister.listed = [*shares(10), a_share(exchange="BSE")]
    assert load_again().outcome is LoadOutcome.REFUSED
    assert load_again(accepts_smaller=True).outcome is LoadOutcome.LOADED
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_EXCHANGES", "NSE")
        config.settings.cache_clear()
        lister.listed = shares(10)
        assert load_again().outcome is LoadOutcome.LOADED
    config.settings.cache_clear()


def test_a_paper_exchange_that_lists_nothing_yet_raises_no_alarm_and_is_asked_again_soon(lister: ListingBroker) -> None:
    lister.trouble = cut_off()
    load_instruments(utcnow())
    assert (load_instruments(utcnow()), stale()) == (0, [])
    with db.transaction() as session:
        session.execute(
            text("UPDATE instrument_loads SET asked_at = now() - interval '6 s', ended_at = now() - interval '5 s'")
        )

    assert load_instruments(utcnow()) == 1


def test_a_load_that_keeps_failing_is_tried_less_and_less_often(lister: ListingBroker) -> None:
    lister.trouble = cut_off()
    load_instruments(utcnow())
    for failing, since_the_last, expected in (("60 s", "20 s", 0), ("60 s", "31 s", 1), ("9 h", "11 min", 1)):
        with db.transaction() as session:
            moved = "UPDATE instrument_loads SET asked_at = now() - interval '{}', ended_at = now() - interval '{}'"
            session.execute(text(moved.format(failing, since_the_last)))

        assert load_instruments(utcnow()) == expected, (failing, since_the_last)


def test_two_workers_load_one_list_between_them(lister: ListingBroker) -> None:
    both = Barrier(2)

    def load() -> int:
        both.wait()
        return load_instruments(utcnow())

    with ThreadPoolExecutor(2) as pool:
        assert sorted(one.result() for one in [pool.submit(load), pool.submit(load)]) == [0, 1]
    assert len(lister.asked) == 1
    assert len(listed_symbols()) == 3


def test_a_worker_that_was_held_up_takes_nothing_from_the_one_that_took_over(lister: ListingBroker) -> None:
    slow, quick = shares(5), shares(7)

    def taken_over(_exchanges: object) -> Listing:
        with db.transaction() as session:
            session.execute(text("UPDATE instrument_loads SET held_until = now() - interval '1 s'"))
        lister.instruments = ListingBroker(listed=quick).instruments  # type: ignore[method-assign]
        assert load_instruments(utcnow()) == 1
        return Listing(slow, 0)

    lister.instruments = taken_over  # type: ignore[method-assign,assignment]

    assert load_instruments(utcnow()) == 1

    assert len(listed_symbols()) == 7
    assert [one.listed for one in queries.list_loads()] == [7]
    assert lines_by_load() == {queries.list_loads()[0].id: 7}


def test_a_worker_that_was_held_up_leaves_the_list_to_the_one_that_took_over(lister: ListingBroker) -> None:
    def taken_over(_exchanges: object) -> Listing:
        with db.transaction() as session:
            session.execute(text("UPDATE instrument_loads SET held_until = now() - interval '1 s'"))
        with db.statement() as connection:
            assert loads.begin(connection, PAPER, "other", timedelta(minutes=3)) is not None
        return Listing(shares(5), 0)

    lister.instruments = taken_over  # type: ignore[method-assign,assignment]

    assert load_instruments(utcnow()) == 1

    assert ([one.outcome for one in queries.list_loads()], lines_by_load()) == ([None], {})


def test_a_load_that_a_dead_worker_left_is_taken_over_when_its_time_is_over() -> None:
    queries.ask_for_load(PAPER, "ops")
    with db.statement() as connection:
        begun = loads.begin(connection, PAPER, "gone", timedelta(minutes=3))
    assert begun is not None
    assert load_instruments(utcnow()) == 0
    with db.transaction() as session:
        session.execute(text("UPDATE instrument_loads SET held_until = now()"))

    assert load_instruments(utcnow()) == 1
    assert queries.load_report(begun.id).outcome is LoadOutcome.LOADED


def test_nobody_sees_half_a_list_and_lists_of_before_are_forgotten(
    lister: ListingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_again()

    def crash(*_args: object, **_named: object) -> None:
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(instrument_loading.loads, "end", crash)
        lister.listed = [a_share(), a_share("M&M"), a_share("NEW"), a_future()]
        with pytest.raises(RuntimeError):
            load_again()

    assert "NEW" not in listed_symbols()
    with db.transaction() as session:
        session.execute(text("UPDATE instrument_loads SET held_until = now() WHERE ended_at IS NULL"))
    for _ in range(3):
        load_again()
    assert sorted(lines_by_load().values()) == [4, 4]


def lines_by_load() -> dict[int, int]:
    with db.transaction() as session:
        counted = select(Instrument.load_id, func.count()).group_by(Instrument.load_id)
        return {row[0]: row[1] for row in session.execute(counted)}


Case = tuple[dict[str, object], str, str]
REFUSALS: dict[str, Case] = {
    "unknown": ({"instrument": "NSE:NOWHERE"}, "INSTRUMENT_NOT_TRADABLE", "instrument"),
    "of another exchange": ({"instrument": "BSE:RELIANCE"}, "INSTRUMENT_NOT_TRADABLE", "instrument"),
    "product": ({"product": Product.NRML}, "INSTRUMENT_NOT_TRADABLE", "product"),
    "tick": (
        {"order_type": OrderType.LIMIT, "limit_price": a_share().tick_size / 5}, "INVALID_TICK", "limit_price",
    ),
    "lot": (
        {"instrument": "NFO:NIFTY26DECFUT", "product": Product.NRML, "total_quantity": 700}, "INVALID_LOT",
        "total_quantity",
    ),
    "freeze": (
        {"instrument": "NFO:NIFTY26DECFUT", "product": Product.NRML, "total_quantity": 9750}, "QUANTITY_TOO_LARGE",
        "split_config.num_splits",
    ),
    "expired": (
        {"instrument": "NFO:OLDFUT", "product": Product.NRML, "total_quantity": 650}, "INSTRUMENT_NOT_TRADABLE",
        "instrument",
    ),
}  # fmt: skip


def test_what_is_not_listed_so_is_refused_halted(lister: ListingBroker) -> None:
    yesterday = (utcnow() - timedelta(days=1)).date()
    lister.listed.append(a_future("OLDFUT", expires_on=yesterday))
    load_again()

    found = {name: refused(**changes) for name, (changes, _, _) in REFUSALS.items()}

    assert {name: (one.code, one.details["field"]) for name, one in found.items()} == {
        name: (code, field) for name, (_, code, field) in REFUSALS.items()
    }
    assert found["unknown"].details["listed_at"] == str(utcnow().astimezone(INDIA).date())
    accepted = submit_order(an_account(), a_new_order(instrument="NSE:M&M"), utcnow())
    assert accepted.is_new


def test_a_future_is_split_in_lots_below_the_freeze_quantity(lister: ListingBroker) -> None:
    lister.listed[-1] = a_future(expires_on=(utcnow() + timedelta(days=30)).date())
    load_again()
    future = {"instrument": "NFO:NIFTY26DECFUT", "product": Product.NRML, "randomize": True}
    accepted = submit_order(an_account(), a_new_order(total_quantity=130 * 65, **future), utcnow())
    # What is listed later does not matter to an order that was accepted.
    lister.listed[-1] = a_future(lot_size=50)
    load_again()

    split_orders([accepted.order_id], utcnow())

    quantities = [one.quantity for one in slices_of(accepted.order_id)]
    assert order(accepted.order_id).status is OrderStatus.IN_PROGRESS
    assert (sum(quantities), {one % 65 for one in quantities}) == (130 * 65, {0})
    assert max(quantities) <= 1755


def test_a_repeat_finds_its_order_whatever_is_listed_by_then(lister: ListingBroker) -> None:
    account, new_order = an_account(), a_new_order()
    first = submit_order(account, new_order, utcnow())
    lister.listed = [a_share("TCS")]
    load_again()

    again = submit_order(account, new_order, utcnow())

    assert (again.order_id, again.is_new) == (first.order_id, False)
    with pytest.raises(DuplicateOrderUniqueKey):
        submit_order(account, replace(new_order, num_splits=4), utcnow())


def test_an_order_costs_no_statement_more_once_its_instrument_is_known() -> None:
    account = an_account()
    submit_order(account, a_new_order(), utcnow())
    with statements() as without:
        submit_order(account, a_new_order(), utcnow())
    load_again()
    submit_order(account, a_new_order(), utcnow())

    with statements() as with_list:
        submit_order(account, a_new_order(), utcnow())

    assert len(with_list) == len(without)


def test_a_process_that_has_not_heard_of_the_new_list_looks_before_it_refuses(lister: ListingBroker) -> None:
    load_again()
    assert refused(instrument="NSE:NEW").code == "INSTRUMENT_NOT_TRADABLE"
    lister.listed.append(a_share("NEW"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(current, "forget", lambda: None)
        load_again()

    assert submit_order(an_account(), a_new_order(instrument="NSE:NEW"), utcnow()).is_new


def test_instruments_are_found_by_how_their_symbols_begin_a_page_at_a_time(lister: ListingBroker) -> None:
    lister.listed = [a_share("M&M"), a_share("M&MFIN"), a_share("MA-B"), a_share("M&M", exchange="BSE"), a_share("L.T")]
    load_again()

    def named(asked: Asked, limit: int = 10, cursor: str | None = None) -> list[str]:
        return [one.instrument for one in queries.instrument_page(PAPER, asked, limit, cursor).instruments]

    assert named(Asked("M&M")) == ["BSE:M&M", "NSE:M&M", "NSE:M&MFIN"]
    assert named(Asked("M", "NSE")) == ["NSE:M&M", "NSE:M&MFIN", "NSE:MA-B"]
    assert named(Asked("Z")) == []
    first = queries.instrument_page(PAPER, Asked(), 3)
    assert named(Asked(), 3, first.next_cursor) == ["NSE:M&MFIN", "NSE:MA-B"]
    assert queries.instrument_page(PAPER, Asked(), 5).next_cursor is None
    with pytest.raises(InvalidRequest):
        named(Asked(), 3, "forged")
    assert queries.instrument_report(PAPER, "NSE:L.T").max_slice_quantity == 100_000
    for unknown in ("NSE:XX", "NSE", "nse:\0"):
        with pytest.raises(NotFound):
            queries.instrument_report(PAPER, unknown)


def test_an_operators_freeze_quantity_takes_the_place_of_the_releases() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_FREEZE_QUANTITIES", "NFO:NIFTY=700")
        config.settings.cache_clear()
        load_again()

    assert queries.instrument_report(PAPER, "NFO:NIFTY26DECFUT").max_slice_quantity == 650
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_FREEZE_QUANTITIES", "NIFTY=700")
        config.settings.cache_clear()
        with pytest.raises(ValueError, match="NFO:NIFTY=1800"):
            settings()
    config.settings.cache_clear()


def test_a_broker_that_lists_nothing_is_left_alone_and_one_that_is_measured_is_not(
    lister: ListingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "connect", lambda _account: SimulatedBroker())
    assert (load_instruments(utcnow()), queries.list_loads()) == (0, [])

    broker: Broker = lister
    assert not isinstance(Measured(broker), ListsInstruments)
    monkeypatch.setattr(brokers, "connect", lambda _account: Measured(broker))
    assert load_instruments(utcnow()) == 1


def markets(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["markets", *arguments])


def test_operators_load_and_look_from_a_terminal(lister: ListingBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = markets("instruments")
    assert "No list of paper was ever loaded" in empty.stderr

    def sleep(_seconds: float) -> None:
        load_instruments(utcnow())

    monkeypatch.setattr("pulse_ops.cli.instruments.time.sleep", sleep)
    loaded = markets("load")
    assert (loaded.exit_code, "3 instruments of paper are in force" in loaded.stderr) == (0, True)
    shown = json.loads(markets("instruments", "nif", "--json").stdout)
    assert [(one["instrument"], one["lot_size"]) for one in shown] == [("NFO:NIFTY26DECFUT", 65)]
    assert "RELIANCE" in markets("instruments", "--exchange", "NSE").stdout
    lister.listed = [a_share()]
    smaller = markets("load")
    assert (smaller.exit_code, "REFUSED" in smaller.stderr) == (1, True)
    assert markets("load", "--accept-smaller").exit_code == 0
    assert [one["outcome"] for one in json.loads(markets("loads", "--json").stdout)] == ["LOADED", "REFUSED", "LOADED"]
    monkeypatch.setattr("pulse_ops.cli.instruments.time.sleep", lambda _seconds: None)
    assert markets("load", "--wait", "0").exit_code == 1
    assert markets("load", "--broker", "nobody").exit_code == 4
