"""How to tell from outside that a process is ready for work."""

from collections.abc import Callable
from contextlib import closing

import psutil
import redis
import requests

from pulse_ops.stack.redis import client_for_one_question

Probe = Callable[[int], bool]


def http_ok(url: str) -> Probe:
    """Ready when `url` answers 2xx."""
    session = requests.Session()
    session.trust_env = False

    def probe(_pid: int) -> bool:
        try:
            return session.get(url, timeout=2).ok
        except requests.RequestException:
            return False

    return probe


def waits_for_messages(redis_url: str) -> Probe:
    """Ready when the process has a connection on which Redis keeps it waiting for a message.

    With a broker other than Redis: ready as soon as it runs.
    """
    if not redis_url.startswith(("redis://", "rediss://")):
        return lambda _pid: True

    def probe(pid: int) -> bool:
        try:
            ports = {connection.laddr.port for connection in psutil.Process(pid).net_connections("tcp")}
            return bool(ports & _waiting_ports(redis_url))
        except (psutil.Error, redis.RedisError):
            return False

    return probe


def always(_pid: int) -> bool:
    """Ready as soon as it runs."""
    return True


def _waiting_ports(redis_url: str) -> set[int]:
    with closing(client_for_one_question(redis_url)) as client:
        waiting = [row for row in client.client_list() if row["cmd"] == "brpop"]
    return {int(row["addr"].rpartition(":")[2]) for row in waiting}
