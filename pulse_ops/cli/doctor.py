"""`pulse doctor`: what is wrong, and what to do about it."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.doctor.deployment import find_deployment
from pulse_ops.doctor.examine import examine
from pulse_ops.doctor.findings import Finding


@click.command()
@options.data_dir
@options.disk_floor
@options.as_json
def doctor(data_dir: Path | None, disk_floor: int, is_json: bool) -> None:
    """Name what is wrong with a deployment, with the next step; exit 1 when something is.

    Examines the deployment of DATABASE_URL, PULSE_QUEUE_URL, PULSE_QUEUE_PREFIX and PULSE_GATEWAY_URL, or the stack
    that runs on the data folder, and this machine. docs/operations.md lists every trouble.
    """
    settings = options.stack_settings(data_dir=data_dir)
    findings = []
    for finding in examine(settings, find_deployment(settings, disk_floor)):
        findings.append(finding)
        if not is_json:
            show(finding)
    if is_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    if not all(finding.is_ok for finding in findings):
        raise SystemExit(EXIT_FAILURE)


def show(finding: Finding) -> None:
    """One line for what was seen, and one for what to do."""
    mark = click.style("ok   ", fg="green") if finding.is_ok else click.style("WRONG", fg="red")
    click.echo(f"{mark} {finding.check}: {finding.verdict}")
    if finding.fix:
        click.echo(f"      {finding.fix}")
