"""The URL of a Postgres with one host or several, for its client library and for SQLAlchemy alike.

Several hosts may stand as the library has them (`//role@one:5432,two:5433/pulse`) or as SQLAlchemy has them
(`//role@/pulse?host=one:5432&host=two:5433`). What both read is `?host=one,two&port=5432,5433`.
"""

import re
from collections.abc import Sequence

from sqlalchemy.engine import URL, make_url

_DRIVER = "postgresql+psycopg2"
# What stands before the hosts, with a role and a password that may hold anything but an `@`.
_AUTHORITY = re.compile(r"^(?P<before>[\w+]+://(?:[^:/@]*(?::[^@]*)?@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<after>.*)$")
_HOST = re.compile(r"^(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:]*))(?::(?P<port>\d+))?$")


def engine_url(url: str) -> URL:
    """For SQLAlchemy, with the driver that Pulse uses: it would take `postgresql://` for psycopg 3."""
    return (_with_several_hosts(url) or make_url(url)).set(drivername=_DRIVER)


def libpq_url(url: str) -> str:
    """For psycopg2 itself and Postgres's programs."""
    several = _with_several_hosts(url)
    if several is not None:
        return several.set(drivername="postgresql").render_as_string(hide_password=False)
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def _with_several_hosts(url: str) -> URL | None:
    """None where there is one, or none."""
    if found := _AUTHORITY.match(url):
        return _stated(make_url(found["before"] + found["after"]), found["hosts"].split(","))
    stated = make_url(url)
    hosts = stated.query.get("host")
    return _stated(stated, hosts) if isinstance(hosts, tuple) else None


def _stated(url: URL, hosts: Sequence[str]) -> URL:
    found = [_HOST.match(one) for one in hosts]
    names = [one["v6"] or one["name"] or "" if one else host for one, host in zip(found, hosts, strict=True)]
    ports = [one["port"] or "5432" if one else "5432" for one in found]
    return url.update_query_dict({"host": ",".join(names), "port": ",".join(ports)})
