"""Is the process alive, can it serve, and how is it doing."""

from typing import Any

from flask import Flask

from api_contract import watch_port
from api_contract.health import add_health
from api_contract.kept import Kept
from api_contract.metrics import Process
from api_contract.watch_port import Watched
from gapi_app.access.auth import access
from gapi_app.blueprint import Blueprint
from gapi_app.config import Settings
from gapi_app.upstream import pulse

blueprint = Blueprint("health", __name__, description="For load balancers", is_limited=False)
add_health(blueprint)


def serve_watch_port(app: Flask, settings: Settings) -> None:
    """Serve `/ready` and `/metrics` where the settings say."""

    def check() -> dict[str, Any]:
        with app.app_context():
            pulse().check_ready()
            access().revocations.check_loaded()
            states = pulse().router.states()
        return {"status": "ready"} if len(states) == 1 else {"status": "ready", "cells": states}

    watched = Watched(Process.GAPI, Kept(check).get)
    watch_port.serve(watched, settings.pulse_metrics_host, settings.pulse_metrics_port)
