"""Adds the accounts whose names it reads and logs them in: `python -m bench.broker_logins`, with a site's variables."""

import json
import sys
from urllib.parse import parse_qs, urlsplit

import requests

from bench.desks import BROKER, keys_of
from pulse_core.broker_accounts import accounts, login
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_ops.paper_exchange.wire import USER_ID

_ACTOR = "bench"
_TIMEOUT_SECONDS = 10.0


def main() -> None:
    """As an operator does it: an account, its keys, and the broker's page."""
    for name in json.load(sys.stdin):
        keys = keys_of(name)
        accounts.add_account(name, BROKER, _ACTOR, utcnow(), is_live=False)
        login.set_keys(name, keys.api_key, keys.api_secret, USER_ID, _ACTOR, utcnow())
        login.log_in(name, _request_token(login.login_address(name)), _ACTOR, utcnow())


def _request_token(page: str) -> str:
    """What the page sends a browser back with; that of the exchange stands for the broker's."""
    query = urlsplit(page).query
    here = f"{settings().kite_root_url}/connect/login?{query}"
    answer = requests.get(here, allow_redirects=False, timeout=_TIMEOUT_SECONDS)
    answer.raise_for_status()
    return parse_qs(urlsplit(answer.headers["Location"]).query)["request_token"][0]


if __name__ == "__main__":
    main()
