"""Logins, and a change of the vault's keys, while slices go out twenty a second: none is lost, none sent twice."""

import json
import re
import resource
import secrets
import signal
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import redis
from sqlalchemy import text

from api_contract.vocabulary import CatchUp, SliceStatus
from pulse_core import config
from pulse_core.broker_accounts import credentials, vault
from pulse_core.clock import utcnow
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from tests.integration.test_broker_logins import PAPER, REDIRECT, add_account, log_in, present
from tests.support import servers
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.factories import a_split_order, slices_of
from tests.support.processes import Processes, wait_until

SLICES, A_SECOND = 100, 20
BODY = re.compile(r'"body": "([A-Za-z0-9+/=]+)"')
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


def test_slices_go_on_through_logins_and_a_change_of_keys_and_no_secret_is_left_anywhere(
    exchange: RunningExchange, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {name: str(value) for name, value in environment.items()}
    here |= {"PULSE_PAPER_EXCHANGE_URL": exchange.url, "KITE_API_KEY": API_KEY, "KITE_ACCESS_TOKEN": ACCESS_TOKEN}
    here |= {"PULSE_VAULT_KEYS": vault_keys(), "PULSE_OVERDUE_AFTER": "1", "PULSE_RETRY_BACKOFF_MAX": "1"}
    processes = Processes(tmp_path, here)
    tokens = [access_token()]
    try:
        with core_files_allowed(), heard_by_redis(here["PULSE_QUEUE_URL"]) as heard:
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
            tokens.append(access_token())
            assert vault.reseal_all().count == 1
            wait_until(lambda: sent(order_id) >= 3 * A_SECOND)
            log_in()
            tokens.append(access_token())
            # A login may end the token of before a moment earlier than its own is stored: the account is held then.
            wait_until(lambda: sent(order_id) == SLICES, seconds=90, what="every slice at the exchange")
            assert worker.process is not None
            worker.process.send_signal(signal.SIGABRT)
            assert worker.process.wait(20) == -signal.SIGABRT
    finally:
        processes.close()
    assert statuses(order_id).keys() <= {one.value for one in SENT}
    tags = Counter(one.tag for one in exchange.ledger().__enter__().orders())
    assert len(tags) == SLICES
    assert set(tags.values()) == {1}
    assert len(processes.children) == 1
    taken = [line["version"] for line in lines(worker.log_path) if line["event"] == "credentials taken"]
    assert taken == [1, 2, 3]
    assert len(set(tokens)) == 3
    told = worker.log_path.read_text() + "".join(heard)
    assert slices_of(order_id)[-1].id in "".join(heard)
    secrets_of_it = [API_SECRET, *tokens, *(one.partition(":")[2] for one in vault_keys().split(","))]
    assert [secret for secret in secrets_of_it if secret in told] == []
    assert list(Path.cwd().glob("core*")) == []


@contextmanager
def core_files_allowed() -> Iterator[None]:
    """What is started meanwhile would leave one, if it did not see to it itself."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


@contextmanager
def heard_by_redis(url: str) -> Iterator[list[str]]:
    """Every command that Redis is sent while the block runs, and what the bodies of messages say."""
    heard: list[str] = []
    end = secrets.token_hex(8)

    def listen() -> None:
        for one in monitor.listen():
            heard.append(one["command"])
            heard.extend(b64decode(body).decode() for body in BODY.findall(one["command"]))
            if end in one["command"]:
                return

    with redis.Redis.from_url(url) as client, client.monitor() as monitor:
        listening = Thread(target=listen)
        listening.start()
        try:
            yield heard
        finally:
            client.echo(end)
            listening.join()


def access_token() -> str:
    token = present().access_token
    assert token
    return token


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
