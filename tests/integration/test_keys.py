"""API keys: shown once, kept hashed, never more than the role allows, and over when revoked."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from api_contract.errors import InvalidRequest, InvalidState, NotFound, Unauthorized
from api_contract.scopes import Role, Scope
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.identity import api_keys, revocations
from pulse_core.identity.accounts import add_account, change_account
from pulse_core.identity.api_keys import NewKey, add_key, holder_of, key_page, revoke_key
from pulse_core.owner import EveryAccount, OneAccount

pytestmark = pytest.mark.usefixtures("clean_database")

READ, WRITE = Scope.ORDERS_READ, Scope.ORDERS_WRITE


@pytest.fixture
def asha(clean_database: str) -> str:
    return add_account("asha", "correct horse battery", Role.TRADER, utcnow()).id


def make(account_id: str, *scopes: Scope, days: int = 90) -> NewKey:
    return add_key(account_id, "bot", scopes or (READ,), days, utcnow())


def test_a_key_speaks_for_its_account_with_its_scopes(asha: str) -> None:
    made = make(asha, READ, WRITE)
    holder = holder_of(made.text, utcnow())

    assert (holder.account_id, holder.role, holder.scopes) == (asha, Role.TRADER, [READ, WRITE])
    assert holder.key_id == made.key.id


def test_only_the_hash_of_the_secret_is_kept(asha: str) -> None:
    made = make(asha)
    with db.transaction() as session:
        kept = [str(row) for row in session.execute(text("SELECT k.*, a.* FROM api_keys k, audit_entries a"))]

    assert all(made.text.split("_")[2][:40] not in row for row in kept)


@pytest.mark.parametrize("place", [4, 30, 45, -1])
def test_a_key_with_one_other_character_is_refused(asha: str, place: int) -> None:
    letters = list(make(asha).text)
    letters[place] = "A" if letters[place] != "A" else "B"
    with pytest.raises(Unauthorized):
        holder_of("".join(letters), utcnow())


@pytest.mark.parametrize("secret", ["", "0" * 40, "0" * 39 + "\u0660"])
def test_a_key_with_another_secret_is_refused(asha: str, secret: str) -> None:
    body = make(asha).text[:30] + secret
    with pytest.raises(Unauthorized):
        holder_of(body + api_keys.checksum(body), utcnow())


def test_a_key_ends_when_it_expires_is_revoked_or_its_account_is_disabled(asha: str) -> None:
    short, revoked, orphan = make(asha, days=1), make(asha), make(asha)
    revoke_key(OneAccount(asha), revoked.key.id, asha, utcnow())
    revoke_key(OneAccount(asha), revoked.key.id, asha, utcnow())
    with pytest.raises(Unauthorized):
        holder_of(short.text, utcnow() + timedelta(days=1))
    with pytest.raises(Unauthorized):
        holder_of(revoked.text, utcnow())
    assert [one.subject for one in revocations.news(0, 9).revocations] == [revoked.key.id]

    change_account(asha, utcnow(), is_active=False)
    with pytest.raises(Unauthorized):
        holder_of(orphan.text, utcnow())


def test_a_key_loses_what_the_role_of_its_account_loses(asha: str) -> None:
    made = make(asha, READ, WRITE)
    change_account(asha, utcnow(), role=Role.VIEWER)

    assert holder_of(made.text, utcnow()).scopes == [READ]


@pytest.mark.parametrize("scopes", [[], [Scope.SLICES_OPERATE], [READ, Scope.SLICES_OPERATE]])
def test_no_key_may_do_more_than_the_role(asha: str, scopes: list[Scope]) -> None:
    with pytest.raises(InvalidRequest):
        add_key(asha, "bot", scopes, 90, utcnow())


def test_an_account_has_a_limited_number_of_keys_that_work(asha: str) -> None:
    made = [make(asha) for _ in range(api_keys.MOST_LIVE_KEYS)]
    with pytest.raises(InvalidState):
        make(asha)
    revoke_key(OneAccount(asha), made[0].key.id, asha, utcnow())
    make(asha)


def test_nobody_sees_or_revokes_the_key_of_another(asha: str) -> None:
    ravi = add_account("ravi", "correct horse battery", Role.TRADER, utcnow()).id
    made = make(asha)

    assert key_page(OneAccount(ravi), 10, None).keys == []
    with pytest.raises(NotFound):
        revoke_key(OneAccount(ravi), made.key.id, ravi, utcnow())
    assert [key.id for key in key_page(EveryAccount(), 10, None).keys] == [made.key.id]
    holder_of(made.text, utcnow())


def test_the_last_use_is_written_once_a_minute(asha: str) -> None:
    made, now = make(asha), utcnow()
    for seconds in (0, 30, 59, 61):
        holder_of(made.text, now + timedelta(seconds=seconds))
        [key] = key_page(OneAccount(asha), 10, None).keys
        assert key.last_used_at == (now if seconds < 60 else now + timedelta(seconds=61))
