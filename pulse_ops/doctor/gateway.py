"""Whether the HTTP services are ready."""

import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests

from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong
from pulse_ops.doctor.processes import TOLERATED_CLOCK_SECONDS


def is_ready(name: str, url: str) -> Iterator[Finding]:
    """What the page of its readiness says, or its `/health`, and the clock that the answer shows."""
    trouble = Trouble.GATEWAY_AWAY if name == "gapi" else Trouble.PULSE_AWAY
    try:
        answer = requests.get(url, timeout=5)
    except requests.RequestException as error:
        yield wrong(name, trouble, f"{url} gives no answer ({type(error).__name__})")
        return
    if missing := _missing(answer):
        yield wrong(name, Trouble.SERVICE_WAITS, ", ".join(missing))
        return
    if not answer.ok:
        yield wrong(name, trouble, answer.text.strip()[:200])
        return
    yield fine(name, "ready" if url.endswith("/ready") else "answers")
    if "Date" in answer.headers:
        yield _clock(name, abs(parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()))


def _missing(answer: requests.Response) -> list[str]:
    """What a service that runs says it cannot do without; nothing where it is ready, or is no such service."""
    if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        return []
    with suppress(ValueError, KeyError, TypeError):
        return [str(one) for one in answer.json()["error"]["details"]["missing"]]
    return []


def _clock(name: str, seconds: float) -> Finding:
    check = f"{name}'s clock"
    if seconds <= TOLERATED_CLOCK_SECONDS:
        return fine(check, f"differs from this machine's by {seconds:.1f} s")
    return wrong(check, Trouble.CLOCK_OFF, f"it differs from this machine's by {seconds:.1f} s")
