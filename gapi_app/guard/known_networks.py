"""Networks from which somebody is let in: a login from there has places that a flood from elsewhere does not take."""

from collections import OrderedDict
from threading import Lock

_MOST_KEPT = 10_000


class KnownNetworks:
    """Those that a valid token or key was used from, the latest ones; a gateway that starts learns them anew.

    Kept in memory, so that a flood of logins costs nobody a look at the database. pulse looks closer, at the name too.
    """

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def note(self, network: str) -> None:
        with self._lock:
            self._known[network] = None
            self._known.move_to_end(network)
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def __contains__(self, network: str) -> bool:
        return network in self._known
