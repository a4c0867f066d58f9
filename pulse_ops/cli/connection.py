"""Which gateway a command talks to, and as whom: by options, by variables, or by what the running stack says."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, TypeVar

import click

from api_contract.secret_files import secret_of
from pulse_client.gateway import Credentials, Gateway
from pulse_ops.cli import options
from pulse_ops.cli.output import say
from pulse_ops.stack import running
from pulse_ops.stack.errors import NotRunning
from pulse_ops.stack.running import RunningStack

_Command = TypeVar("_Command", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "--gateway",
        envvar="PULSE_GATEWAY_URL",
        show_envvar=True,
        metavar="URL",
        help="URL of the gateway; default: the running stack's.",
    ),
    click.option(
        "--username",
        envvar="PULSE_USERNAME",
        show_envvar=True,
        help="Username to log in with; password and code are PULSE_PASSWORD and PULSE_LOGIN_CODE, or asked for."
        " Default: the stack's demo user.",
    ),
    click.option(
        "--token",
        envvar="PULSE_TOKEN",
        show_envvar=True,
        help="An access token instead of a username; safer in the variable, which other users cannot see.",
    ),
    click.option(
        "--cell",
        envvar="PULSE_CELL",
        show_envvar=True,
        metavar="NAME",
        help="The cell that is meant, where accounts are in several; for operators and admins.",
    ),
    options.data_dir,
)


class Where(TypedDict):
    """The values of `connection_options`."""

    gateway: str | None
    username: str | None
    token: str | None
    cell: str | None
    data_dir: Path | None


def connection_options(command: _Command) -> _Command:
    """Add --gateway, --username, --token, --cell and --data-dir; give them to `connect`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def connect(
    gateway: str | None, username: str | None, token: str | None, cell: str | None, data_dir: Path | None
) -> Gateway:
    """The gateway, for the account that was asked for. Raises UsageError and NotRunning."""
    stack = None if gateway and (username or token) else _running_stack(data_dir)
    url = _checked(gateway) if gateway else _url_of(stack)
    if token:
        return Gateway(url, _checked_token(token), say, cell)
    if username:
        return Gateway(url, Credentials(username, _password(username), _code), say, cell)
    return Gateway(url, _demo_user(stack, url), say, cell)


def _running_stack(data_dir: Path | None) -> RunningStack | None:
    try:
        return running.find(options.stack_settings(data_dir=data_dir).data_dir)
    except NotRunning:
        return None


def _checked(url: str) -> str:
    scheme, separator, rest = url.rstrip("/").partition("://")
    if scheme not in ("http", "https") or not separator or not rest or "/" in rest or " " in rest:
        raise click.UsageError(f"--gateway must be like http://127.0.0.1:8000, not {url}.")
    return url.rstrip("/")


def _checked_token(token: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token):
        raise click.UsageError("The token contains invalid characters: was it cut or quoted?")
    return token


def _url_of(stack: RunningStack | None) -> str:
    if stack is None:
        raise NotRunning("No stack is running here: start one with `pulse up`, or name a gateway with --gateway.")
    return stack.urls["gapi"]


def _demo_user(stack: RunningStack | None, url: str) -> Credentials:
    # The demo password belongs to the stack's own gateway: no other one gets to see it.
    if stack is None or url != stack.urls["gapi"]:
        raise click.UsageError("Give --username, or set PULSE_TOKEN.")
    if not stack.is_ready:
        raise NotRunning("The stack is still starting: ask again when it says that it is ready.")
    if stack.demo_user is None or stack.demo_password is None:
        raise click.UsageError("This stack has no demo user: give --username, or PULSE_TOKEN.")
    return Credentials(stack.demo_user, stack.demo_password)


def _code() -> str:
    if code := os.environ.get("PULSE_LOGIN_CODE"):
        return code
    if not sys.stdin.isatty():
        raise click.UsageError("Set PULSE_LOGIN_CODE to a code of the second factor: there is no terminal to ask at.")
    code = click.prompt("Code of the second factor, or a recovery code", hide_input=True, err=True)
    assert isinstance(code, str)  # noqa: S101
    return code


def _password(username: str) -> str:
    if password := secret_of("PULSE_PASSWORD"):
        return password
    if not sys.stdin.isatty():
        raise click.UsageError("Set PULSE_PASSWORD: there is no terminal to ask for the password.")
    password = click.prompt(f"Password of {username}", hide_input=True, err=True)
    assert isinstance(password, str)  # noqa: S101
    return password
