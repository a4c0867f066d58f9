"""`pulse up`: the whole stack in this terminal."""

from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from pulse_ops.cli import options
from pulse_ops.cli.old_names import warn_of_old_names
from pulse_ops.cli.ready_screen import ready_screen
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.running import RunningStack
from pulse_ops.stack.up import run_stack


@click.command()
@click.option("--gapi-port", type=int, help="Port of the public gateway (PULSE_GAPI_PORT, else 8000).")
@click.option("--pulse-port", type=int, help="Port of the order API (PULSE_PULSE_PORT, else 8001).")
@click.option("--exchange-port", type=int, help="Port of the paper exchange (PULSE_EXCHANGE_PORT, else 8002).")
@click.option("--flower-port", type=int, help="Port of the task dashboard (PULSE_FLOWER_PORT, else 5555).")
@click.option(
    "--gapi-metrics-port",
    type=int,
    help="Port of the readiness and metrics of the gateway (PULSE_GAPI_METRICS_PORT, else 8009).",
)
@click.option(
    "--pulse-metrics-port",
    type=int,
    help="Port of the readiness and metrics of the order API (PULSE_PULSE_METRICS_PORT, else 8010).",
)
@click.option(
    "--slices-metrics-port",
    type=int,
    help="Port of the metrics of the worker for slices (PULSE_SLICES_METRICS_PORT, else 8011).",
)
@click.option(
    "--control-metrics-port",
    type=int,
    help="Port of the metrics of the control worker (PULSE_CONTROL_METRICS_PORT, else 8012).",
)
@click.option("--beat-metrics-port", type=int, help="Port of the metrics of beat (PULSE_BEAT_METRICS_PORT, else 8013).")
@click.option("--gapi-bind-host", help="Address of the public gateway (PULSE_GAPI_BIND_HOST, else 127.0.0.1).")
@options.data_dir
@click.option("--leave", is_flag=True, help="Start though open orders are of broker accounts that are not reached.")
@click.option("--verbose", is_flag=True, help="Show every log line, not only warnings and errors.")
def up(
    gapi_port: int | None,
    pulse_port: int | None,
    exchange_port: int | None,
    flower_port: int | None,
    gapi_metrics_port: int | None,
    pulse_metrics_port: int | None,
    slices_metrics_port: int | None,
    control_metrics_port: int | None,
    beat_metrics_port: int | None,
    gapi_bind_host: str | None,
    data_dir: Path | None,
    leave: bool,
    verbose: bool,
) -> None:
    """Start everything and keep it running until Ctrl-C.

    Postgres and Redis are started too, unless DATABASE_URL and PULSE_QUEUE_URL name servers of yours. Data, logs and
    generated passwords stay in the data folder. Two stacks need different ports and folders.

    While orders are open of a broker account that is not reached, as when PULSE_BROKER was changed, it names them and
    does not start. With --leave it does: they wait, and nothing of them is sent.
    """
    warn_of_old_names()
    settings = options.stack_settings(
        gapi_port=gapi_port,
        pulse_port=pulse_port,
        exchange_port=exchange_port,
        flower_port=flower_port,
        gapi_metrics_port=gapi_metrics_port,
        pulse_metrics_port=pulse_metrics_port,
        slices_metrics_port=slices_metrics_port,
        control_metrics_port=control_metrics_port,
        beat_metrics_port=beat_metrics_port,
        gapi_bind_host=gapi_bind_host,
        data_dir=data_dir,
    )
    ready = partial(_show_ready, settings)
    run_stack(settings, _say, ready, is_verbose=verbose, leaves_orders=leave)


def _show_ready(settings: StackSettings, stack: RunningStack) -> None:
    _print(ready_screen(settings, stack))


def _say(line: str) -> None:
    _print(f"{datetime.now().astimezone():%H:%M:%S} {line}", is_message=True)


def _print(text: str, is_message: bool = False) -> None:
    # A terminal that was closed must not keep the stack from ending in order.
    with suppress(OSError):
        click.echo(text, err=is_message)
