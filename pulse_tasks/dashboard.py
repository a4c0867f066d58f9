"""Flower starts only where nobody else reaches it or it asks who they are, reports itself, and ends when told to."""

import ipaddress
import os
import signal
import sys
import threading
from typing import Any

from celery.signals import import_modules

from api_contract.secret_files import SUFFIX, UnreadableSecret, secret_of

_PASSWORD = "FLOWER_BASIC_AUTH"  # noqa: S105
NO_PASSWORD = (
    "flower cannot start: others could reach it at {address}, and it would ask nobody for a password. "  # noqa: S105
    "Set FLOWER_BASIC_AUTH=user:password, or listen on this machine alone with --address=127.0.0.1."
)
# Less than any supervisor waits before it kills.
SECONDS_TO_END = 2.0


def take_password_from_file() -> None:
    """Give Flower, which reads variables alone, what FLOWER_BASIC_AUTH_FILE holds; ends the process where it cannot."""
    try:
        password = secret_of(_PASSWORD)
    except UnreadableSecret as refused:
        raise SystemExit(f"flower cannot start: {_PASSWORD}{SUFFIX} {refused}.") from None
    if password is not None:
        os.environ[_PASSWORD] = password


@import_modules.connect(weak=False)
def _check_flower(**_signal: object) -> None:
    """At the first moment at which Flower has read all its options."""
    if "flower" in sys.argv and "worker" not in sys.argv:
        from flower.options import default_options
        from tornado.ioloop import IOLoop

        check_access(default_options)
        # Once Flower runs: before that it sets a handler of its own.
        IOLoop.current().add_callback(_begin)


def _begin() -> None:
    from pulse_tasks import app, flower_reports

    signal.signal(signal.SIGTERM, _end)
    flower_reports.start(app)


def _end(_signal: int, _frame: object) -> None:
    """End as Flower does, which waits for threads that look for Redis without an end; they are given a moment."""
    last_moment = threading.Timer(SECONDS_TO_END, os._exit, (0,))
    last_moment.daemon = True
    last_moment.start()
    sys.exit(0)


def check_access(given: Any) -> None:
    """End the process with a sentence where Flower's options would let anybody in."""
    if given.unix_socket or given.auth or _asks_for_password(given.basic_auth) or _is_loopback(given.address):
        return
    raise SystemExit(NO_PASSWORD.format(address=given.address or "every address of this machine"))


def _asks_for_password(basic_auth: list[str] | None) -> bool:
    pairs = [pair.partition(":") for pair in basic_auth or ()]
    return bool(pairs) and all(user and password for user, _, password in pairs)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
