"""The floor of the HTTP rows: two bare Flask apps. The front one hands a JSON body to the back one, with `requests`."""

import os
from collections.abc import Callable

import requests
from flask import Flask, Response, jsonify, request
from requests.adapters import HTTPAdapter

_TIMEOUT_SECONDS = 10


def create_back() -> Flask:
    """Answers 201 with the key it was given."""
    app = _bare_app()

    @app.post("/internal/orders")
    def take() -> tuple[Response, int]:
        return jsonify(order_unique_key=request.get_json()["order_unique_key"]), 201

    return app


def create_front() -> Flask:
    """Forwards to the back app as the first page of the manual of `requests` has it."""
    return _front(requests.post)


def create_kept_front() -> Flask:
    """The same on kept connections, without a look into the environment for proxies: the least it can cost."""
    http = requests.Session()
    http.trust_env = False
    http.mount("http://", HTTPAdapter(pool_maxsize=64))
    return _front(http.post)


def _front(post: Callable[..., requests.Response]) -> Flask:
    app = _bare_app()
    url = os.environ["FLOOR_BACK_URL"] + "/internal/orders"

    @app.post("/api/orders")
    def forward() -> tuple[Response, int]:
        answer = post(url, json=request.get_json(), timeout=_TIMEOUT_SECONDS)
        return jsonify(answer.json()), 202

    return app


def _bare_app() -> Flask:
    app = Flask(__name__)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
