"""What the gateway remembers of revocations, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api_contract.errors import ServiceUnavailable, Unauthorized
from api_contract.scopes import Caller
from gapi_app.access.revocations import Revocations
from gapi_app.access.tokens import Identity

LIFETIME = 900


class Source:
    """Revocations as pulse lists them, in pages."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, kind: str, subject: str, generation: int | None = None, age: float = 0) -> None:
        at = (datetime.now(UTC) - timedelta(seconds=age)).isoformat().replace("+00:00", "Z")
        row = {"kind": kind, "subject": subject, "generation": generation, "revoked_at": at}
        self.rows.append({"id": len(self.rows) + 1, **row})

    def revocations(self, after: int, limit: int) -> dict[str, Any]:
        return {"revocations": [row for row in self.rows if row["id"] > after][:limit], "latest": len(self.rows)}


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def revocations(source: Source) -> Revocations:
    return Revocations(source, LIFETIME)


def identity(generation: int = 1, jti: str = "j", session: str | None = "s", key: str | None = None) -> Identity:
    return Identity(Caller("acc_1", "trader", frozenset(), session, key), jti, generation, 0, 10**10)


def is_revoked(revocations: Revocations, who: Identity) -> bool:
    try:
        revocations.check(who)
    except Unauthorized:
        return True
    return False


def test_nothing_is_believed_before_the_first_answer(revocations: Revocations) -> None:
    with pytest.raises(ServiceUnavailable):
        revocations.check(identity())
    revocations.poll()
    revocations.check(identity())


@pytest.mark.parametrize(
    ("kind", "subject", "generation", "revoked", "spared"),
    [
        ("TOKEN", "j", None, identity(), identity(jti="other")),
        ("SESSION", "s", None, identity(), identity(session="other")),
        ("KEY", "k", None, identity(key="k", session=None), identity(key="other", session=None)),
        ("ACCOUNT", "acc_1", 2, identity(1), identity(2)),
        ("ACCOUNT", "acc_1", 2, identity(1), identity(0, session=None, key="k")),
    ],
)
def test_what_is_revoked_is_refused_and_nothing_else(
    source: Source, revocations: Revocations, kind: str, subject: str, generation: int | None,
    revoked: Identity, spared: Identity,
) -> None:  # fmt: skip
    revocations.poll()
    assert not is_revoked(revocations, revoked)
    source.add(kind, subject, generation)
    revocations.poll()
    assert (is_revoked(revocations, revoked), is_revoked(revocations, spared)) == (True, False)


def test_many_are_read_page_by_page_and_forgotten_when_no_token_is_left(
    source: Source, revocations: Revocations
) -> None:
    for number in range(1_201):
        source.add("TOKEN", f"j{number}", age=0 if number % 2 else LIFETIME + 301)
    revocations.poll()
    assert len(revocations) == 600


def test_a_database_that_begins_anew_is_read_from_its_beginning(source: Source, revocations: Revocations) -> None:
    for number in range(5):
        source.add("TOKEN", f"old{number}")
    revocations.poll()
    source.rows.clear()
    source.add("TOKEN", "j")
    revocations.poll()
    assert is_revoked(revocations, identity())
