"""Debian's Prometheus: its server and promtool, unpacked into a cache, so that no service is installed or started."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import requests
import yaml

from pulse_ops.stack import probes
from pulse_ops.stack.child import Child, Program
from pulse_ops.stack.ports import free_port
from tests.support import debian, lacking, servers

DEPLOY = Path(__file__).parents[2] / "deploy"


class Prometheus:
    """A running server that scrapes the targets it was given."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that a query finds now."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10).json()
        assert answer["status"] == "success", (query, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Each rule with its health."""
        answer = requests.get(f"{self.url}/api/v1/rules", timeout=10).json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Our example configuration, with these targets by job, asked every second, and rules that wait for nothing."""
    require()
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert {job["job_name"] for job in configuration["scrape_configs"]} == set(targets)
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in configuration["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        group["rules"] = [{name: value for name, value in rule.items() if name != "for"} for rule in group["rules"]]
    (folder / "alerts.yml").write_text(yaml.safe_dump(rules))
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = (f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}")
    command = (program("prometheus"), *options, f"--web.listen-address=127.0.0.1:{port}")
    child = Child(Program("prometheus", command, probes.http_ok(f"{url}/-/ready")), folder / "prometheus.log")
    try:
        servers.start(child)
        yield Prometheus(url)
    finally:
        child.stop(5)


def promtool(*arguments: str) -> str:
    """Run promtool where the rules are; what it says, if it is content."""
    require()
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def queries() -> list[str]:
    """Every query of the dashboard and of the rules, with Grafana's variable put in."""
    return [*_of_the_dashboard(), *_of_the_rules()]


def questions() -> list[str]:
    """The same as they find something while all is well.

    A comparison of a rule tells whether it holds, instead of leaving out where it does not, and each of its
    alternatives stands by itself.
    """
    alternatives = [one for query in _of_the_rules() for one in query.split(" or ")]
    return [*_of_the_dashboard(), *(re.sub(r" (==|>|<) ", r" \1 bool ", one) for one in alternatives)]


def _of_the_dashboard() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "pulse.json").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [query.replace("$__rate_interval", "30s") for query in shown]


def _of_the_rules() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def require() -> None:
    """Skip the test where Prometheus cannot be had."""
    if reason := why_not():
        lacking.skip(reason)


@cache
def why_not() -> str | None:
    """Why there is no Prometheus here, in one sentence, or None. Gets it where it may; root is not needed for that."""
    if debian.program("prometheus", "prometheus") and debian.program("prometheus", "promtool"):
        return None
    return debian.why_not("prometheus")


def program(name: str) -> str:
    return debian.program("prometheus", name) or name
