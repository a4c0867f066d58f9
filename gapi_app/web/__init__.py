"""The pages that the gateway serves to people: the blotter at `/app`, and what leads there."""

from typing import cast

from flask import Blueprint, Response, redirect, request

from api_contract.errors import NotFound
from gapi_app.web.files import File, site

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"
)
_FOREVER = "public, max-age=31536000, immutable"

blueprint = Blueprint("web", __name__)


@blueprint.route("/")
def root() -> Response:
    return cast("Response", redirect("/app", 302))


@blueprint.route("/app")
@blueprint.route("/app/new")
@blueprint.route("/app/attention")
@blueprint.route("/app/account")
@blueprint.route("/app/halt")
@blueprint.route("/app/orders/<order_id>")
def page(order_id: str | None = None) -> Response:
    """The one page; which view it opens is up to its script, and so is whether there is such an order."""
    response = _sent(site().page)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(site().digest, weak=True)
    return cast("Response", response.make_conditional(request.environ))


@blueprint.route("/app/")
def page_with_slash() -> Response:
    return cast("Response", redirect("/app", 308))


@blueprint.route("/app/static/<digest>/<path:name>")
def file(digest: str, name: str) -> Response:
    """A file of the page as it is now. One of another version is not there: its page has to be loaded again."""
    found = site().files.get(name)
    if digest != site().digest or found is None:
        raise NotFound("there is no such file")
    response = _sent(found)
    response.headers["Cache-Control"] = _FOREVER
    return response


def _sent(one: File) -> Response:
    is_zipped = any(name == "gzip" and quality > 0 for name, quality in request.accept_encodings)
    response = Response(one.zipped if is_zipped else one.content, content_type=one.content_type)
    response.vary.add("Accept-Encoding")
    if is_zipped and one.zipped is not one.content:
        response.headers["Content-Encoding"] = "gzip"
    return response
