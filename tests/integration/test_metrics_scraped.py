"""What Prometheus sees of a stack that trades: every metric, and every query of the dashboard and the rules."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from api_contract.metrics import DECLARED, Process
from pulse_ops.stack import probes, processes
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from tests.support import prometheus, servers
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
# Without a broker that has tokens.
NOT_AT_THE_PAPER_EXCHANGE = {"pulse_broker_token_end_timestamp_seconds"}
OF_THE_CLIENT = ("python_", "process_")


@dataclass
class Scraped:
    """Where each process serves its metrics, and the Prometheus that asks for them."""

    urls: dict[str, str]
    gapi_url: str
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
    started = Processes(folder, environment | {"PULSE_BROKER_ORDERS_PER_SECOND": "10", "PULSE_QUEUE_PREFIX": "here:"})
    ports = {job: free_port() for job in SERVED_BY}
    try:
        _, exchange_url = started.exchange()
        broker = {"PULSE_PAPER_EXCHANGE_URL": exchange_url}
        pulse_url = of_two(started, "pulse", processes.pulse, PULSE_METRICS_PORT=str(ports["pulse"]))
        at = {"PULSE_URL": pulse_url, "PULSE_METRICS_PORT": str(ports["gapi"])}
        gapi_url = of_two(started, "gapi", processes.gapi, **at)
        started.worker_slices(PULSE_METRICS_PORT=str(ports["worker-slices"]), **broker)
        started.worker_control(PULSE_METRICS_PORT=str(ports["worker-control"]), **broker)
        started.beat(PULSE_METRICS_PORT=str(ports["beat"]))
        urls = {job: f"http://127.0.0.1:{port}/metrics" for job, port in ports.items()}
        trade(gapi_url)
        if prometheus.why_not():
            yield Scraped(urls, gapi_url, None)
            return
        targets = {job: urlsplit(url).netloc for job, url in urls.items()}
        with running_prometheus(folder, targets) as asked:
            yield Scraped(urls, gapi_url, asked)
    finally:
        started.close()


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
    assert declared - workers == NOT_AT_THE_PAPER_EXCHANGE


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


def test_every_query_of_the_dashboard_and_the_rules_can_be_asked(scraped: Scraped) -> None:
    prometheus.require()
    asked = scraped.prometheus
    assert asked is not None
    wait_until(lambda: len(asked.ask("up == 1")) == len(SERVED_BY), 30, "a scrape of all")
    known = set().union(*(families(scraped.text(job)) for job in SERVED_BY)) | NOT_AT_THE_PAPER_EXCHANGE

    for query in prometheus.queries():
        asked.ask(query)
        named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b((?:pulse|gapi)_\w+)", query)}
        assert named <= known, query

    wait_until(lambda: all(rule["health"] == "ok" for rule in asked.rules()), 20, "an evaluation of the rules")
    # What a rate finds needs two scrapes.
    wait_until(lambda: asked.ask("sum(rate(pulse_ticks_sent_total[30s])) > 0"), 20, "a rate")
    dashboard = json.loads((prometheus.DEPLOY / "grafana" / "pulse.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel.get("targets")]

    def empty() -> list[str]:
        return [panel["title"] for panel in panels if not any_answer(asked, panel)]

    # A sweep of each worker has to come round twice.
    wait_until(lambda: empty() == ["Token ends in"], 40, "figures in every panel")


def any_answer(asked: Prometheus, panel: dict[str, list[dict[str, str]]]) -> bool:
    return any(asked.ask(one["expr"].replace("$__rate_interval", "30s")) for one in panel["targets"])
