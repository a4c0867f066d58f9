"""What must be refused though it has not expired: learnt from pulse every second, looked up on each request.

Postgres is where revocations live, so that neither a restart of the gateway nor the loss of Redis forgets one.
Until the first answer of pulse nothing is believed.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock, Thread
from typing import Any, Protocol

import structlog

from api_contract.errors import PulseError, ServiceUnavailable, Unauthorized
from api_contract.troubles import troubles
from gapi_app import clock
from gapi_app.access.tokens import Identity
from gapi_app.cells.naming import answering_cell

POLL_SECONDS, RETRY_SECONDS = 1.0, 0.25
_PAGE = 500
# Clocks of two machines differ: what is revoked is remembered that much longer than any token lives.
_SKEW_SECONDS = 300.0

log = structlog.get_logger(__name__)


class News(Protocol):
    """Where revocations come from."""

    def revocations(self, after: int, limit: int) -> Mapping[str, Any]: ...


class Revocations:
    """The revocations that concern tokens which can still be alive."""

    def __init__(self, source: News, token_lifetime_seconds: int) -> None:
        self._source = source
        self._kept_seconds = token_lifetime_seconds + _SKEW_SECONDS
        self._lock = Lock()
        self._named: dict[tuple[str, str], float] = {}
        self._generations: dict[str, tuple[int, float]] = {}
        self._last_id = 0
        self.is_loaded = False
        self._tell: Callable[[], None] = lambda: None

    def on_news(self, tell: Callable[[], None]) -> None:
        """Call this whenever something was revoked."""
        self._tell = tell

    def follow(self) -> None:
        """Learn what there is, and from then on what is new."""
        self._poll_quietly()
        Thread(target=self._run, name="revocations", daemon=True).start()

    def check_loaded(self) -> None:
        """Raise ServiceUnavailable as long as nothing is known."""
        if not self.is_loaded:
            raise ServiceUnavailable("revoked tokens are not known yet", {"missing": ["pulse"]})

    def check(self, identity: Identity) -> None:
        """Raise Unauthorized for a revoked token or key, ServiceUnavailable as long as nothing is known."""
        self.check_loaded()
        who = identity.caller
        names = (("TOKEN", identity.jti), ("SESSION", who.session_id), ("KEY", who.key_id))
        if any(name in self._named for name in names) or (who.key_id is None and self.has_changed(identity)):
            raise Unauthorized("the access token was revoked")

    def has_changed(self, identity: Identity) -> bool:
        """Whether the account is no longer as it was when the identity was read. Its keys may go on all the same."""
        generation, _until = self._generations.get(identity.caller.account_id, (0, 0.0))
        return identity.generation < generation

    def poll(self) -> None:
        """Learn what is new. Raises PulseError if pulse does not answer."""
        before = self._last_id
        with self._lock:
            while True:
                news = self._source.revocations(self._last_id, _PAGE)
                if news["latest"] < self._last_id:
                    # Another database than before, or one that was restored: its ids begin anew.
                    self._last_id = 0
                    continue
                for one in news["revocations"]:
                    self._note(one)
                if len(news["revocations"]) < _PAGE:
                    break
            self._forget(clock.now())
            self.is_loaded = True
        if self._last_id != before:
            self._tell()

    def __len__(self) -> int:
        return len(self._named) + len(self._generations)

    def _note(self, one: Mapping[str, Any]) -> None:
        self._last_id = one["id"]
        until = datetime.fromisoformat(one["revoked_at"]).timestamp() + self._kept_seconds
        if one["kind"] == "ACCOUNT":
            self._generations[one["subject"]] = (one["generation"], until)
            return
        self._named[one["kind"], one["subject"]] = until

    def _forget(self, now: float) -> None:
        self._named = {name: until for name, until in self._named.items() if until > now}
        self._generations = {name: kept for name, kept in self._generations.items() if kept[1] > now}

    def _run(self) -> None:
        is_well = self.is_loaded
        while True:
            time.sleep(POLL_SECONDS if is_well else RETRY_SECONDS)
            was_well, is_well = is_well, self._poll_quietly()
            if was_well != is_well:
                _log_change(is_well)

    def _poll_quietly(self) -> bool:
        try:
            self.poll()
        except (PulseError, KeyError, TypeError, ValueError):
            return False
        return True


class RevocationsOfCells:
    """Those of every cell, each by itself: one that is away takes nothing from the others."""

    def __init__(self, by_tag: Mapping[str | None, Revocations]) -> None:
        self._by_tag = by_tag

    def on_news(self, tell: Callable[[], None]) -> None:
        """Call this whenever something was revoked in any of them."""
        for one in self._by_tag.values():
            one.on_news(tell)

    def follow(self) -> None:
        """Learn what there is, and from then on what is new."""
        for one in self._by_tag.values():
            one.follow()

    def check_loaded(self) -> None:
        """Raise ServiceUnavailable as long as nothing is known of any cell."""
        if not any(one.is_loaded for one in self._by_tag.values()):
            next(iter(self._by_tag.values())).check_loaded()

    def check(self, identity: Identity) -> None:
        """As that of the identity's cell does; Unauthorized for a cell that there is not."""
        self._of(identity).check(identity)

    def has_changed(self, identity: Identity) -> bool:
        """As that of the identity's cell does."""
        return self._of(identity).has_changed(identity)

    def learn_now(self, tag: str | None) -> None:
        """Learn at once what was revoked in this cell; should that fail, the next poll does it."""
        try:
            self._by_tag[tag].poll()
        except (PulseError, KeyError, TypeError, ValueError):
            troubles.warn(log, "revocations", "revocations cannot be read")

    def learn_all_now(self) -> None:
        """The same in every cell."""
        for tag in self._by_tag:
            self.learn_now(tag)

    def _of(self, identity: Identity) -> Revocations:
        found = self._by_tag.get(identity.caller.cell)
        if found is None:
            raise Unauthorized("the access token is of a cell that is not served here")
        return found


def learn_now(revocations: RevocationsOfCells) -> None:
    """Learn at once what this request has had revoked, in the cell that did it."""
    cell = answering_cell()
    revocations.learn_now(cell.tag if cell else None)


def _log_change(is_well: bool) -> None:
    if is_well:
        log.info("revocations can be read again")
        return
    log.warning("revocations cannot be read")
