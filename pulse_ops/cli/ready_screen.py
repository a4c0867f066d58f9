"""What a person sees when the stack is up: where everything is, and two commands that place an order."""

import shlex
import sys
from pathlib import Path

from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.running import RunningStack

_SCREEN = """
Pulse is ready.

{urls}

{login}

Ctrl-C ends everything. Logs: {logs}
"""

_LOGIN = """\
  User      {user}
  Password  {password}

Buy 100 shares in 5 slices over one minute (paste both commands):

TOKEN=$(curl -sS {gapi}/api/auth/login -H 'Content-Type: application/json' \\
  -d '{{"username": "{user}", "password": "{password}"}}' | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')

curl -sS {gapi}/api/orders -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"order_unique_key": "try-'$(date +%s)'", "instrument": "NSE:RELIANCE", "side": "BUY", "total_quantity": 100,
       "split_config": {{"num_splits": 5, "duration_minutes": 1}}}}'

Then watch it: {program} orders list"""

_NO_DEMO_USER = "Orders go to a real broker: add a user with `{program} users add NAME`."

_WHAT = {
    "gapi": "Gateway",
    "page": "Orders",
    "docs": "API page",
    "pulse": "Order API",
    "flower": "Tasks",
    "exchange": "Exchange",
    "metrics-gapi": "Metrics",
    "metrics-pulse": "Metrics",
    "metrics-slices": "Metrics",
    "metrics-control": "Metrics",
    "metrics-beat": "Metrics",
}


def ready_screen(settings: StackSettings, stack: RunningStack) -> str:
    """The text, made to be pasted from: no line is wrapped."""
    urls = "\n".join(f"  {_WHAT[name]:<9} {url}{_of_which(name)}" for name, url in stack.urls.items())
    return _SCREEN.format(urls=urls, login=_login(settings, stack), logs=settings.data_dir / "logs")


def _of_which(name: str) -> str:
    what, _, process = name.partition("-")
    return f"  ({process})" if what == "metrics" else ""


def _login(settings: StackSettings, stack: RunningStack) -> str:
    if stack.demo_user is None:
        return _NO_DEMO_USER.format(program=_program())
    return _LOGIN.format(
        user=stack.demo_user,
        password=stack.demo_password,
        gapi=settings.url(settings.gapi_port),
        program=_program_for(settings),
    )


def _program_for(settings: StackSettings) -> str:
    """The command with which this stack is found, also when it is not the usual one."""
    if settings.data_dir == StackSettings.model_fields["data_dir"].default:
        return _program()
    return f"PULSE_DATA_DIR={shlex.quote(str(settings.data_dir.resolve()))} {_program()}"


def _program() -> str:
    """The command as it can be typed here."""
    program = Path(sys.argv[0])
    here = Path.cwd()
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))
