"""Where a deployment is found: what the environment names, else the stack that runs on the data folder."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from api_contract.secret_files import secret_of
from api_contract.variables import names_of, queue_url_in
from pulse_core.postgres.poolers import DIRECT
from pulse_ops.stack import running
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.errors import NotRunning
from pulse_ops.stack.running import RunningStack


@dataclass(frozen=True)
class Deployment:
    """A URL is None where nobody named it. `stack` is that of this machine.

    `services` are the pages of gapi and pulse that tell whether they are ready, or alive at least.

    `environment` holds what else is known of the settings: the queue's prefix, and the broker with our keys there.
    """

    database_url: str | None
    redis_url: str | None
    services: Mapping[str, str]
    environment: Mapping[str, str]
    data_dir: Path
    stack: RunningStack | None = None
    disk_floor: int = field(default=500)

    @property
    def is_named(self) -> bool:
        return bool(self.database_url)

    @property
    def direct_database_url(self) -> str | None:
        """Where a session is a session: DATABASE_URL may lead through a pooler."""
        return self.environment.get(DIRECT) or self.database_url

    @property
    def queue_prefix(self) -> str:
        return self.environment.get("PULSE_QUEUE_PREFIX", "")

    @property
    def age_seconds(self) -> float:
        """How long it has been running; infinite where that is not known."""
        return time.time() - self.stack.started_at if self.stack else float("inf")


_OF_THE_BROKER = ("PULSE_BROKER", "PULSE_PAPER_EXCHANGE_URL", "KITE_ROOT_URL", "KITE_API_KEY", "KITE_ACCESS_TOKEN")


def find_deployment(settings: StackSettings, disk_floor: int = 500) -> Deployment:
    """The deployment of DATABASE_URL or, where that is not set, the stack that runs here; it may name nothing."""
    stack = _stack(settings.data_dir)
    database_url, redis_url = _told(settings.database_url), _told(settings.queue_url)
    if stack and database_url in (None, stack.environment["DATABASE_URL"]):
        services = {name: _readiness(stack.urls[f"metrics-{name}"]) for name in ("gapi", "pulse")}
        given = stack.environment
        return Deployment(
            given["DATABASE_URL"], queue_url_in(given), services, given, settings.data_dir, stack, disk_floor
        )
    page = os.environ.get("PULSE_GATEWAY_READY_URL") or _health(os.environ.get("PULSE_GATEWAY_URL"))
    services = {"gapi": page} if page else {}
    names = ("PULSE_QUEUE_PREFIX", DIRECT, *_OF_THE_BROKER)
    given = {name: value for name in names if (value := secret_of(*names_of(name)))}
    return Deployment(database_url, redis_url, services, given, settings.data_dir, None, disk_floor)


def _readiness(metrics_url: str) -> str:
    return f"{metrics_url.removesuffix('/metrics')}/ready"


def _health(gateway_url: str | None) -> str | None:
    return f"{gateway_url.rstrip('/')}/health" if gateway_url else None


def _stack(data_dir: Path) -> RunningStack | None:
    try:
        return running.find(data_dir)
    except NotRunning:
        return None


def _told(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
