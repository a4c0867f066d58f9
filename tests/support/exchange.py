"""The paper exchange as tests run it: its own process, its own ledger, any fault on demand."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import requests

from pulse_core.brokers.alpaca.broker import AlpacaBroker
from pulse_core.brokers.port import CallLimits
from pulse_core.brokers.zerodha.broker import ZerodhaBroker
from pulse_core.brokers.zerodha.limits import LIMITS
from pulse_ops.paper_exchange.ledger import Ledger
from pulse_ops.stack.ports import free_port

API_KEY = "paper-api-key"
ACCESS_TOKEN = "paper-access-token"
API_SECRET = "paper-api-secret"


class RunningExchange:
    """The exchange's process; `ledger` may be read while it runs, and after it was killed."""

    def __init__(self, ledger_path: Path, options: list[str]) -> None:
        self.ledger_path = ledger_path
        self.url = ""
        self._options = options
        # The same after each restart.
        self._port = free_port()
        self._http = requests.Session()
        self._http.trust_env = False
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ledger(self) -> Ledger:
        return Ledger(self.ledger_path)

    def set_faults(self, *rules: Mapping[str, Any], **scenario: Any) -> None:
        """Put rules in force in place of those before; none means fair weather."""
        answer = self._http.put(f"{self.url}/_paper/scenario", json={"rules": rules, **scenario}, timeout=5)
        assert answer.status_code == 200, answer.text

    def end_day(self) -> str:
        """End the exchange's day, and return the one that begins."""
        answer = self._http.post(f"{self.url}/_paper/day-end", timeout=5)
        day: str = answer.json()["day"]
        return day

    def move_clock(self, to: datetime | None) -> None:
        """Let its clock go on from this instant; None takes it back to the machine's."""
        self.control("PUT", "clock", {"now": to.isoformat() if to else None})

    def now(self) -> datetime:
        """The instant by its clock."""
        return datetime.fromisoformat(self.control("GET", "clock")["now"])

    def control(self, method: str, path: str, body: object = None) -> Any:
        """What the route beside the protocol answers."""
        answer = self._http.request(method, f"{self.url}/_paper/{path}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def restart(self) -> None:
        """Kill it unless it is gone, and start it again on the same port with the same ledger."""
        self.kill()
        self._start()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.terminate()
        return self._process.wait(timeout=10)

    def broker(self, day_starts: time = time(0), **changes: Any) -> ZerodhaBroker:
        """The Zerodha adapter connected to this exchange, without a rate limit of its own."""
        defaults: dict[str, Any] = {
            "name": "paper",
            "root": self.url,
            "api_key": API_KEY,
            "access_token": ACCESS_TOKEN,
            "timeout": 5.0,
            "limits": replace(LIMITS, per_second=0, day_starts=day_starts),
        }
        return ZerodhaBroker(**defaults | changes)

    def alpaca(self, **changes: Any) -> AlpacaBroker:
        """The Alpaca adapter connected to this exchange, without a rate limit of its own."""
        defaults: dict[str, Any] = {
            "name": "paper",
            "root": self.url,
            "api_key": API_KEY,
            "api_secret": API_SECRET,
            "timeout": 5.0,
            "limits": CallLimits(0),
        }
        return AlpacaBroker(**defaults | changes)

    def _start(self) -> None:
        command = [sys.executable, "-m", "pulse_ops.paper_exchange", "--port", str(self._port), *self._options]
        with self.ledger_path.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, self.ledger_path.with_suffix(".log").read_text()


@contextmanager
def start_exchange(
    tmp_path: Path,
    *,
    limits: bool = False,
    seed: int = 1,
    postback_url: str | None = None,
    day_starts: time = time(0),
    wire: str = "kite",
    more: Sequence[str] = (),
) -> Iterator[RunningExchange]:
    """Run an exchange on a free port while the block lasts. Limits are off unless asked for; `more` are options."""
    ledger_path = tmp_path / "exchange.sqlite"
    options = ["--ledger", str(ledger_path), "--seed", str(seed), "--limits" if limits else "--no-limits"]
    options += [
        "--day-starts",
        f"{day_starts:%H:%M:%S}",
        "--api-key",
        API_KEY,
        "--access-token",
        ACCESS_TOKEN,
        "--api-secret",
        API_SECRET,
    ]
    options += ["--postback-url", postback_url] if postback_url else []
    options += ["--wire", wire]
    options += more
    exchange = RunningExchange(ledger_path, options)
    try:
        yield exchange
    finally:
        # One that a test has stopped must be woken, or it would outlive the test.
        if exchange._process.poll() is None:
            exchange.signal(signal.SIGCONT)
        exchange.kill()
