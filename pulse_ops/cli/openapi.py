"""`pulse openapi`: the specifications of both services, generated from their code."""

import difflib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from pulse_ops.openapi import text
from pulse_ops.openapi.changes import breaking_changes

# By name: the core knows none of its callers.
SERVICES = {"gapi": "gapi_app:openapi", "pulse": "pulse_app:openapi"}
DOCS = Path("docs/services")


@click.command()
@click.argument("service", type=click.Choice(sorted(SERVICES)), required=False)
@click.option("--write", is_flag=True, help="Write the committed files.")
@click.option("--check", is_flag=True, help="Exit 1 when a committed file differs from the code.")
@click.option("--breaking", is_flag=True, help="Exit 1 when the code breaks clients of the published files.")
@click.option("--publish", is_flag=True, help="Write the published files: from now on these must not be broken.")
@click.option("--docs", type=click.Path(path_type=Path), default=DOCS, show_default=True, help="Folder of the files.")
def openapi(service: str | None, write: bool, check: bool, breaking: bool, publish: bool, docs: Path) -> None:
    """Print the OpenAPI documents as YAML, or write, publish or check the committed files."""
    names = [service] if service else sorted(SERVICES)
    for name in names:
        if write:
            _write(name, _path(name, docs))
        if publish:
            _write(name, _published(name, docs))
    differing = [name for name in names if check and _differs(name, docs)]
    broken = [name for name in names if breaking and _breaks(name, docs)]
    if differing or broken:
        raise click.exceptions.Exit(1)
    if not (write or check or breaking or publish):
        click.echo("---\n".join(document(name) for name in names), nl=False)


def document(service: str) -> str:
    """The specification of one service as YAML."""
    return text.written(_specification(service))


@cache
def _specification(service: str) -> dict[str, Any]:
    module, function = SERVICES[service].split(":")
    specification: dict[str, Any] = getattr(import_module(module), function)()
    return specification


def _path(service: str, docs: Path) -> Path:
    return docs / f"{service}-api" / "openapi.yaml"


def _published(service: str, docs: Path) -> Path:
    return docs / f"{service}-api" / "published.yaml"


def _write(service: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(service), encoding="utf-8")
    click.echo(f"{path} written", err=True)


def _differs(service: str, docs: Path) -> bool:
    path = _path(service, docs)
    committed = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = difflib.unified_diff(
        committed.splitlines(), document(service).splitlines(), str(path), "the code", lineterm=""
    )
    difference = "\n".join(lines)
    if difference:
        click.echo(f"{difference}\n{path} does not match the code; run `pulse openapi --write`", err=True)
    return bool(difference)


def _breaks(service: str, docs: Path) -> bool:
    path = _published(service, docs)
    if not path.exists():
        click.echo(f"{path} does not exist; run `pulse openapi --publish`", err=True)
        return True
    changes = breaking_changes(text.read(path.read_text(encoding="utf-8")), _specification(service))
    for change in changes:
        click.echo(f"{path} is broken: {change}", err=True)
    return bool(changes)
