"""Which processes a stack consists of, with the environment and the readiness of each."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from api_contract.secret_files import secret_of
from api_contract.variables import QUEUE_URL, value_of, with_new_names
from pulse_ops.stack import probes, processes
from pulse_ops.stack.child import Program
from pulse_ops.stack.config import LOOPBACK, StackSettings, url_of
from pulse_ops.stack.handed_on import handed_on
from pulse_ops.stack.leftovers import MARK
from pulse_ops.stack.processes import Listen
from pulse_ops.stack.secrets import Keys, known_by

DEMO_USER = "demo"
# Who serves metrics.
METRICS = ("gapi", "pulse", "slices", "control", "beat")


def environment(settings: StackSettings, keys: Keys, database_url: str, queue_url: str) -> dict[str, str]:
    """What connects programs to this stack, all secrets included. Keys that are set already are kept."""
    private_key = secret_of("PULSE_SERVICE_PRIVATE_KEY") or keys.service_private_key
    return {
        "DATABASE_URL": database_url,
        QUEUE_URL: queue_url,
        "PULSE_SERVICE_PRIVATE_KEY": private_key,
        "PULSE_SERVICE_PUBLIC_KEYS": secret_of("PULSE_SERVICE_PUBLIC_KEYS") or known_by(private_key),
        "PULSE_JWT_KEY": secret_of("PULSE_JWT_KEY") or keys.jwt_key,
        "PULSE_CURSOR_KEY": secret_of("PULSE_CURSOR_KEY") or keys.cursor_key,
        "PULSE_IDEMPOTENCY_KEY": secret_of("PULSE_IDEMPOTENCY_KEY") or keys.idempotency_key,
        "PULSE_WEBHOOK_KEY": secret_of("PULSE_WEBHOOK_KEY") or keys.webhook_key,
        "PULSE_TOTP_KEY": secret_of("PULSE_TOTP_KEY") or keys.totp_key,
        "PULSE_VAULT_KEYS": secret_of("PULSE_VAULT_KEYS") or keys.vault_keys,
        "PULSE_URL": settings.url(settings.pulse_port),
        "PULSE_GAPI_URL": settings.url(settings.gapi_port),
        **_paper_exchange(settings),
        "PULSE_BROKER": settings.broker,
        **_given("PULSE_FENCE_DATABASE_URL"),
        **_queue(),
        **_at_the_broker(),
        **_limits(queue_url),
    }


def programs(settings: StackSettings, shared: Mapping[str, str]) -> list[Program]:
    """Everything but the embedded servers, in the order of their start."""
    variables = {
        **with_new_names(os.environ),
        **shared,
        "PULSE_LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
        MARK: str(settings.data_dir.resolve()),
    }
    queue_ready = probes.waits_for_messages(shared[QUEUE_URL])
    everything = [
        _counting(
            _program(processes.WORKER_SLICES, processes.worker_slices(), queue_ready), settings.slices_metrics_port
        ),
        _counting(
            _program(processes.WORKER_CONTROL, processes.worker_control(), queue_ready), settings.control_metrics_port
        ),
        _server(processes.PULSE, settings),
        _server(processes.GAPI, settings),
        _counting(_program(processes.BEAT, processes.beat(), probes.always), settings.beat_metrics_port),
        _flower(settings),
    ]
    if ledger := ledger_path(settings):
        everything.insert(0, _exchange(settings, ledger))
    return [
        replace(one, environment={**handed_on(one.name, variables), **one.environment}, folder=settings.data_dir)
        for one in everything
    ]


def urls(settings: StackSettings) -> dict[str, str]:
    """Where a person or a client finds each service."""
    gapi = settings.url(settings.gapi_port)
    found = {
        "gapi": gapi,
        "page": f"{gapi}/app",
        "docs": f"{gapi}/docs",
        "pulse": settings.url(settings.pulse_port),
        "flower": settings.url(settings.flower_port),
    }
    if settings.broker == "paper":
        found["exchange"] = settings.url(settings.exchange_port)
    return found | {f"metrics-{name}": url for name, url in _metrics_urls(settings).items()}


def _metrics_urls(settings: StackSettings) -> dict[str, str]:
    host = _metrics_host()
    return {name: f"{url_of(host, getattr(settings, f'{name}_metrics_port'))}/metrics" for name in METRICS}


def _metrics_host() -> str:
    """What the processes read; loopback unless somebody says otherwise."""
    return os.environ.get("PULSE_METRICS_HOST", LOOPBACK)


def ledger_path(settings: StackSettings) -> Path | None:
    """The paper exchange's own account of what happened; None where orders go to a real broker."""
    return settings.data_dir.resolve() / "exchange" / "ledger.sqlite" if settings.broker == "paper" else None


def _paper_exchange(settings: StackSettings) -> dict[str, str]:
    """Where it is, if there is one: ours, or one that is named."""
    if settings.broker == "paper":
        return {"PULSE_PAPER_EXCHANGE_URL": settings.url(settings.exchange_port)}
    named = value_of("PULSE_PAPER_EXCHANGE_URL", "")
    return {"PULSE_PAPER_EXCHANGE_URL": named} if named else {}


def _queue() -> dict[str, str]:
    """Under which keys the services find their messages."""
    prefix = value_of("PULSE_QUEUE_PREFIX", "")
    return {"PULSE_QUEUE_PREFIX": prefix} if prefix else {}


def _at_the_broker() -> dict[str, str]:
    """Who we are there, so that a command that asks the broker's book asks as the services do."""
    kite = ("PULSE_BROKER_ACCOUNT", "KITE_ROOT_URL", "KITE_API_KEY", "KITE_ACCESS_TOKEN", "KITE_API_SECRET")
    names = (*kite, "ALPACA_ROOT_URL", "ALPACA_API_KEY", "ALPACA_API_SECRET")
    return _given(*names)


def _given(*names: str) -> dict[str, str]:
    return {name: value for name in names if (value := secret_of(name)) is not None}


def _limits(queue_url: str) -> dict[str, str]:
    """Where the gateway shares its counts, unless that is said or the queue is not in a Redis."""
    name = "PULSE_LIMITS_REDIS_URL"
    url = secret_of(name) or queue_url
    return {name: url} if url.startswith(("redis://", "rediss://")) else {}


def _program(name: str, command: tuple[str, ...], is_ready: probes.Probe) -> Program:
    return Program(name=name, command=processes.executable(command), is_ready=is_ready)


def _counting(program: Program, port: int) -> Program:
    return replace(program, environment={"PULSE_METRICS_PORT": str(port)})


def _server(name: str, settings: StackSettings) -> Program:
    command, port, metrics_port = {
        processes.PULSE: (processes.pulse, settings.pulse_port, settings.pulse_metrics_port),
        processes.GAPI: (processes.gapi, settings.gapi_port, settings.gapi_metrics_port),
    }[name]
    is_ready = probes.http_ok(f"{url_of(_metrics_host(), metrics_port)}/ready")
    program = _counting(_program(name, command(Listen(settings.host_of(port), port)), is_ready), metrics_port)
    if name != processes.GAPI or "PULSE_FLOWER_URL" in os.environ:
        return program
    return replace(program, environment={**program.environment, "PULSE_FLOWER_URL": settings.url(settings.flower_port)})


def _exchange(settings: StackSettings, ledger: Path) -> Program:
    ledger.parent.mkdir(mode=0o700, exist_ok=True)
    command = processes.exchange(Listen(LOOPBACK, settings.exchange_port), str(ledger))
    program = _program(
        processes.EXCHANGE, command, probes.http_ok(settings.url(settings.exchange_port) + "/_paper/health")
    )
    postback_url = settings.url(settings.gapi_port) + "/api/postbacks/zerodha"
    return replace(program, environment={"PULSE_PAPER_POSTBACK_URL": postback_url})


def _flower(settings: StackSettings) -> Program:
    listen = Listen(LOOPBACK, settings.flower_port)
    is_ready = probes.http_ok(settings.url(listen.port) + "/healthcheck")
    return _program(processes.FLOWER, processes.flower(listen), is_ready)
