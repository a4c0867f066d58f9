"""Posting to addresses that clients name: never to what only this machine or its network can reach.

A name is resolved once and the connection goes to that very address, so that it cannot be another one by then.
"""

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Timer
from urllib.parse import urlsplit

from api_contract.account_rules import LONGEST_WEBHOOK_URL

CONNECT_SECONDS, ANSWER_SECONDS = 1.0, 2.0
_URL = re.compile(r"https?://[!-~]+")
_TRANSLATED = tuple(ipaddress.ip_network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


class Unreachable(Exception):
    """A URL that must not or cannot be posted to; the message says why, and no address."""


@dataclass(frozen=True)
class Policy:
    """What is allowed beyond HTTPS to public addresses."""

    allow_http: bool
    allow_private: bool


def check_url(url: str, policy: Policy) -> None:
    """Raise Unreachable unless the URL may be posted to."""
    _scheme, host, port, _path = _parts(url, policy)
    _address(host, port, policy)


def post(url: str, body: bytes, headers: Mapping[str, str], policy: Policy) -> int:
    """Post once, following nothing; the status of the answer, whose body is not read. Raises Unreachable."""
    scheme, host, port, path = _parts(url, policy)
    address = _address(host, port, policy)
    try:
        connection = _connected(scheme, host, port, address)
    except (OSError, ssl.SSLError):
        raise Unreachable("no connection") from None
    # The socket's timeout bounds each packet; a trickle of them must not hold a deliverer longer.
    is_over = Event()
    end = Timer(CONNECT_SECONDS + ANSWER_SECONDS, _cut, [connection.sock, is_over])
    end.start()
    try:
        connection.request("POST", path, body, dict(headers))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        raise Unreachable("no answer") from None
    finally:
        end.cancel()
        connection.close()
    # Headers that are cut off read like headers that ended.
    if is_over.is_set():
        raise Unreachable("no answer in time")
    return status


def _parts(url: str, policy: Policy) -> tuple[str, str, int, str]:
    if len(url) > LONGEST_WEBHOOK_URL or not _URL.fullmatch(url):
        raise Unreachable("not an URL")
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        raise Unreachable("not an URL") from None
    if parts.scheme == "http" and not policy.allow_http:
        raise Unreachable("not https")
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise Unreachable("not an URL of a host and a path alone")
    return parts.scheme, parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _address(host: str, port: int, policy: Policy) -> str:
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise Unreachable("the host is not known") from None
    if not policy.allow_private and not all(map(_is_public, found)):
        raise Unreachable("the host is not public")
    return found[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return _is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not ip.is_multicast


def _connected(scheme: str, host: str, port: int, address: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(host, port)
    connection.default_port = {"http": 80, "https": 443}[scheme]
    plain = socket.create_connection((address, port), CONNECT_SECONDS)
    plain.settimeout(ANSWER_SECONDS)
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) if scheme == "https" else plain
        )
    except (OSError, ssl.SSLError):
        plain.close()
        raise
    return connection


def _cut(connected: socket.socket, is_over: Event) -> None:
    is_over.set()
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
