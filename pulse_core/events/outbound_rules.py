"""Where clients may have something posted: rules about the text of a URL and about addresses. Nobody is asked."""

import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from api_contract.account_rules import LONGEST_WEBHOOK_URL

# One sentence for a name that nobody knows and for one that only this network knows: nobody can ask which it is.
NOT_PUBLIC = "the host has no public address"
NOT_A_HOST = "not an URL of a host and a path alone"

_URL = re.compile(r"https?://[!-~]+")
_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# An IPv4 address written as IPv6 by a network that has no IPv4: what counts is the address inside.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_DENIED_6 = tuple(
    ipaddress.IPv6Network(one)
    # Teredo and 6to4 lead to IPv4 addresses; the last two are not for the Internet, though Python thinks so.
    for one in ("2001::/32", "2002::/16", "3fff::/20", "2001:20::/28")
)
_DENIED_4 = tuple(
    ipaddress.IPv4Network(one)
    # The services of clouds about their machines (Azure, Oracle), and the way to 6to4.
    for one in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")
)


class Unreachable(Exception):
    """A URL that must not or cannot be posted to; the message says why, and no address."""


@dataclass(frozen=True)
class Policy:
    """What is allowed: HTTPS to public addresses at these ports, and what is said beyond that.

    Where private hosts are allowed every port is: that is for tests and closed networks.
    """

    allow_http: bool
    allow_private: bool
    ports: Collection[int] = frozenset({443, 8443})


@dataclass(frozen=True)
class Target:
    """Where a URL leads. `literal`: the address that stands in it, None where a name does."""

    scheme: str
    host: str
    port: int
    path: str
    literal: str | None


def target_of(url: str, policy: Policy) -> Target:
    """Where the URL leads. Raises Unreachable for one whose text alone shows that it must not be posted to."""
    if len(url) > LONGEST_WEBHOOK_URL or not _URL.fullmatch(url):
        raise Unreachable("not an URL")
    try:
        parts = urlsplit(url)
        port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        raise Unreachable("not an URL") from None
    if parts.scheme == "http" and not policy.allow_http:
        raise Unreachable("not https")
    if not parts.hostname or parts.username is not None or parts.fragment:
        raise Unreachable(NOT_A_HOST)
    _check_port(parts.scheme, port, policy)
    literal = _literal(parts.hostname, policy)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port, path, literal)


def check_address(address: str, policy: Policy) -> None:
    """Raise Unreachable unless something may be posted to this address."""
    if not policy.allow_private and not is_public(address):
        raise Unreachable(NOT_PUBLIC)


def is_public(address: str) -> bool:
    """Whether everybody can reach the address, and not only this machine or its network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if "%" in address:
        # With a zone it is for one network only.
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and not any(ip in network for network in _DENIED_4)
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip in _GLOBAL_UNICAST and ip.is_global and not any(ip in network for network in _DENIED_6)


def _check_port(scheme: str, port: int, policy: Policy) -> None:
    is_plain = scheme == "http" and port == _DEFAULT_PORTS["http"]
    if not policy.allow_private and not is_plain and port not in policy.ports:
        allowed = ", ".join(map(str, sorted(policy.ports)))
        raise Unreachable(f"not a port that events are posted to ({allowed})")


def _literal(host: str, policy: Policy) -> str | None:
    """The address that the host is, in any of the ways to write one; None for a name."""
    address = _as_address(host)
    if address is not None:
        check_address(address, policy)
        return address
    name = host.removesuffix(".")
    if not _NAME.fullmatch(name):
        raise Unreachable(NOT_A_HOST)
    if "." not in name and not policy.allow_private:
        raise Unreachable(NOT_PUBLIC)
    return None


def _as_address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        return None
    # What ends in a number is an address to every resolver: 127.1, 2130706433, 0x7f.1.
    try:
        return socket.inet_ntoa(socket.inet_aton(host.removesuffix(".")))
    except OSError:
        raise Unreachable(NOT_A_HOST) from None
