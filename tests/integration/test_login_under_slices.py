"""Logins, and a change of the vault's keys, while slices go out twenty a second: none is lost, none sent twice."""

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from api_contract.vocabulary import CatchUp, SliceStatus
from pulse_core import config
from pulse_core.broker_accounts import credentials, vault
from pulse_core.clock import utcnow
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from tests.integration.test_broker_logins import PAPER, REDIRECT, add_account, log_in
from tests.support import servers
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.factories import a_split_order, slices_of
from tests.support.processes import Processes, wait_until

SLICES, A_SECOND = 100, 20
SENT = {SliceStatus.WORKING, SliceStatus.FILLED}


@pytest.fixture
def exchange(
    clean_database: str, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path, more=["--redirect-url", REDIRECT]) as running:
        new, old = f"new:{secrets.token_urlsafe(32)}", environment["PULSE_VAULT_KEYS"]
        given = {"PULSE_PAPER_EXCHANGE_URL": running.url, "KITE_API_KEY": API_KEY, "KITE_API_SECRET": API_SECRET}
        for name, value in (given | {"KITE_ACCESS_TOKEN": ACCESS_TOKEN, "PULSE_VAULT_KEYS": old}).items():
            monkeypatch.setenv(name, value)
            environment = environment | {name: value}
        config.settings.cache_clear()
        credentials.forget()
        add_account(PAPER)
        log_in()
        monkeypatch.setenv("PULSE_VAULT_KEYS", f"{new},{old}")
        config.settings.cache_clear()
        yield running
    config.settings.cache_clear()
    credentials.forget()


def test_slices_go_on_through_logins_and_a_change_of_keys(
    exchange: RunningExchange, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {name: str(value) for name, value in environment.items()}
    here |= {"PULSE_PAPER_EXCHANGE_URL": exchange.url, "KITE_API_KEY": API_KEY, "KITE_ACCESS_TOKEN": ACCESS_TOKEN}
    here |= {"PULSE_VAULT_KEYS": vault_keys(), "PULSE_OVERDUE_AFTER": "1", "PULSE_RETRY_BACKOFF_MAX": "1"}
    processes = Processes(tmp_path, here)
    try:
        worker = processes.worker_slices()
        # What a hold keeps back is not spread over the minute.
        terms = {"catch_up": CatchUp.BURST, "max_slice_multiple": 10}
        order_id = a_split_order(num_splits=SLICES, total_quantity=SLICES, duration_minutes=1, **terms)
        due_from_now_on(order_id)
        dispatch_due_slices(utcnow())
        wait_until(lambda: sent(order_id) >= A_SECOND)
        # The standing token is what a worker falls back to in no case: there is a sealed one.
        exchange.control("PUT", "logins", {"standing_token": False})
        log_in()
        assert vault.reseal_all().count == 1
        wait_until(lambda: sent(order_id) >= 3 * A_SECOND)
        log_in()
        # A login may end the token of before a moment earlier than its own is stored: the account is held then.
        wait_until(lambda: sent(order_id) == SLICES, seconds=90, what="every slice at the exchange")
    finally:
        processes.close()
    assert statuses(order_id).keys() <= {one.value for one in SENT}
    tags = Counter(one.tag for one in exchange.ledger().__enter__().orders())
    assert len(tags) == SLICES
    assert set(tags.values()) == {1}
    assert len(processes.children) == 1
    taken = [line["version"] for line in lines(worker.log_path) if line["event"] == "credentials taken"]
    assert taken == [1, 2, 3]


def vault_keys() -> str:
    given = config.settings().pulse_vault_keys
    assert given is not None
    return given.get_secret_value()


def due_from_now_on(order_id: str) -> None:
    with servers.as_owner() as owner:
        owner.execute(
            text(
                "UPDATE order_slices SET turn_at = NULL, hinted_until = NULL,"
                " due_at = clock_timestamp() + interval '1 s' + sequence_number * interval '1 s' / :many"
                " WHERE order_id = :order_id"
            ),
            {"many": A_SECOND, "order_id": order_id},
        )


def statuses(order_id: str) -> dict[str, int]:
    return dict(Counter(one.status.value for one in slices_of(order_id)))


def sent(order_id: str) -> int:
    return sum(one.status in SENT for one in slices_of(order_id))


def lines(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
