"""`pulse keys`, and what `pulse users` changes, on a real database."""

import json

import pytest
from click.testing import CliRunner, Result

from api_contract.errors import Unauthorized
from api_contract.scopes import Role
from pulse_core.clock import utcnow
from pulse_core.identity.accounts import account_named, add_account, authenticate
from pulse_core.identity.api_keys import holder_of
from pulse_ops.cli import main

PASSWORD = "correct horse battery"


@pytest.fixture
def meera(clean_database: str) -> str:
    return add_account("meera", PASSWORD, Role.TRADER, utcnow()).id


def pulse(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=typed)


def add(*scopes: str) -> Result:
    return pulse("keys", "add", "meera", "--name", "bot", *(one for scope in scopes for one in ("--scope", scope)))


def test_a_key_is_printed_once_and_works_for_its_account(meera: str) -> None:
    holder = holder_of(add("orders:read", "orders:write").stdout.strip(), utcnow())

    assert (holder.account_id, holder.scopes) == (meera, ["orders:read", "orders:write"])


def test_keys_are_listed_with_their_state_and_without_their_text(meera: str) -> None:
    made = json.loads(pulse("keys", "add", "meera", "--name", "b", "--scope", "orders:read", "--json").stdout)
    assert pulse("keys", "revoke", made["key_id"]).exit_code == 0

    [shown] = json.loads(pulse("keys", "list", "--user", "meera", "--json").stdout)
    assert (shown["key_id"], shown["username"], shown["account_id"]) == (made["key_id"], "meera", meera)
    assert shown["revoked_at"] is not None
    table = pulse("keys", "list").stdout
    assert "revoked" in table
    assert made["api_key"] not in table
    with pytest.raises(Unauthorized):
        holder_of(made["api_key"], utcnow())


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("keys", "add", "nobody", "--name", "b", "--scope", "orders:read"), 4),
        (("keys", "add", "meera", "--name", "b", "--scope", "slices:operate"), 4),
        (("keys", "add", "meera", "--name", "b", "--scope", "everything"), 2),
        (("keys", "add", "meera", "--name", "b"), 2),
        (("keys", "revoke", "key_01J00000000000000000000000"), 4),
        (("users", "role", "nobody", "viewer"), 4),
        (("users", "enable", "nobody"), 4),
    ],
    ids=str,
)
@pytest.mark.usefixtures("meera")
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], exit_code: int) -> None:
    result = pulse(*arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("meera")
def test_a_role_and_a_password_are_changed() -> None:
    assert pulse("users", "role", "meera", "operator").exit_code == 0
    generated = pulse("users", "password", "meera", "--generate").stdout.strip()
    assert authenticate("meera", generated).role is Role.OPERATOR
    pulse("users", "password", "meera", "--password-stdin", typed="another password of hers\n")
    assert authenticate("meera", "another password of hers").generation == 4


@pytest.mark.usefixtures("meera")
def test_a_disabled_account_is_enabled_again_with_its_keys() -> None:
    key = add("orders:read").stdout.strip()
    pulse("users", "disable", "meera")
    with pytest.raises(Unauthorized):
        holder_of(key, utcnow())

    assert pulse("users", "enable", "meera").exit_code == 0
    assert holder_of(key, utcnow()).account_id == account_named("meera").id
