"""`pulse doctor`: what is wrong, and what to do about it."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.stack.doctor import Finding, examine


@click.command()
@options.data_dir
@options.as_json
def doctor(data_dir: Path | None, is_json: bool) -> None:
    """Check this machine, the settings and the stack if it runs; exit 1 when something is wrong."""
    findings = []
    for finding in examine(options.stack_settings(data_dir=data_dir)):
        findings.append(finding)
        if not is_json:
            _show(finding)
    if is_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    if not all(finding.is_ok for finding in findings):
        raise SystemExit(EXIT_FAILURE)


def _show(finding: Finding) -> None:
    mark = click.style("ok   ", fg="green") if finding.is_ok else click.style("WRONG", fg="red")
    click.echo(f"{mark} {finding.check}: {finding.verdict}")
    if finding.fix:
        click.echo(f"      {finding.fix}")
