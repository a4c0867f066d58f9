"""pulse: the internal order API, called by the gateway, with Postgres as its only truth."""

from typing import Any

from flask import Flask

from api_contract import core_files, process_group
from api_contract.blueprint import Api, described_app
from api_contract.body import refuse_large_body
from api_contract.known_variables import warn_of_variables
from api_contract.loaded import leave_uncollected
from api_contract.log import setup_logging
from api_contract.metrics import Process
from api_contract.spans import export_spans
from api_contract.tracing import trace_requests
from pulse_app import (
    alarms,
    broker_accounts,
    broker_logins,
    control,
    events,
    halts,
    health,
    installation,
    instruments,
    orders,
    orders_by_key,
    postbacks,
    previews,
    processes,
    webhooks,
)
from pulse_app.errors import answer_errors
from pulse_app.identity import accounts, api_keys, me, revocations, second_factor, sessions
from pulse_app.openapi import SPECIFICATION
from pulse_app.places import give_places
from pulse_app.time_header import tell_time
from pulse_core import fitness
from pulse_core.broker_accounts import starting
from pulse_core.config import OF_PULSE, settings_to_start
from pulse_core.health import reporter
from pulse_core.health.vocabulary import ProcessKind
from pulse_core.metrics import process, switch

# By each gateway: four times a second while it has open streams, and to say that it lives.
_POLLED = frozenset(
    {"/internal/events/poll", "/internal/events/all/poll", "/internal/alarms/poll", "/internal/processes"}
)


def create_app() -> Flask:
    """The WSGI app, with its settings from the environment. Exits with a sentence when they are not fit."""
    core_files.leave_none()
    config = settings_to_start("pulse", OF_PULSE)
    setup_logging("pulse", config.log_format, config.log_level)
    warn_of_variables(type(config))
    export_spans("pulse", config.otel)
    if fitness.is_fit_or_waits("pulse"):
        starting.check_credentials("pulse")
    app, _ = _described_app()
    _count()
    app.before_request(refuse_large_body)
    tell_time(app)
    trace_requests(app, Process.PULSE, _POLLED)
    give_places(app, config.database_pool_size)
    health.serve_watch_port(config)
    reporter.start(ProcessKind.PULSE)
    leave_uncollected()
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document of pulse; needs no settings."""
    return _described_app()[1].specification()


def _described_app() -> tuple[Flask, Api]:
    app, api = described_app(__name__, "Pulse, internal", SPECIFICATION)
    for views in (
        sessions,
        second_factor,
        me,
        installation,
        instruments,
        accounts,
        api_keys,
        revocations,
        # Before them: a key may be called like a part of an order.
        orders_by_key,
        orders,
        previews,
        control,
        broker_accounts,
        events,
        webhooks,
        alarms,
        halts,
        broker_logins,
        postbacks,
        processes,
        health,
    ):
        api.register_blueprint(views.blueprint)
    api.register_blueprint(health.readiness)
    answer_errors(app)
    return app, api


def _count() -> None:
    switch.turn_on()
    if process_group.folder() is not None:
        process.keep_fresh()
