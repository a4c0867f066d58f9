"""The operators' commands, run as operators run them, with Redis out of reach."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.brokers.port import Refused
from pulse_core.clock import utcnow
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.store import slices
from pulse_ops.stack.processes import executable
from tests.support.broker import SimulatedBroker, answer_with, lose_the_request
from tests.support.factories import a_slice, a_split_order, slices_of

CELERY = ("celery", "-A", "pulse_tasks", "slices")
PULSE = ("pulse", "slices")


@pytest.fixture
def rejected(broker: SimulatedBroker) -> str:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    return first.id


def run(environment: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    redis_is_down = {**environment, "PULSE_QUEUE_URL": "redis://127.0.0.1:1/0"}
    return subprocess.run(executable(command), env=redis_is_down, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", [CELERY, PULSE])
def test_failed_slices_are_listed_as_json(environment: dict[str, str], rejected: str, command: Sequence[str]) -> None:
    listed = run(environment, *command, "list", "--status", "rejected", "--since", "1h", "--json")

    assert [(one["slice_id"], one["error_code"]) for one in json.loads(listed.stdout)] == [
        (rejected, "MarginException")
    ]


def test_a_retry_through_celery_reschedules_the_slice_and_a_second_one_is_refused(
    environment: dict[str, str], rejected: str
) -> None:
    first = run(environment, *CELERY, "retry", rejected)
    second = run(environment, *CELERY, "retry", rejected)

    assert (first.returncode, second.returncode) == (0, 4)
    assert "refused" in second.stdout
    assert "SCHEDULED" in second.stdout
    assert a_slice(rejected).status is SliceStatus.SCHEDULED


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(environment: dict[str, str], rejected: str) -> None:
    done = run(environment, *PULSE, "retry", "--all-failed", "--since", "1h", "--dry-run", "--json")

    assert json.loads(done.stdout) == [{"slice_id": rejected, "result": "would retry", "reason": None}]
    assert a_slice(rejected).status is SliceStatus.REJECTED


def test_a_slice_is_shown_with_every_attempt_and_answer(environment: dict[str, str], rejected: str) -> None:
    shown = json.loads(run(environment, *PULSE, "show", rejected, "--json").stdout)

    assert [one["outcome"] for one in shown["attempts_made"]] == ["REFUSED"]
    assert any(event["detail"].get("answer") == "not enough funds" for event in shown["events"])


@pytest.fixture
def doubted(broker: SimulatedBroker) -> str:
    """A slice of 20 of which nobody knows what became, sent two days ago."""
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    with db.transaction() as session:
        slices.change(session, first.id, utcnow(), sent_at=utcnow() - timedelta(days=2))
    return first.id


def test_a_doubt_is_listed_and_settled_once(environment: dict[str, str], doubted: str) -> None:
    listed = run(environment, *PULSE, "list", "--to-settle", "--json")
    settle = ("settle", doubted, "--filled", "12", "--price", "2500.05")
    first, second = run(environment, *PULSE, *settle, "--json"), run(environment, *CELERY, *settle)

    assert [one["slice_id"] for one in json.loads(listed.stdout)] == [doubted]
    assert json.loads(first.stdout) == [{"slice_id": doubted, "result": "EXPIRED", "reason": None}]
    assert (second.returncode, "it is EXPIRED, and there is nothing to settle" in second.stdout) == (4, True)
    assert (a_slice(doubted).filled_quantity, a_slice(doubted).average_price) == (12, Decimal("2500.05"))


def test_a_slice_that_was_never_placed_is_settled_with_a_reason(environment: dict[str, str], doubted: str) -> None:
    unreasoned = run(environment, *PULSE, "settle", doubted, "--absent")
    settled = run(environment, *CELERY, "settle", doubted, "--absent", "--reason", "not in the tradebook")

    assert (unreasoned.returncode, "reason is needed" in unreasoned.stdout) == (4, True)
    assert (settled.returncode, a_slice(doubted).status) == (0, SliceStatus.FAILED)


def test_a_doubt_of_today_is_not_listed_and_not_settled(environment: dict[str, str], broker: SimulatedBroker) -> None:
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)

    refused = run(environment, *PULSE, "settle", first.id, "--absent", "--reason", "not in the tradebook")

    assert (refused.returncode, "can still tell" in refused.stdout) == (4, True)
    assert json.loads(run(environment, *PULSE, "list", "--to-settle", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("retry",), "Give one of these"),
        (("settle",), "Missing argument"),
        (("settle", "sl_1", "--filled", "5", "--price", "-1"), "not a price such as 2500.05"),
        (("retry", "--all-failed"), "needs --since"),
        (("list", "--since", "yesterday"), "not a length of time"),
        (("list", "--status", "lost"), "not one of"),
    ],
)
def test_wrong_usage_is_said_in_one_sentence(
    environment: dict[str, str], clean_database: str, arguments: Sequence[str], said: str
) -> None:
    refused = run(environment, *PULSE, *arguments)

    assert refused.returncode == 2
    assert said in refused.stderr


def test_a_slice_that_does_not_exist_is_a_sentence_and_exit_code_4(
    environment: dict[str, str], clean_database: str
) -> None:
    shown = run(environment, *PULSE, "show", "sl_nothing")

    assert (shown.returncode, "there is no slice" in shown.stderr) == (4, True)
