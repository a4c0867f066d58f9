"""`pulse`: run, operate and use Pulse from a terminal."""

import importlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import click

from api_contract import core_files
from api_contract.errors import PulseError
from api_contract.log import keep_logs_off_stdout
from pulse_client.errors import GatewayError, NotReachable, Refused
from pulse_core.errors import DatabaseUnavailable
from pulse_ops.stack.errors import NotRunning, StackError

# Imported when used, so that a command and its completion start quickly.
COMMANDS: Mapping[str, str] = {
    "up": "pulse_ops.cli.up:up",
    "status": "pulse_ops.cli.status:status",
    "doctor": "pulse_ops.cli.doctor:doctor",
    "migrate": "pulse_ops.cli.migrate:migrate",
    "demo": "pulse_ops.cli.demo:demo",
    "orders": "pulse_ops.cli.orders:orders",
    "token": "pulse_ops.cli.token:token",
    "users": "pulse_ops.cli.users:users",
    "limits": "pulse_ops.cli.user_limits:own_limits",
    "policy": "pulse_ops.cli.policies:own_policy",
    "keys": "pulse_ops.cli.keys:keys",
    "webhooks": "pulse_ops.cli.webhooks:webhooks",
    "broker": "pulse_ops.cli.broker:broker",
    "slices": "pulse_ops.cli.slices:slices",
    "markets": "pulse_ops.cli.markets:markets",
    "alarms": "pulse_ops.cli.alarms:alarms",
    "halt": "pulse_ops.cli.halt:halt",
    "halts": "pulse_ops.cli.halt_commands:halts",
    "recover": "pulse_ops.cli.recover:recover",
    "env": "pulse_ops.cli.env:env",
    "openapi": "pulse_ops.cli.openapi:openapi",
    "trace": "pulse_ops.cli.trace:trace",
    "verify": "pulse_ops.cli.verify:verify",
    "archive": "pulse_ops.cli.archive:archive",
    "completion": "pulse_ops.cli.completion:completion",
}

EXIT_FAILURE = 1
EXIT_NOT_RUNNING = 3
EXIT_REFUSED = 4
EXIT_NOT_FILLED = 5
EXIT_INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    success
  1    failure
  2    wrong usage or settings
  3    no stack is running, or the gateway or database does not answer
  4    the service refused the request and said why
  5    the order ended without being filled in full
  130  `watch`, `events --follow` or `demo` was interrupted
Results go to stdout, messages to stderr."""


class Sentences(click.Group):
    """A group whose commands print a refusal as one sentence and end with its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (StackError, GatewayError, PulseError) as error:
            click.echo(f"pulse: {error}", err=True)
            ctx.exit(_exit_code(error))


class Commands(Sentences):
    """A group whose commands are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _colon, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.command(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("pulse-execution"), prog_name="pulse")
def main() -> None:
    """Execute large orders as many small slices, each placed exactly once."""
    keep_logs_off_stdout()
    core_files.leave_none()


def _exit_code(error: StackError | GatewayError | PulseError) -> int:
    if isinstance(error, NotRunning | NotReachable | DatabaseUnavailable):
        return EXIT_NOT_RUNNING
    return EXIT_REFUSED if isinstance(error, Refused | PulseError) else EXIT_FAILURE
