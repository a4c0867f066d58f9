"""How the task of a slice ends: as its slice stands, in the broker's words."""

import logging
from collections.abc import Sequence

import pytest

from api_contract.vocabulary import SliceStatus
from pulse_core.brokers.port import BookUnavailable, NotSent, OutcomeUnknown, Refused
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.trading.slice import execute, operations
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_slice, a_split_order, slices_of

REFUSED = Refused("MarginException", "Insufficient funds.")
NOT_SENT = NotSent("CONNECTION_REFUSED", "nobody answered")
UNKNOWN = OutcomeUnknown("TIMEOUT", "no answer within 7 s")
NAMES = {SliceStatus.REJECTED: "SliceRejected", SliceStatus.SCHEDULED: "SliceNotSent"}


def a_due_slice() -> str:
    return slices_of(a_split_order())[0].id


def run(*slice_ids: str) -> str:
    from pulse_tasks.execute import execute_slice

    result: str = execute_slice(*slice_ids)
    return result


def test_a_placed_slice_names_its_order_at_the_broker(broker: SimulatedBroker) -> None:
    slice_id = a_due_slice()

    assert run(slice_id) == f"placed as {a_slice(slice_id).broker_order_id}"
    assert run(slice_id) == "nothing to send"


def test_a_refused_slice_fails_in_the_words_of_the_broker(broker: SimulatedBroker) -> None:
    from pulse_tasks.failures import SliceRejected

    broker.answers = [answer_with(REFUSED)]
    slice_id = a_due_slice()

    with pytest.raises(SliceRejected, match=r"^MarginException: Insufficient funds\.$"):
        run(slice_id)
    assert a_slice(slice_id).status is SliceStatus.REJECTED


def test_a_slice_in_doubt_fails_and_says_why(broker: SimulatedBroker) -> None:
    from pulse_tasks.failures import SliceInDoubt

    broker.answers = [answer_with(UNKNOWN)]
    slice_id = a_due_slice()

    with pytest.raises(SliceInDoubt, match=r"^TIMEOUT: no answer within 7 s$"):
        run(slice_id)
    assert a_slice(slice_id).status is SliceStatus.UNKNOWN


def test_a_slice_that_was_not_sent_is_a_retry_and_its_last_attempt_a_failure(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pulse_tasks.failures import SliceFailed, SliceNotSent

    broker.answers = [answer_with(NOT_SENT)] * 2
    again, last = a_due_slice(), a_due_slice()

    with pytest.raises(SliceNotSent) as raised:
        run(again)
    assert repr(raised.value) == "SliceNotSent('CONNECTION_REFUSED: nobody answered')"
    assert a_slice(again).status is SliceStatus.SCHEDULED

    monkeypatch.setattr("pulse_core.trading.slice.outcome.settings", lambda: one_attempt)
    one_attempt = settings().model_copy(update={"placement_attempts": 1})
    with pytest.raises(SliceFailed, match="CONNECTION_REFUSED"):
        run(last)
    assert a_slice(last).status is SliceStatus.FAILED


def test_a_refusal_leaves_no_stack_trace_in_the_log(
    broker: SimulatedBroker, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from pulse_tasks.failures import SliceRejected

    broker.answers = [answer_with(REFUSED)]
    slice_id = a_due_slice()
    with pytest.raises(SliceRejected), caplog.at_level(logging.INFO):
        run(slice_id)

    printed = capsys.readouterr()
    assert "Traceback" not in caplog.text + printed.out + printed.err
    assert "task failed" not in caplog.text + printed.out + printed.err


def test_a_task_that_is_put_off_fails_with_the_reason(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    from pulse_tasks.failures import PutOff

    def be_away(_slice_ids: Sequence[str]) -> None:
        raise BookUnavailable("BOOK_DOWN", "the book is away")

    monkeypatch.setattr(execute, "execute_slices", be_away)
    with pytest.raises(PutOff, match="the book is away"):
        run("sl_1")


def test_a_retry_that_is_refused_fails_with_the_reason(broker: SimulatedBroker) -> None:
    from pulse_tasks.failures import RetryRefused
    from pulse_tasks.retry import retry_slice

    slice_id = a_due_slice()
    reason = operations.why_not_retried(slice_id, utcnow())

    with pytest.raises(RetryRefused, match=str(reason)):
        retry_slice(slice_id)


def test_a_batch_names_each_slice_and_its_order_at_the_broker(broker: SimulatedBroker) -> None:
    batch = [a_due_slice() for _ in range(2)]

    assert run(*batch) == "; ".join(f"{one} placed as {a_slice(one).broker_order_id}" for one in batch)
    assert run(*batch) == "nothing to send"


def test_a_batch_fails_if_one_of_its_slices_does_and_names_it_in_the_words_of_the_broker(
    broker: SimulatedBroker,
) -> None:
    from pulse_tasks.failures import SliceNotSent, SliceRejected, SlicesFailed

    for errors, kind in (
        ([REFUSED], SliceRejected),
        ([NOT_SENT], SliceNotSent),
        ([REFUSED, REFUSED], SliceRejected),
        ([REFUSED, NOT_SENT], SlicesFailed),
    ):
        batch = [a_due_slice() for _ in range(3)]
        broker.answers = [answer_with(error) for error in errors]

        with pytest.raises(kind) as raised:
            run(*batch)

        failed = [one for one in batch if a_slice(one).status is not SliceStatus.WORKING]
        assert len(failed) == len(errors)
        for one in failed:
            error = a_slice(one)
            name = "" if kind is not SlicesFailed else f"{NAMES[error.status]}: "
            assert f"{one}: {name}{error.error_code}: {error.error_message}" in str(raised.value)


def test_a_refusal_that_the_book_showed_ends_a_batch_too(broker: SimulatedBroker) -> None:
    from pulse_tasks.failures import SliceRejected

    broker.answers = [answer_with(REFUSED)]
    refused, placed = a_due_slice(), a_due_slice()
    with pytest.raises(SliceRejected):
        run(refused)

    with pytest.raises(SliceRejected, match=rf"^{refused}: MarginException: Insufficient funds\.$"):
        run(refused, placed)
    assert a_slice(placed).status is SliceStatus.WORKING
