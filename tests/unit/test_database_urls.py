"""Both forms of a URL with several hosts lead SQLAlchemy and Postgres's own library to the same servers."""

import re
from pathlib import Path

import psycopg2.extensions
import pytest
from sqlalchemy.dialects.postgresql.psycopg2 import dialect

from pulse_core.postgres.urls import engine_url, libpq_url

HOSTS = [
    "postgresql://role:p%40ss@one:5432,two:5433/pulse?target_session_attrs=read-write",
    "postgresql://role:p%40ss@/pulse?host=one:5432&host=two:5433&target_session_attrs=read-write",
    "postgresql+psycopg2://role:p%40ss@/pulse?host=one,two&port=5432,5433&target_session_attrs=read-write",
]


@pytest.mark.parametrize("url", HOSTS)
def test_each_form_names_the_same_servers(url: str) -> None:
    _, given = dialect().create_connect_args(engine_url(url))  # type: ignore[no-untyped-call]
    theirs = psycopg2.extensions.parse_dsn(libpq_url(url))
    expected = {"user": "role", "password": "p@ss", "host": "one,two", "port": "5432,5433"}
    expected |= {"target_session_attrs": "read-write", "dbname": "pulse"}
    assert theirs == expected
    assert {**given, "dbname": given.get("dbname", given.get("database"))} == expected


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://role@[::1]:5432,two/pulse", "::1,two", "5432,5432"),
        ("postgresql://role:a/b:c@one,two/pulse", "one,two", "5432,5432"),
        ("postgresql://one,two", "one,two", "5432,5432"),
    ],
)
def test_hosts_may_lack_ports_and_be_addresses(url: str, host: str, port: str) -> None:
    found = psycopg2.extensions.parse_dsn(libpq_url(url))
    assert (found["host"], found["port"]) == (host, port)


@pytest.mark.parametrize("url", ["postgresql://r:p@h:1/d", "postgresql+psycopg2://r:p@h:1/d"])
def test_a_url_with_one_host_stays_as_it_is(url: str) -> None:
    assert libpq_url(url) == "postgresql://r:p@h:1/d"
    assert engine_url(url).render_as_string(hide_password=False) == "postgresql+psycopg2://r:p@h:1/d"


def test_no_command_hands_a_url_to_the_client_library_as_it_was_stated() -> None:
    root = Path(__file__).parents[2] / "pulse_ops"
    sources = [path.read_text() for folder in ("cli", "doctor", "stack") for path in (root / folder).rglob("*.py")]
    connected = [call for source in sources for call in re.findall(r"psycopg2\.connect\((\w+(?:\.\w+)?)", source)]
    assert set(connected) == {"libpq_url", "self.url"}
