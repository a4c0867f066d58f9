"""One process at a time reads the book for working slices; whoever dies over it holds the others up for seconds."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from threading import Semaphore

import pytest
from sqlalchemy import text

from pulse_core import db
from pulse_core.brokers.port import BookUnavailable
from pulse_core.clock import utcnow
from pulse_core.errors import DatabaseUnavailable
from pulse_core.trading.book import turns
from pulse_core.trading.book.turns import Turn, seized_turn, turn
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import track_slices
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, slices_of
from tests.support.processes import wait_until

REST, CPU_REST, LONGEST_REST = turns.REST, turns.CPU_REST, turns.LONGEST_REST
READER = """
import sys, time
from datetime import timedelta
from pulse_core.trading.book import turns
turns.LEASE = timedelta(seconds=1)
with turns.turn(sys.argv[1]) as taken:
    print(taken is not None, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn and no rest ends because the machine is busy."""
    monkeypatch.setattr(turns, "LEASE", timedelta(seconds=60))
    monkeypatch.setattr(turns, "LONGEST_REST", timedelta(seconds=60))


@pytest.fixture
def resting(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    """All rest after a reading, as they do outside tests."""
    monkeypatch.setattr(turns, "REST", REST)
    monkeypatch.setattr(turns, "CPU_REST", CPU_REST)
    return broker


@pytest.fixture
def readers(clean_database: str, environment: dict[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for one in started:
        one.kill()
        one.wait()


def is_free(broker: str = "paper") -> bool:
    with turn(broker) as taken:
        return taken is not None


def set_instants(**instants: str) -> None:
    with db.transaction() as session:
        changes = ", ".join(f"{name} = clock_timestamp() + interval '{value}'" for name, value in instants.items())
        session.execute(text(f"UPDATE book_turns SET {changes}"))


def seconds(between: str) -> float:
    with db.transaction() as session:
        return float(session.execute(text(f"SELECT extract(epoch FROM {between}) FROM book_turns")).scalar_one())


def a_filled_slice(broker: SimulatedBroker) -> str:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker.fill(a_slice(first.id).broker_order_id or "")
    return first.id


def test_one_reads_for_a_broker_and_the_others_leave_it_at_that(broker: SimulatedBroker) -> None:
    slice_id, before = a_filled_slice(broker), broker.readings

    with turn("paper"):
        assert not is_free()
        assert is_free("another")
        assert track_slices(utcnow()) == 0
        assert broker.readings == before

    assert track_slices(utcnow()) == 1
    assert a_slice(slice_id).filled_quantity == 20


def test_all_rest_as_long_as_the_reading_took_and_never_long(
    resting: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with turn("paper"):
        set_instants(taken_at="-50s")
    assert seconds("next_at - held_until") == pytest.approx(seconds("held_until - taken_at"), abs=0.01)
    assert not is_free()

    set_instants(next_at="-1ms")
    monkeypatch.setattr(turns, "LONGEST_REST", LONGEST_REST)
    with turn("paper"):
        set_instants(taken_at="-1h")
    assert seconds("next_at - held_until") == pytest.approx(5, abs=0.01)


def test_the_more_books_are_read_side_by_side_the_farther_apart_the_readings_of_each_are(
    resting: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter([10.0, 10.05, 20.0, 20.5])
    monkeypatch.setattr(turns, "thread_time", lambda: next(used))

    with turn("paper", among=4):
        pass
    assert seconds("next_at - taken_at") == pytest.approx(4 * CPU_REST * 0.05)
    assert not is_free()

    set_instants(next_at="-1ms")
    with turn("paper", among=4):
        pass
    assert seconds("next_at - taken_at") == pytest.approx(turns.LONGEST_SPACING.total_seconds())


def test_a_few_whole_books_are_read_at_a_time_and_who_has_waited_long_reads_all_the_same(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_places", Semaphore(2))
    monkeypatch.setattr(turns, "PATIENCE", 0.0)

    with turn("one"), seized_turn("another"):
        assert not turns._places.acquire(blocking=False)
        assert is_free("a third")
        assert not turns._places.acquire(blocking=False)
        monkeypatch.setattr(turns, "PATIENCE", float("nan"))
        with turn("a fourth", is_whole=False) as taken:
            assert taken is not None

    assert [turns._places.acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_no_rest_follows_a_failure(resting: SimulatedBroker) -> None:
    a_filled_slice(resting)
    resting.is_book_readable = False
    for _ in range(2):
        with pytest.raises(BookUnavailable):
            track_slices(utcnow())
    assert is_free()


def test_look_ups_keep_their_distance_whoever_makes_them(resting: SimulatedBroker) -> None:
    with turn("paper") as taken:
        assert taken is not None
        taken.spacing = timedelta(seconds=50)

    assert seconds("next_at - taken_at") == pytest.approx(50)
    assert not is_free()


def test_a_turn_that_is_kept_lasts_longer_and_one_that_is_not_ends(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with turn("paper") as taken:
        assert isinstance(taken, Turn)
        set_instants(held_until="-1ms")
        taken.keep()
        assert seconds("held_until - clock_timestamp()") < 0
        monkeypatch.setattr(taken, "_kept_at", taken._kept_at - 21)
        taken.keep()
        assert not is_free()

        set_instants(held_until="-1ms")
        assert is_free()


def test_what_a_clock_that_was_set_has_written_counts_as_past(broker: SimulatedBroker) -> None:
    with turn("paper"):
        set_instants(held_until="1 day", next_at="1 day")
        assert is_free()


def test_reconciling_waits_for_nobody_and_its_turn_is_its_own(broker: SimulatedBroker) -> None:
    slice_id = a_filled_slice(broker)

    with turn("paper") as reader:
        assert reconcile(utcnow()) == 1
        assert a_slice(slice_id).filled_quantity == 20
        with seized_turn("paper"):
            assert reader is not None
            reader.give_back(0)
            assert not is_free()
    assert is_free()


def test_two_readers_at_once_do_no_harm(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    slice_id = a_filled_slice(broker)
    read = broker.trade_book

    def read_while_the_turn_is_lost(*_since: object) -> object:
        monkeypatch.setattr(broker, "trade_book", read)
        set_instants(held_until="-1ms")
        assert track_slices(utcnow()) == 1
        return read()

    monkeypatch.setattr(broker, "trade_book", read_while_the_turn_is_lost)

    assert track_slices(utcnow()) == 0
    assert a_slice(slice_id).filled_quantity == 20


def test_a_database_that_goes_away_over_a_reading_is_not_hidden_and_the_turn_runs_out(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_away(*_arguments: object) -> None:
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(turns.book_turns, "give_back", go_away)
        with pytest.raises(ZeroDivisionError), turn("paper"):
            raise ZeroDivisionError
        with turn("another"):
            pass

    assert not is_free()


def test_a_reader_that_is_killed_or_stopped_is_followed_by_another_within_seconds(
    readers: list[subprocess.Popen[str]], environment: dict[str, str]
) -> None:
    for name in ("killed", "stopped"):
        command = [sys.executable, "-c", READER, name]
        readers.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    for one, sign in zip(readers, (signal.SIGKILL, signal.SIGSTOP), strict=True):
        assert one.stdout is not None
        assert one.stdout.readline() == "True\n"
        one.send_signal(sign)

    for name in ("killed", "stopped"):
        wait_until(lambda one=name: is_free(one), 30, f"the turn of the reader that was {name}")
