"""`pulse users` on a real database."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api_contract.errors import Unauthorized
from pulse_core.clock import utcnow
from pulse_core.identity import accounts
from pulse_ops.cli import main
from tests.support.second_factors import a_phone

PULSE = str(Path(sys.executable).with_name("pulse"))
Users = Callable[..., Result]


@pytest.fixture
def users(clean_database: str) -> Users:
    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, ["users", *arguments], input=typed)

    return run


def test_a_password_from_stdin_logs_in(users: Users) -> None:
    result = users("add", "meera", "--role", "viewer", "--password-stdin", typed="correct horse battery\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert accounts.authenticate("meera", "correct horse battery").role == "viewer"


def test_a_generated_password_is_printed_once_and_logs_in(users: Users) -> None:
    password = users("add", "meera", "--generate").stdout.strip()
    assert accounts.authenticate("meera", password).role == "trader"
    added = json.loads(users("add", "arun", "--generate", "--json").stdout)
    assert accounts.authenticate("arun", added["password"]).id == added["account_id"]


def test_a_password_is_asked_for_twice_on_a_terminal_and_not_shown(clean_database: str) -> None:
    shown = _typed_at_a_terminal([PULSE, "users", "add", "meera"], "correct horse battery\n" * 2)
    assert "Repeat for confirmation" in shown
    assert "correct horse battery" not in shown
    assert accounts.authenticate("meera", "correct horse battery").is_active


def test_a_disabled_account_is_listed_and_cannot_log_in(users: Users) -> None:
    users("add", "meera", "--password-stdin", typed="correct horse battery\n")
    users("add", "arun", "--generate")
    assert users("disable", "meera").exit_code == 0
    with pytest.raises(Unauthorized):
        accounts.authenticate("meera", "correct horse battery")
    listed = {one["username"]: one["is_active"] for one in json.loads(users("list", "--json").stdout)}
    assert listed == {"arun": True, "meera": False}
    assert [line.split()[:3] for line in users("list").stdout.splitlines()[1:]] == [
        ["arun", "trader", "active"],
        ["meera", "trader", "disabled"],
    ]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("add", "Meera", "--generate"), 4, "username must be"),
        (("add", "meera", "--password-stdin"), 4, "password must have 12 to 128 characters"),
        (("add", "taken", "--generate"), 4, "the username taken is taken"),
        (("disable", "nobody"), 4, "there is no account nobody"),
        (("add", "meera"), 2, "--password-stdin"),
        (("add", "meera", "--generate", "--password-stdin"), 2, "cannot be combined"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    users: Users, arguments: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    users("add", "taken", "--generate")
    result = users(*arguments, typed="short\n")
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert sentence in result.stderr.splitlines()[-1]


def test_the_database_is_all_it_needs(clean_database: str) -> None:
    result = _run({"DATABASE_URL": clean_database})
    assert (result.returncode, result.stdout) == (0, "[]\n")


def test_a_database_that_is_away_is_exit_code_3() -> None:
    result = _run({"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nowhere"})
    assert (result.returncode, result.stderr) == (3, "pulse: the database is not available\n")


def test_without_a_database_the_way_out_is_named(tmp_path: Path) -> None:
    result = _run({"PULSE_DATA_DIR": str(tmp_path)})
    assert result.returncode == 3
    assert "set DATABASE_URL" in result.stderr


def _run(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [PULSE, "users", "list", "--json"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def _typed_at_a_terminal(command: list[str], text: str) -> str:
    """What the terminal showed; each line of `text` is typed when a question with a colon stands there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    lines, shown = text.splitlines(keepends=True), ""
    with os.fdopen(terminal, "r+b", buffering=0) as screen:
        while chunk := _read(screen.fileno()):
            shown += chunk
            if shown.endswith(": ") and lines:
                os.write(screen.fileno(), lines.pop(0).encode())
    os.waitpid(pid, 0)
    return shown


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 4096).decode()
    except OSError:  # how Linux says that the other side is gone
        return ""


def test_the_second_factor_of_a_user_is_listed_and_removed(users: Users) -> None:
    users("add", "meera", "--password-stdin", typed="correct horse battery\n")
    now = utcnow()
    a_phone(accounts.account_named("meera").id, now)

    def since() -> str | None:
        [shown] = json.loads(users("list", "--json").stdout)
        return shown["second_factor_since"]

    assert since() is not None
    assert "10 recovery codes left" in users("totp", "meera").stderr
    assert users("totp", "meera", "--remove").stderr == "meera has no second factor.\n"
    assert since() is None
    assert users("totp", "nobody").exit_code == 4


def test_limits_are_shown_raised_and_cleared_and_what_is_wrong_is_named(users: Users) -> None:
    users("add", "meera", "--generate")
    changed = users(
        "limits", "meera", "--set", "order_quantity=500", "--set", "instruments=NSE:SBIN,NSE:INFY", "--json"
    )
    assert changed.exit_code == 0, changed.output
    own = json.loads(changed.stdout)["own"]
    assert (own["order_quantity"], sorted(own["instruments"])) == (500, ["NSE:INFY", "NSE:SBIN"])

    users("limits", "meera", "--set", "day_worth=250000.50", "--clear", "instruments")
    shown = users("limits", "meera")
    assert shown.exit_code == 0
    assert "order_quantity" in shown.stdout
    assert "250000.50" in shown.stdout
    assert "NSE:SBIN" not in shown.stdout

    for wrong in ("unheard=1", "order_quantity", "order_quantity=x", "day_worth=NaN", "products=CASH"):
        assert users("limits", "meera", "--set", wrong).exit_code == 2
    assert users("limits", "meera", "--set", "order_quantity=0").exit_code == 4
    assert users("limits", "nobody").exit_code == 4
