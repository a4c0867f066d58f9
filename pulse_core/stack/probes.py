"""How to tell from outside that a process is ready for work."""

from collections.abc import Callable

import psutil
import redis
import requests

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


def http_answers(url: str) -> Probe:
    """Ready when `url` answers at all, be it that a password is needed."""
    session = requests.Session()
    session.trust_env = False

    def probe(_pid: int) -> bool:
        try:
            return session.get(url, timeout=2).status_code < 500
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
    client = redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=1)
    try:
        waiting = [row for row in client.client_list() if row["cmd"] == "brpop"]
    finally:
        client.close()
    return {int(row["addr"].rpartition(":")[2]) for row in waiting}
