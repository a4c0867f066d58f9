"""What the rows measure with: the product and the floors, started when the first row asks for them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path

from bench import second_broker
from bench.children import Children
from bench.floors import CeleryFloor, HttpFloor
from bench.sizes import Sizes
from bench.stack import BEHIND, FRONT, Servers, Site, default_limits, lifted_limits
from pulse_ops.stack.ports import free_port

ACCOUNTS = 8
# Of Redis' databases those after it are of sites at the default rate.
_FIRST_DEFAULT = 5


class Bench:
    """One run of the benchmark, in a folder of its own. `say` shows a line of progress."""

    def __init__(self, folder: Path, sizes: Sizes, say: Callable[[str], None]) -> None:
        self._whole_folder = self.folder = folder
        self._times_over = self._default_sites = 0
        self.sizes = sizes
        self.say = say
        self.children = Children(folder / "logs")
        self._started = time.monotonic()

    @property
    def is_time_up(self) -> bool:
        """Whether one more row would take a quick run over its ten minutes."""
        return time.monotonic() - self._started > self.sizes.last_row_begins_within

    @cached_property
    def servers(self) -> Servers:
        self.say("starting Postgres and Redis")
        return Servers(self.folder, self.children)

    @property
    def has_site(self) -> bool:
        """Whether a row has asked for the usual site."""
        return "site" in self.__dict__

    @cached_property
    def site(self) -> Site:
        site = Site(self.servers, self.children, self.folder / "site", redis_number=0)
        self.say("starting the product")
        site.start((*FRONT, *BEHIND))
        return site

    @contextmanager
    def site_at_default_rate(self) -> Iterator[Site]:
        """A new site, whose limits towards the broker are those of users; the usual one rests meanwhile.

        Its account has its whole day before it: what a row sends counts against the day's limit.
        """
        self._default_sites += 1
        folder, number = self.folder / f"default-{self._default_sites}", _FIRST_DEFAULT + self._default_sites
        with self.site.at_rest() if self.has_site else nullcontext():
            self.say("starting the product with its default limits")
            site = Site(self.servers, self.children, folder, number, prefix="default ", limits=default_limits())
            try:
                site.start((*FRONT, *BEHIND))
                yield site
            finally:
                site.stop()

    @contextmanager
    def site_at_two_brokers(self) -> Iterator[Site]:
        """Another site, with an account at a second exchange too; the first site rests meanwhile."""
        folder, port = self.folder / "two", free_port()
        with self.site.at_rest() if self.has_site else nullcontext():
            self.say("starting the product with accounts at two brokers")
            limits, to_call = lifted_limits() | second_broker.TRADED, second_broker.variables(port)
            site = Site(self.servers, self.children, folder, 4, prefix="two ", limits=limits, at_the_broker=to_call)
            try:
                self.children.start([second_broker.exchange(folder, port)])
                site.start((*FRONT, *BEHIND))
                yield site
            finally:
                site.stop()
                self.children.stop([second_broker.EXCHANGE])

    @cached_property
    def tokens(self) -> list[str]:
        """Access tokens of the accounts that place orders."""
        return self.site.log_in_new_accounts(ACCOUNTS)

    @cached_property
    def http_floor(self) -> HttpFloor:
        self.say("starting the HTTP floor")
        return HttpFloor(self.site, self.children)

    @cached_property
    def celery_floor(self) -> CeleryFloor:
        self.say("starting the Celery floor")
        with self.site.at_rest():
            return CeleryFloor(self.servers, self.site, self.children, self.folder)

    def start_over(self) -> None:
        """After a row that failed: end everything and begin in another folder: nothing of that row is there then."""
        self.say("starting over")
        self.children.close()
        self._times_over += 1
        self.folder = self._whole_folder / f"again-{self._times_over}"
        for name in ("servers", "site", "tokens", "http_floor", "celery_floor"):
            self.__dict__.pop(name, None)

    def close(self) -> None:
        """End everything that was started."""
        self.children.close()
