"""Flower starts only where nobody else can reach it, or where it asks who they are."""

from types import SimpleNamespace

import pytest

from pulse_tasks.dashboard import check_access


def given(**options: object) -> SimpleNamespace:
    return SimpleNamespace(**{"address": "", "unix_socket": "", "auth": "", "basic_auth": None, **options})


@pytest.mark.parametrize(
    "options",
    [
        {"address": "127.0.0.1"},
        {"address": "::1"},
        {"address": "localhost"},
        {"unix_socket": "/run/flower.sock"},
        {"address": "0.0.0.0", "basic_auth": ["operator:secret"]},
        {"auth": "operator@example.com"},
    ],
)
def test_it_starts_on_loopback_or_with_a_password(options: dict[str, object]) -> None:
    check_access(given(**options))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"address": "0.0.0.0"},
        {"address": "::"},
        {"address": "10.0.0.7"},
        {"address": "flower.example.com"},
        {"basic_auth": [""]},
        {"basic_auth": ["operator:"]},
        {"basic_auth": ["operator:secret", ":"]},
    ],
)
def test_it_does_not_start_where_anybody_is_let_in(options: dict[str, object]) -> None:
    with pytest.raises(SystemExit, match=r"^flower cannot start: .*Set FLOWER_BASIC_AUTH=user:password"):
        check_access(given(**options))
