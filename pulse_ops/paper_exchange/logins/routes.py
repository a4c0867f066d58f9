"""Routes of the login: the page that a person sees, the exchange of tokens, its end."""

from html import escape
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from pulse_ops.paper_exchange.clock import india_text
from pulse_ops.paper_exchange.context import desk, success
from pulse_ops.paper_exchange.errors import not_here
from pulse_ops.paper_exchange.user.profile import profile

logins = Blueprint("logins", __name__)

# A person's browser knows neither header, and who begins a login has no token yet.
PAGE = "logins.page"
WITHOUT_TOKEN = frozenset({PAGE, "logins.begin", "logins.end"})


@logins.get("/connect/login")
def page() -> AnyResponse:
    """Log in at once, as nobody has a password here, and go back to the app with a request token."""
    found = desk().logins
    token = found.give_request_token(request.args.get("api_key", ""))
    if found.app.redirect_url is None:
        return Response(f"<h1>Logged in</h1><p>request_token: <code>{escape(token)}</code></p>", mimetype="text/html")
    answer = {"action": "login", "type": "login", "status": "success", "request_token": token}
    answer |= dict(parse_qsl(request.args.get("redirect_params", "")))
    joint = "&" if "?" in found.app.redirect_url else "?"
    return redirect(found.app.redirect_url + joint + urlencode(answer))


@logins.post("/session/token")
def begin() -> Response:
    """Take a request token for an access token."""
    at = desk()
    form = request.form
    api_key = form.get("api_key", "")
    token = at.logins.begin(api_key, form.get("request_token", ""), form.get("checksum", ""))
    return success(
        profile()
        | {
            "api_key": api_key,
            "access_token": token,
            "public_token": token[::-1],
            "enctoken": "",
            "refresh_token": "",
            "silo": "",
            "login_time": india_text(at.exchange.books.now()),
        }
    )


@logins.delete("/session/token")
def end() -> Response:
    """Log out."""
    desk().logins.end(request.args.get("api_key", ""), request.args.get("access_token", ""))
    return success(True)


@logins.post("/session/refresh_token")
def renew() -> Response:
    """Refuse: Kite gives refresh tokens to a few platforms only."""
    raise not_here("The paper exchange gives no refresh tokens: log in again.")
