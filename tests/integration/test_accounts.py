"""Who may log in, and that a refusal says nothing of the reason."""

import pytest

from api_contract.errors import InvalidRequest, InvalidState, NotFound, Unauthorized
from api_contract.scopes import Role
from pulse_core.clock import utcnow
from pulse_core.identity.accounts import add_account, authenticate, disable_account, list_accounts, offboard_account

pytestmark = pytest.mark.usefixtures("clean_database")

PASSWORD = "correct horse battery"


def add(username: str = "asha", password: str = PASSWORD, role: Role = Role.TRADER) -> str:
    return add_account(username, password, role, utcnow()).id


def test_an_account_logs_in_with_its_password() -> None:
    account_id = add()

    account = authenticate("asha", PASSWORD)

    assert (account.id, account.role) == (account_id, Role.TRADER)


def test_the_password_is_kept_as_a_salted_hash() -> None:
    add("asha")
    add("ravi")

    hashes = {authenticate(username, PASSWORD).password_hash for username in ("asha", "ravi")}

    assert len(hashes) == 2
    assert all(one.startswith("$argon2id$") and PASSWORD not in one for one in hashes)


@pytest.mark.parametrize(
    ("username", "password"),
    [("asha", "wrong horse battery"), ("asha", ""), ("nobody", PASSWORD), ("asha\x00", PASSWORD), ("ASHA", PASSWORD)],
)
def test_wrong_credentials_are_refused_with_the_same_words(username: str, password: str) -> None:
    add()

    with pytest.raises(Unauthorized, match=r"^username or password is wrong$"):
        authenticate(username, password)


def test_a_disabled_account_cannot_log_in() -> None:
    add()
    disable_account("asha", utcnow())

    with pytest.raises(Unauthorized, match=r"^username or password is wrong$"):
        authenticate("asha", PASSWORD)


def test_an_account_that_does_not_exist_cannot_be_disabled() -> None:
    with pytest.raises(NotFound):
        disable_account("nobody", utcnow())


def test_a_name_is_given_once() -> None:
    add()

    with pytest.raises(InvalidState, match="taken"):
        add()
    assert len(list_accounts()) == 1


@pytest.mark.parametrize("username", ["", "a", "Asha", "a" * 65, "-asha", "a\x00b", "a b", "asha\n"])
def test_a_name_that_breaks_the_rule_is_refused(username: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        add(username)

    assert refusal.value.details["field"] == "username"


@pytest.mark.parametrize("password", ["", "short", "p" * 11, "p" * 129])
def test_a_password_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        add(password=password)

    assert refusal.value.details == {"field": "password", "min_length": 12, "max_length": 128}


def test_accounts_are_listed_by_name() -> None:
    for username in ("ravi", "asha", "meera"):
        add(username)

    assert [account.username for account in list_accounts()] == ["asha", "meera", "ravi"]


@pytest.mark.parametrize(
    "password", ["password1234", "qwertyuiop123", "aaaaaaaaaaaaaaaa", "asha-asha-asha", "pulsepulse12"]
)
def test_a_password_that_is_easily_guessed_is_refused(password: str) -> None:
    with pytest.raises(InvalidRequest, match="too easily guessed") as refusal:
        add(password=password)

    assert refusal.value.details["field"] == "password"
    assert list_accounts() == []


def test_words_that_do_not_belong_together_make_a_good_password_and_length_alone_does_not() -> None:
    add(password="correct horse battery")
    with pytest.raises(InvalidRequest):
        add("ravi", password="x" * 40 + "a tall ship, and a star")


def test_nobody_off_boards_themselves_or_somebody_who_is_not_there() -> None:
    add()
    [account] = list_accounts()

    with pytest.raises(InvalidState):
        offboard_account(account.id, account.id, utcnow())
    with pytest.raises(NotFound):
        offboard_account("acc_nobody", account.id, utcnow())
    assert [one.is_active for one in list_accounts()] == [True]
