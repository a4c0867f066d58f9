"""The variables of the processes of a test, in force in this one too."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pulse_ops.stack.ports import free_port
from tests.support import servers
from tests.support.service_token import service_keys

PURPOSES = ("JWT", "CURSOR", "IDEMPOTENCY", "WEBHOOK", "TOTP")

# Tests ask more of the gateway than a client may, and of the broker; those about limits set their own.
UNLIMITED = {f"PULSE_RATE_LIMIT_{name}": "off" for name in ("ACCOUNT", "ORDERS", "ADDRESS", "POSTBACKS")}
UNLIMITED |= {"PULSE_CHECK_WINDOWS": "false", "PULSE_REQUESTS_AT_ONCE": "48", "PULSE_REQUESTS_BESIDE_OTHERS": "12"}


@contextmanager
def environment_of(database_url: str, redis_url: str) -> Iterator[dict[str, str]]:
    """All that a process needs; `config.settings()` finds it here meanwhile."""
    variables = {
        "DATABASE_URL": database_url,
        "PULSE_QUEUE_URL": redis_url,
        **service_keys(),
        **{f"PULSE_{purpose}_KEY": secrets.token_urlsafe(32) for purpose in PURPOSES},
        "PULSE_VAULT_KEYS": f"v1:{secrets.token_urlsafe(32)}",
        "PULSE_PAPER_EXCHANGE_URL": f"http://127.0.0.1:{free_port()}",
        "PULSE_LOG_FORMAT": "json",
        # Slices go out at their time; what is about turns under a broker's limits sets its own.
        "PULSE_BROKER_ORDERS_PER_SECOND": "0",
    } | UNLIMITED
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        servers.forget_settings()
        yield {**os.environ, **variables}
    servers.forget_settings()
