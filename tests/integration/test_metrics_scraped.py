"""What Prometheus sees of a stack that trades: every metric, every query of the dashboard and the rules, and alerts."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from api_contract.metrics import DECLARED, Process
from pulse_core.broker_accounts.watch_logins import watch_logins
from pulse_core.clock import utcnow
from pulse_ops.cli import main
from pulse_ops.stack import probes, processes
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.integration.test_broker_logins import PAPER, REDIRECT, add_account, log_in
from tests.support import prometheus, servers
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, start_exchange
from tests.support.factories import an_order, order
from tests.support.processes import Processes, wait_until
from tests.support.prometheus import Prometheus, running_prometheus
from tests.unit.test_metrics import declare_all

SERVED_BY = {
    "gapi": Process.GAPI,
    "pulse": Process.PULSE,
    "worker-slices": Process.WORKER,
    "worker-control": Process.WORKER,
    "beat": Process.BEAT,
}
SLICES = 3
KEYS_AT_THE_BROKER = {"KITE_API_KEY": API_KEY, "KITE_API_SECRET": API_SECRET, "KITE_ACCESS_TOKEN": ACCESS_TOKEN}
OF_THE_CLIENT = ("python_", "process_")


@dataclass
class Scraped:
    """Where each process serves its metrics, and the Prometheus that asks for them."""

    urls: dict[str, str]
    gapi_url: str
    started: Processes
    broker: dict[str, str]
    prometheus: Prometheus | None

    def text(self, job: str) -> str:
        return requests.get(self.urls[job], timeout=10).text

    def value(self, job: str, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.text(job))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@pytest.fixture(scope="module")
def scraped(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    folder = tmp_path_factory.mktemp("scraped")
    servers.empty_database(environment["DATABASE_URL"])
    servers.empty_redis(environment["PULSE_QUEUE_URL"])
    with start_exchange(folder, more=["--redirect-url", REDIRECT]) as exchange:
        broker = {"PULSE_PAPER_EXCHANGE_URL": exchange.url, **KEYS_AT_THE_BROKER}
        limits = {"PULSE_BROKER_ORDERS_PER_SECOND": "10", "PULSE_DATABASE_LOCK_TIMEOUT": "0.5"}
        started = Processes(folder, environment | {"PULSE_QUEUE_PREFIX": "here:"} | broker | limits)
        try:
            yield from scraped_stack(started, broker, folder)
        finally:
            started.close()


def scraped_stack(started: Processes, broker: dict[str, str], folder: Path) -> Iterator[Scraped]:
    ports = {job: free_port() for job in SERVED_BY}
    at = {job: {"PULSE_METRICS_PORT": str(port)} for job, port in ports.items()}
    # Its token ends, as that of a broker does.
    log_in_at_the_broker(broker)
    pulse_url = of_two(started, "pulse", processes.pulse, **at["pulse"])
    gapi_url = of_two(started, "gapi", processes.gapi, PULSE_URL=pulse_url, **at["gapi"])
    started.worker_slices(**at["worker-slices"])
    started.worker_control(**at["worker-control"])
    started.beat(**at["beat"])
    urls = {job: f"http://127.0.0.1:{port}/metrics" for job, port in ports.items()}
    trade(gapi_url)
    answer_with_an_error(gapi_url)
    stack = Scraped(urls, gapi_url, started, broker, None)
    if prometheus.why_not():
        yield stack
        return
    targets = {job: urlsplit(url).netloc for job, url in urls.items()}
    with running_prometheus(folder, targets) as asked:
        yield replace(stack, prometheus=asked)


def log_in_at_the_broker(broker: dict[str, str], ago: timedelta = timedelta(0)) -> None:
    """As a person does at the paper exchange; one of days ago has a token that has ended."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in broker.items():
            patch.setenv(name, value)
        servers.forget_settings()
        add_account(PAPER)
        log_in(now=utcnow() - ago)
    servers.forget_settings()


def of_two(started: Processes, name: str, command: object, **environment: str) -> str:
    """A server of two processes."""
    listen = Listen("127.0.0.1", free_port())
    url = f"http://127.0.0.1:{listen.port}"
    words = tuple("--workers=2" if word == "--workers=1" else word for word in command(listen))  # type: ignore[operator]
    started.run(name, words, probes.http_ok(f"{url}/health"), environment)
    return url


def trade(gapi_url: str) -> None:
    order_id = an_order(num_splits=SLICES, total_quantity=30, duration_minutes=1)
    requests.get(f"{gapi_url}/health", timeout=10)
    wait_until(lambda: order(order_id).filled_quantity, 60, "a fill")


def answer_with_an_error(gapi_url: str) -> None:
    """Both services answer 503 while nobody can read the accounts."""
    with servers.as_owner() as owner:
        owner.execute(text("LOCK TABLE accounts"))
        answer = requests.post(
            f"{gapi_url}/api/auth/login", json={"username": "asha", "password": "x" * 12}, timeout=30
        )
    assert answer.status_code == 503, answer.text


def test_what_is_declared_is_served_by_those_who_are_named(scraped: Scraped) -> None:
    declare_all()
    for job, process in SERVED_BY.items():
        served = {name for name in families(scraped.text(job)) if not name.startswith(OF_THE_CLIENT)}
        declared = {one.name for one in DECLARED.values() if process in one.served_by}
        assert served <= declared, job
        if process is not Process.WORKER:
            # pulse asks the broker only where an operator settles a slice.
            assert {name for name in declared - served if not name.startswith("pulse_broker_")} == set(), job
    workers = families(scraped.text("worker-slices")) | families(scraped.text("worker-control"))
    declared = {one.name for one in DECLARED.values() if Process.WORKER in one.served_by}
    assert declared - workers == set()


def families(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}


def test_no_label_has_an_id_and_no_metric_many_series(scraped: Scraped) -> None:
    ids = re.compile(r"(ord|sl|acc|whk|key)_[0-9A-Za-z]|\d{5,}|[0-9A-Z]{20}")
    for job in SERVED_BY:
        for family in text_string_to_metric_families(scraped.text(job)):
            if family.name.startswith(OF_THE_CLIENT):
                continue
            labels = [sample.labels for sample in family.samples]
            assert len(labels) < 400, family.name
            values = {value for one in labels for value in one.values()}
            assert [value for value in values if ids.search(value)] == [], family.name


def test_whichever_process_answers_speaks_for_both(scraped: Scraped) -> None:
    before = scraped.value("gapi", "gapi_requests_total", route="/health")
    for _ in range(20):
        # A connection of its own each: the system gives it to the one or the other.
        requests.get(f"{scraped.gapi_url}/health", timeout=10)

    def counts() -> set[float]:
        return {scraped.value("gapi", "gapi_requests_total", route="/health") for _ in range(6)}

    # What a process has counted is shown for a second.
    wait_until(lambda: counts() == {before + 20}, what="both processes to show the calls of both")
    assert {scraped.value("gapi", "gapi_processes") for _ in range(6)} == {2}
    assert {scraped.value("pulse", "pulse_processes") for _ in range(6)} == {2}


def test_the_numbers_are_those_of_the_trade(scraped: Scraped) -> None:
    acknowledged = scraped.value("worker-slices", "pulse_broker_calls_total", call="place", outcome="acknowledged")
    moved = scraped.value("worker-slices", "pulse_slice_moves_total", status="WORKING")
    late = scraped.value("worker-slices", "pulse_slice_lateness_seconds_count", behind="due")

    assert acknowledged == moved == late > 0
    assert scraped.value("worker-slices", "pulse_sending_cleared") == 1
    assert scraped.value("worker-slices", "pulse_broker_budget_left", broker="paper", window="second") <= 10
    assert scraped.value("worker-control", "pulse_slice_moves_total", status="FILLED") > 0
    assert scraped.value("worker-control", "pulse_sweep_seconds_count", sweep="pulse.track_slices") > 0
    assert scraped.value("beat", "pulse_ticks_sent_total", sweep="pulse.watch_hold") > 0
    assert scraped.value("pulse", "pulse_database_up") == scraped.value("pulse", "pulse_queue_up") == 1
    assert scraped.value("pulse", "pulse_database_connections") > 0


def test_every_query_of_the_dashboard_and_the_rules_finds_what_it_asks_for(scraped: Scraped) -> None:
    """A rule without its limit: what it compares has to be there while all is well."""
    asked = prometheus_of(scraped)
    wait_until(lambda: len(asked.ask("up == 1")) == len(SERVED_BY), 30, "a scrape of all")
    wait_until(lambda: all(rule["health"] == "ok" for rule in asked.rules()), 20, "an evaluation of the rules")
    empty: list[str] = []

    def all_find_something() -> bool:
        empty[:] = [query for query in prometheus.questions() if not asked.ask(query)]
        return not empty

    try:
        # What a rate finds needs two scrapes, and a sweep of each worker has to come round twice.
        wait_until(all_find_something, 60)
    except AssertionError:
        pytest.fail(f"these find nothing: {empty}")


def prometheus_of(scraped: Scraped) -> Prometheus:
    prometheus.require()
    assert scraped.prometheus is not None
    return scraped.prometheus


def firing(asked: Prometheus) -> set[str]:
    return {one["metric"]["alertname"] for one in asked.ask('ALERTS{alertstate="firing"}')}


def command(*arguments: str, exit_code: int = 0, **environment: str) -> str:
    done = CliRunner().invoke(main, arguments, env=environment)
    assert done.exit_code == exit_code, done.output
    return done.stdout


def test_what_an_operator_has_to_see_to_fires_until_it_is_seen_to(scraped: Scraped) -> None:
    """The entries of the runbook, by their commands; how long a trouble has to last is left out in this test."""
    asked = prometheus_of(scraped)
    seen_to = {"PulseHalted", "PulseBrokerTokenEnds", "PulseBrokerAccountHeld", "PulseAlarmsOpen"}
    assert not firing(asked) & seen_to
    halt_id = json.loads(command("halt", "--instrument", "NSE:TCS", "--reason", "a test", "--json"))["halt_id"]
    log_in_at_the_broker(scraped.broker, ago=timedelta(days=2))
    # Soon, beat would ask for it.
    watch_logins(utcnow())
    wait_until(lambda: firing(asked) >= seen_to, 60, f"{seen_to} to fire")

    assert halt_id in command("halts")
    assert halt_id in command("halt", "show", halt_id)
    assert "AWAITING_TOKEN" in command("broker", "status", exit_code=1)
    # As on a stack, where the doctor knows which accounts are reached.
    told = command("doctor", exit_code=1, PULSE_BROKER="paper")
    assert "paper is AWAITING_TOKEN" in told
    assert "those of all open orders are reached" in told
    alarms = json.loads(command("alarms", "list", "--json"))["alarms"]
    assert {one["code"] for one in alarms} == {"HALTED", "ACCOUNT_HELD"}
    for one in alarms:
        assert one["code"] in command("alarms", "show", one["alarm_id"])
    command("halt", "release", halt_id)
    log_in_at_the_broker(scraped.broker)

    wait_until(lambda: not firing(asked) & seen_to, 60, "their end")


def test_a_pulse_that_is_gone_is_seen_by_its_gateway(scraped: Scraped) -> None:
    asked = prometheus_of(scraped)
    assert "PulseCellAway" not in firing(asked)
    [pulse] = [child for child in scraped.started.children if child.program.name == "pulse"]
    pulse.kill()

    wait_until(lambda: {"PulseCellAway", "PulseProcessDown"} <= firing(asked), 30, "the alerts")
    [alert] = asked.ask('ALERTS{alertname="PulseCellAway"}')
    assert alert["metric"]["cell"] == "main"
