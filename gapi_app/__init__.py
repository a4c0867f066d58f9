"""The public gateway: checks who calls and what they ask, and hands orders to pulse over HTTP."""

import logging
from typing import Any

from flask import Flask, request

from api_contract import core_files
from api_contract.blueprint import Api, described_app
from api_contract.body import refuse_large_body
from api_contract.bulkheads import refuse_without_place
from api_contract.error_answers import answer_errors
from api_contract.errors import NotFound
from api_contract.known_variables import warn_of_variables
from api_contract.loaded import leave_uncollected
from api_contract.log import setup_logging
from api_contract.metrics import Process
from api_contract.spans import export_spans
from api_contract.tracing import trace_requests
from gapi_app import health, reporter, web
from gapi_app.access import internal_tokens, jwks
from gapi_app.access.auth import set_up_access
from gapi_app.alarms import views as alarms
from gapi_app.broker_accounts import login as broker_logins
from gapi_app.broker_accounts import views as broker_accounts
from gapi_app.cells.naming import tell_cells
from gapi_app.cells.routing import Router
from gapi_app.config import load_cells, load_settings, load_signing_keys
from gapi_app.endings import tell_endings
from gapi_app.events import all_webhooks, webhooks
from gapi_app.events import views as events
from gapi_app.events.streams import serve_events
from gapi_app.guard.cell_places import move_by_body, tags_by_head
from gapi_app.guard.compression import compress_answers
from gapi_app.guard.concurrency import in_every_cell, limit_concurrency, sizes
from gapi_app.guard.cors import allow_origins
from gapi_app.guard.etags import answer_conditionally
from gapi_app.guard.fd_limit import make_room
from gapi_app.guard.known_networks import KnownNetworks
from gapi_app.guard.limits import asker, limit_requests, wide_network_of
from gapi_app.guard.proxies import believe_proxies
from gapi_app.guard.security import secure_answers
from gapi_app.guard.slow_clients import SlowClients
from gapi_app.guard.uploads import read_bodies_first
from gapi_app.halts import views as halts
from gapi_app.halts.client import HaltClient
from gapi_app.idempotency import tell_replays
from gapi_app.identity import api_keys, login, me, second_factor, users
from gapi_app.identity.client import IdentityClient
from gapi_app.instruments import views as instruments
from gapi_app.openapi import SPECIFICATION
from gapi_app.orders import by_key as orders_by_key
from gapi_app.orders import control, postbacks, previews
from gapi_app.orders import views as orders
from gapi_app.problems import answer_with_problems
from gapi_app.web import sessions as web_sessions
from gapi_app.web.docs import pages
from gapi_app.web.files import site


def create_app() -> Flask:
    """The WSGI app, with its settings from the environment. Exits with a sentence when they are not fit."""
    core_files.leave_none()
    settings = load_settings()
    setup_logging("gapi", settings.log_format, settings.log_level)
    warn_of_variables(type(settings))
    # What it warns of, a connection that pulse closed, is answered here.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    export_spans("gapi", settings.pulse_otel)
    make_room()
    app, api = _described_app()
    app.config["EXCHANGES"] = settings.pulse_exchanges
    app.config[me.SETTINGS] = settings
    app.config[internal_tokens.SERVICE_KEYS] = settings.sibling_keys
    cells = load_cells(settings)
    router = Router(cells, settings)
    client = IdentityClient(router, settings)
    app.extensions["pulse"] = client
    app.extensions["halts"] = HaltClient(router)
    access = set_up_access(app, load_signing_keys(settings), client, settings.pulse_access_token_lifetime)
    serve_events(app, settings, router, access.revocations)
    app.register_blueprint(pages(api.specification()))
    health.serve_watch_port(app, settings)
    reporter.start(router, settings)
    app.before_request(_refuse_other_names)
    app.before_request(refuse_large_body)
    secure_answers(app)
    tell_replays(app)
    tell_cells(app, cells)
    tell_endings(app)
    answer_with_problems(app)
    compress_answers(app)
    # Runs before it: the last one registered is the first to see an answer.
    answer_conditionally(app)
    allow_origins(app, settings.pulse_cors_origins)
    trace_requests(app, Process.GAPI)
    app.before_request(refuse_without_place)
    limit_requests(app, settings, site().paths())
    networks = KnownNetworks()
    gate = limit_concurrency(
        app,
        asker(access, networks),
        in_every_cell(
            sizes(settings.pulse_requests_at_once, settings.pulse_requests_beside_others),
            [cell.tag for cell in cells],
        ),
        lambda environ: wide_network_of(environ.get("REMOTE_ADDR", "")) in networks,
        tags_by_head(access, cells),
    )
    places = read_bodies_first(app, gate)
    move_by_body(app, gate, cells)
    SlowClients(
        gate, lambda: places.are_scarce, settings.pulse_request_timeout, settings.pulse_stream_heartbeat
    ).follow()
    believe_proxies(app, settings.pulse_trusted_proxies, settings.pulse_proxy_header)
    leave_uncollected()
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document of the gateway; needs no settings."""
    return _described_app()[1].specification()


def _described_app() -> tuple[Flask, Api]:
    app, api = described_app(__name__, "Pulse", SPECIFICATION)
    rooms = (
        login,
        second_factor,
        me,
        instruments,
        api_keys,
        # Before them: a key may be called like a part of an order.
        orders_by_key,
        orders,
        previews,
        control,
        broker_accounts,
        events,
        webhooks,
        all_webhooks,
        alarms,
        halts,
        broker_logins,
        postbacks,
        users,
        internal_tokens,
        jwks,
        health,
    )
    for room in rooms:
        api.register_blueprint(room.blueprint)
    for page in (web, web_sessions):
        app.register_blueprint(page.blueprint)
    answer_errors(app)
    return app, api


def _refuse_other_names() -> None:
    # Werkzeug takes `//internal` for `/internal`; a proxy in front that keeps that one back does not.
    if request.environ["PATH_INFO"].startswith("//"):
        raise NotFound("there is no such page")
