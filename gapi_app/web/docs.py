"""The API page: Swagger UI from its wheel, so that it works without internet."""

from importlib.resources import files
from typing import Any, cast

from flask import Blueprint, Response, jsonify, redirect, send_file

from api_contract.errors import NotFound

_ASSETS = files("flask_swagger_ui") / "dist"
_SERVED = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Pulse API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="page"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null});
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def pages(specification: dict[str, Any]) -> Blueprint:
    """`/openapi.json` and `/docs` for this specification."""
    blueprint = Blueprint("docs", __name__)

    @blueprint.route("/openapi.json")
    def openapi() -> Response:
        return jsonify(specification)

    @blueprint.route("/docs")
    def page() -> Response:
        return Response(_PAGE, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})

    @blueprint.route("/docs/")
    def page_with_slash() -> Response:
        return cast("Response", redirect("/docs", 308))

    @blueprint.route("/docs/start.js")
    def start() -> Response:
        return Response(_START, content_type="text/javascript; charset=utf-8")

    @blueprint.route("/docs/<name>")
    def asset(name: str) -> Response:
        if name not in _SERVED:
            raise NotFound("there is no such page")
        return send_file(str(_ASSETS / name), max_age=86_400)

    return blueprint
