"""`pulse openapi`: the specifications of both services, generated from their code."""

import difflib
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import yaml

# By name: the core knows none of its callers.
SERVICES = {"gapi": "gapi_app:openapi", "pulse": "pulse_app:openapi"}
DOCS = Path("docs/services")


@click.command()
@click.argument("service", type=click.Choice(sorted(SERVICES)), required=False)
@click.option("--write", is_flag=True, help="Write the committed files.")
@click.option("--check", is_flag=True, help="Exit 1 when a committed file differs from the code.")
@click.option("--docs", type=click.Path(path_type=Path), default=DOCS, show_default=True, help="Folder of the files.")
def openapi(service: str | None, write: bool, check: bool, docs: Path) -> None:
    """Print the OpenAPI documents as YAML, or write or check the committed files."""
    names = [service] if service else sorted(SERVICES)
    if check and [name for name in names if _differs(name, docs)]:
        raise click.exceptions.Exit(1)
    if write:
        for name in names:
            _write(name, docs)
    if not write and not check:
        click.echo("---\n".join(document(name) for name in names), nl=False)


def document(service: str) -> str:
    """The specification of one service as YAML."""
    module, function = SERVICES[service].split(":")
    specification: dict[str, Any] = getattr(import_module(module), function)()
    return yaml.safe_dump(specification, sort_keys=False, width=120, allow_unicode=True)


def _path(service: str, docs: Path) -> Path:
    return docs / f"{service}-api" / "openapi.yaml"


def _write(service: str, docs: Path) -> None:
    path = _path(service, docs)
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
        click.echo(f"{difference}\n{path} is not what the code says; run `pulse openapi --write`", err=True)
    return bool(difference)
