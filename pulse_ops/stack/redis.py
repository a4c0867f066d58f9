"""An embedded Redis or Valkey: loopback only, with a password, and with its data on disk."""

import os
import signal
from contextlib import closing
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pulse_ops.stack import binaries, leftovers
from pulse_ops.stack.child import Program
from pulse_ops.stack.files import kept_secret, write_private
from pulse_ops.stack.handed_on import handed_on
from pulse_ops.stack.ports import free_port

_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {data}
appendonly yes
maxmemory-policy noeviction
daemonize no
set-proc-title no
stop-writes-on-bgsave-error no
"""


class EmbeddedRedis:
    """One server with everything it owns in `folder`; `port` is chosen when it is 0."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._data.mkdir(parents=True, exist_ok=True)
        self._password = kept_secret(self._folder / "password")
        self.port = port or free_port()

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def program(self) -> Program:
        config = self._folder / "redis.conf"
        return Program(
            name="redis",
            command=(str(binaries.redis_server()), str(config)),
            environment=handed_on("redis", os.environ),
            is_ready=self._is_ready,
            folder=self._data,
            prepare=lambda: self._prepare(config),
        )

    def _prepare(self, config: Path) -> None:
        leftovers.end_servers_in(self._data, binaries.redis_server().name, signal.SIGTERM)
        # The password stands in a private file, not in a command line that every user can read.
        write_private(config, _CONFIG.format(port=self.port, password=self._password, data=f'"{self._data}"'))

    def _is_ready(self, _pid: int) -> bool:
        with closing(client_for_one_question(self.url)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def client_for_one_question(url: str) -> redis.Redis:
    """A client that fails at once where another would try again for seconds. Close it after use."""
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0))
