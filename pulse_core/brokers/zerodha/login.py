"""The login at Zerodha: by a person, once a day, through Kite's page; then a token is exchanged."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from api_contract.imports import stood_in_for
from pulse_core.brokers.port import BrokerError, LoggedIn, NotSent, OutcomeUnknown, Refused
from pulse_core.brokers.transport import Call, Session
from pulse_core.brokers.zerodha import errors, rows
from pulse_core.brokers.zerodha.broker import TOKENS_END

with stood_in_for("kiteconnect.ticker", "KiteTicker"):
    from kiteconnect import KiteConnect

_USER = re.compile("[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile("[!-~]{1,512}")


class ZerodhaLogin:
    """Whoever a Kite Connect app is logged in as. See `port.Login`.

    An exchange that `is_simulated` has a page of its own.
    """

    def __init__(
        self,
        *,
        root: str,
        api_key: str,
        api_secret: str,
        access_token: str | None = None,
        timeout: float = 7.0,
        is_simulated: bool = False,
    ) -> None:
        self._client = KiteConnect(api_key=api_key, access_token=access_token, root=root, timeout=timeout)
        self._client.reqsession = Session()
        self._api_secret = api_secret
        self._is_simulated = is_simulated
        self._secrets = [one for one in (access_token, api_secret, api_key) if one and len(one) >= 8]

    def login_url(self) -> str:
        """The page on which a person logs in; it holds the API key, and no secret."""
        if self._is_simulated:
            return f"{self._client.root}/connect/login?{urlencode({'api_key': self._client.api_key, 'v': '3'})}"
        url: str = self._client.login_url()
        return url

    def redeem(self, request_token: str, now: datetime) -> LoggedIn:
        """Exchange a request token, with the checksum that only the holder of the secret can make."""
        if not _TOKEN.fullmatch(request_token):
            raise Refused("INPUT", "the request token is not one of Kite's")
        self._secrets.append(request_token)
        answer = self._asked(lambda: self._client.generate_session(request_token, self._api_secret))
        token, user = answer.get("access_token"), answer.get("user_id")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise OutcomeUnknown("NO_TOKEN", "the broker's answer holds no token: log in again")
        self._secrets.append(token)
        return LoggedIn(token, _user(user), _ends_at(now))

    def whoami(self) -> str:
        """The user that the token belongs to."""
        return _user(self._asked(self._client.profile).get("user_id"))

    def _asked(self, ask: Callable[[], object]) -> Mapping[str, Any]:
        call, answer, error = Call(), None, None
        try:
            with call.watched():
                answer = ask()
        except NotSent:
            raise
        # The client raises KeyError, TypeError and more on odd answers: what the call recorded decides.
        except Exception as raised:
            error = raised
        if error is None and call.status == 200 and isinstance(answer, dict):
            return answer
        raise self._failure(call, error) from None

    def _failure(self, call: Call, error: Exception | None) -> BrokerError:
        return errors.failure(call, error, self._secrets)


def _user(found: object) -> str:
    if not isinstance(found, str) or not _USER.fullmatch(found):
        raise OutcomeUnknown("NO_USER", "the broker's answer does not say who is logged in")
    return found


def _ends_at(now: datetime) -> datetime:
    at = datetime.combine(now.astimezone(rows.INDIA).date(), TOKENS_END, rows.INDIA)
    return at if at > now else at + timedelta(days=1)
