"""An honest trader: places an order, cancels it, and so on, and logs in now and then; what each took is kept."""

import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Thread

import requests

PAUSE_SECONDS = 0.08
LOGIN_EVERY = 1.0
_TIMEOUT = 20.0


@dataclass
class Seen:
    """Seconds by what was asked; `refused` is what should not have been answered like that."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)
    logins: dict[int, int] = field(default_factory=lambda: defaultdict(int))


class Honest:
    def __init__(self, url: str, username: str, password: str) -> None:
        self._url = url
        self._credentials = {"username": username, "password": password}
        self._http = _session()
        self._token = self._http.post(f"{url}/api/auth/login", json=self._credentials, timeout=_TIMEOUT).json()[
            "access_token"
        ]

    def work(self, seconds: float) -> Seen:
        """Trade for so long."""
        seen, ends_at = Seen(), time.monotonic() + seconds
        beside = Thread(target=self._log_in_now_and_then, args=(seen, ends_at), daemon=True)
        beside.start()
        while time.monotonic() < ends_at:
            self._place_and_cancel(seen)
            time.sleep(PAUSE_SECONDS)
        beside.join(_TIMEOUT)
        return seen

    def _place_and_cancel(self, seen: Seen) -> None:
        order = {
            "order_unique_key": f"honest-{secrets.token_hex(8)}",
            "instrument": "NSE:TCS",
            "side": "BUY",
            "total_quantity": 100,
            "split_config": {"num_splits": 5, "duration_minutes": 60, "randomize": True},
        }
        placed = self._timed(seen, "order", "POST", "/api/orders", order)
        if placed is not None:
            self._timed(seen, "cancel", "DELETE", f"/api/orders/{placed['order_id']}", None)

    def _timed(self, seen: Seen, what: str, method: str, path: str, body: object) -> dict[str, str] | None:
        bearer = {"Authorization": f"Bearer {self._token}"}
        began = time.perf_counter()
        try:
            answer = self._http.request(method, self._url + path, json=body, headers=bearer, timeout=_TIMEOUT)
        except requests.RequestException as error:
            seen.refused.append(f"{what}: {type(error).__name__}")
            return None
        seen.seconds[what].append(time.perf_counter() - began)
        if answer.status_code != 202:
            seen.refused.append(f"{what}: {answer.status_code} {answer.text[:120]}")
            return None
        found: dict[str, str] = answer.json()
        return found

    def _log_in_now_and_then(self, seen: Seen, ends_at: float) -> None:
        http = _session()
        while time.monotonic() < ends_at:
            began = time.perf_counter()
            try:
                answer = http.post(f"{self._url}/api/auth/login", json=self._credentials, timeout=_TIMEOUT)
                seen.logins[answer.status_code] += 1
                seen.seconds["login"].append(time.perf_counter() - began)
            except requests.RequestException:
                seen.logins[0] += 1
            time.sleep(LOGIN_EVERY)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed; of nothing it is not a number."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
