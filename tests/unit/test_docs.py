"""The pages say what the code says: links, settings, moves, sweeps, commands."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from pydantic import SecretStr
from pydantic_settings import BaseSettings

import gapi_app.config
import pulse_core.config
from api_contract.alarms import AlarmStatus
from api_contract.known_variables import KNOWN
from api_contract.vocabulary import HoldReason, OrderStatus, SliceStatus
from pulse_core.brokers.zerodha.refusals import RULES
from pulse_core.migrations.rights import DELETED_FROM
from pulse_core.postgres.table_base import Base
from pulse_core.schema import METADATA
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.status import ORDER_MOVES, SLICE_MOVES
from pulse_ops import cli
from pulse_ops.cli.ready_screen import ready_screen
from pulse_ops.doctor.findings import Trouble
from pulse_ops.stack import plan, processes
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.running import RunningStack

ROOT = Path(__file__).parents[2]
DOCS, DEPLOY = ROOT / "docs", ROOT / "deploy"
BACKGROUND = DOCS / "services" / "pulse-background"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
LINK = re.compile(r"\[[^\]]+\]\((?!https?:)([^)#\s]+)?(?:#([^)\s]+))?\)")
CODE = re.compile(r"`([^`]+)`")
# Read by programs of others, or written in the compose file only.
NOT_OURS = {"POSTGRES_PASSWORD", "POSTGRES_SERVICES_PASSWORD", "REDIS_PASSWORD", "FLOWER_BASIC_AUTH"}


def tables(page: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Each table of a page: the heading above it, and its rows without the header."""
    heading = ""
    rows: list[list[str]] = []
    for line in [*without_code(page).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
            continue
        if rows:
            yield heading, rows[2:]
        rows = []
        heading = line.lstrip("# ") if line.startswith("#") else heading


def without_code(page: Path) -> str:
    """A comment in a block of code looks like a heading."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def table(page: Path, heading: str) -> list[list[str]]:
    """The first table under a heading."""
    return next(rows for found, rows in tables(page) if found == heading)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    headings = (line.lstrip("# ") for line in page.read_text().splitlines() if line.startswith("#"))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("heading", "settings"),
    [
        ("pulse, the workers, beat and Flower", pulse_core.config.Settings),
        ("gapi", gapi_app.config.Settings),
        ("`pulse up`", StackSettings),
    ],
)
def test_settings_stand_in_the_deployment_page_as_in_the_code(heading: str, settings: type[BaseSettings]) -> None:
    assert table(DOCS / "deployment.md", heading) == [list(row) for row in described(settings)]


def described(settings: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    prefix = settings.model_config.get("env_prefix") or ""
    for name, field in settings.model_fields.items():
        alias: Any = field.validation_alias
        variable = alias.choices[0] if alias else f"{prefix}{name}".upper()
        default = "required" if field.is_required() else shown(field.default)
        assert field.description, f"{name} has no description"
        yield f"`{variable}`", default, field.description


def shown(default: object) -> str:
    match default:
        case None:
            return "unset"
        case "":
            return "empty"
        case SecretStr():
            return f"`{default.get_secret_value()}`"
        case frozenset():
            return f"`{','.join(sorted(default))}`"
        case _:
            return f"`{default}`"


def test_variables_of_the_compose_file_stand_in_the_deployment_page() -> None:
    named = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    documented = {name for row in table(DOCS / "deployment.md", "In containers") for name in CODE.findall(row[0])}
    assert named == documented
    ours = {row[0].strip("`") for _, rows in tables(DOCS / "deployment.md") for row in rows if len(row) == 3}
    assert documented - ours == NOT_OURS


@pytest.mark.parametrize(("heading", "moves"), [("A slice", SLICE_MOVES), ("An order", ORDER_MOVES)])
def test_moves_stand_in_the_design_page_as_in_the_code(heading: str, moves: Any) -> None:
    documented = {
        status: set() if goes_to == "-" else set(goes_to.split(", "))
        for status, _, goes_to in table(DOCS / "design.md", heading)
    }
    assert documented == {str(status): {str(to) for to in targets} for status, targets in moves.items()}


@pytest.mark.parametrize(("heading", "statuses"), [("A slice", SliceStatus), ("An order", OrderStatus)])
def test_every_status_means_in_the_design_page_what_it_means_in_the_code(heading: str, statuses: Any) -> None:
    documented = {status: meaning for status, meaning, _ in table(DOCS / "design.md", heading)}
    assert documented == {status.value: status.meaning for status in statuses}


def test_alarms_stand_in_the_design_page_as_in_the_code() -> None:
    assert table(DOCS / "design.md", "Alarms") == [[code.value, code.meaning] for code in AlarmCode]


def test_every_alarm_stands_with_what_to_do_in_the_page_of_alarms() -> None:
    rows = table(BACKGROUND / "alarms.md", "What to do")
    assert [row[0] for row in rows] == [code.value for code in AlarmCode]
    assert all(len(row) == 4 and all(row) for row in rows)
    statuses = table(BACKGROUND / "alarms.md", "Alarms")
    assert statuses == [[status.value, status.meaning] for status in AlarmStatus]


def test_troubles_stand_in_the_operations_page_as_the_doctor_names_them() -> None:
    told = [[f"`{one.value}`", one.meaning, one.next_step] for one in Trouble]
    assert table(DOCS / "operations.md", "Troubles") == told


def test_alerts_and_panels_that_tell_of_a_trouble_stand_in_its_row() -> None:
    """Each alert that is named asks for something that one of the panels beside it shows."""
    rules = {rule["alert"]: names_in(rule["expr"]) for rule in alerts()}
    shown = {panel["title"]: names_in(*exprs) for panel, exprs in panels()}
    for trouble, *_, told_by, _ in table(DOCS / "operations" / "troubles.md", "Twelve troubles"):
        named, beside = CODE.findall(told_by), re.findall(r"\*([^*]+)\*", told_by)
        in_panels = set().union(*(shown[title] for title in beside))
        assert named, trouble
        assert [one for one in named if not rules[one] & in_panels] == [], trouble


def test_pages_for_operators_name_alerts_troubles_and_panels_that_there_are() -> None:
    pages = "".join((DOCS / "operations" / name).read_text() for name in ("losses.md", "troubles.md", "dashboards.md"))
    assert set(re.findall(r"`(Pulse\w+)`", pages)) <= {rule["alert"] for rule in alerts()}
    words = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", pages)) - KNOWN
    assert words <= {one.value for one in Trouble} | {one.value for one in AlarmCode}
    titles = {panel["title"] for panel, _ in panels()}
    assert {
        one for row in table(DOCS / "operations" / "dashboards.md", "Grafana") for one in row[0].split(", ")
    } <= titles


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[tuple[dict[str, Any], list[str]]]:
    """Each panel of the dashboard, with what it asks for."""
    dashboard = json.loads((DEPLOY / "grafana" / "pulse.json").read_text())
    return [(panel, [target["expr"] for target in panel.get("targets", ())]) for panel in dashboard["panels"]]


def names_in(*queries: str) -> set[str]:
    return {name for query in queries for name in re.findall(r"\b(?:up|gapi_\w+|pulse_\w+)\b", query)}


def test_reasons_of_holds_stand_in_the_page_of_refusals_as_in_the_code() -> None:
    told = [[reason.value, reason.meaning, reason.ended_by] for reason in HoldReason]
    assert table(DOCS / "broker-refusals.md", "An order that is held") == told


def test_rules_of_refusals_stand_in_their_page_as_in_the_code() -> None:
    assert table(DOCS / "broker-refusals.md", "What Zerodha's answers mean") == [
        [
            str(rule.status or "any"),
            f"`{rule.error_type}`" if rule.error_type else "any",
            ", ".join(f"`{words}`" for words in rule.words) or "any",
            rule.scope.value,
            f"`{rule.code}`" if rule.code else "the error_type",
        ]
        for rule in RULES
    ]


def test_every_table_of_the_database_stands_in_the_design_page() -> None:
    documented = {name for row in table(DOCS / "design.md", "Tables") for name in CODE.findall(row[0])}
    assert documented == set(METADATA.tables)


def test_rights_to_delete_cover_what_the_code_deletes() -> None:
    source = "".join(path.read_text() for path in (ROOT / "pulse_core").glob("*/store/*.py"))
    names = {mapper.class_.__name__: str(mapper.local_table) for mapper in Base.registry.mappers}
    statements = "".join(path.read_text() for path in (ROOT / "pulse_core").glob("*/store/sql/*.sql"))
    deleted = {names[one] for one in re.findall(r"\bdelete\((\w+)\)", source)}
    assert deleted | set(re.findall(r"DELETE FROM (\w+)", statements)) == set(DELETED_FROM)


def test_sweeps_stand_in_the_page_of_the_workers_as_in_the_code() -> None:
    rows = [rows for heading, rows in tables(BACKGROUND / "overview.md") if heading == "Tasks"][1]
    assert {row[0].strip("`"): float(row[1]) for row in rows} == {name: sweep.every for name, sweep in SWEEPS.items()}


def test_other_tasks_stand_in_the_page_of_the_workers() -> None:
    source = "".join(path.read_text() for path in (ROOT / "pulse_tasks").glob("*.py"))
    documented = {row[0].strip("`") for row in table(BACKGROUND / "overview.md", "Tasks")}
    assert documented == {Task[name].value for name in re.findall(r"name=Task\.(\w+)\.value", source)}


def test_commands_of_the_workers_stand_in_their_page() -> None:
    documented = {row[0]: row[1].strip("`") for row in table(BACKGROUND / "overview.md", "Processes")}
    assert documented["worker"] == " ".join(processes.worker_slices())
    assert documented["worker-control"] == " ".join(processes.worker_control())
    assert documented["beat"] == " ".join(processes.beat())


def test_every_celery_setting_stands_with_its_reason_in_the_celery_page() -> None:
    assigned = dict(celery_settings())
    settings, options = (rows for heading, rows in tables(BACKGROUND / "celery.md") if heading == "Settings")
    assert {row[0].strip("`") for row in settings} == assigned.keys()
    assert [row[0].strip("`") for row in options] == assigned["broker_transport_options"]
    simple = {name: value for name, value in assigned.items() if isinstance(value, str | int | bool)}
    documented = {row[0].strip("`"): row[1].strip("`") for row in settings}
    assert {name: documented[name] for name in simple} == {name: str(value) for name, value in simple.items()}


def celery_settings() -> Iterator[tuple[str, object]]:
    """Names and values of the settings; of the transport options, their names; None for what is computed."""
    for node in ast.walk(ast.parse((ROOT / "celeryconfig.py").read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id[0] != "_":
            yield node.targets[0].id, value_of(node.value)


def value_of(node: ast.expr) -> object:
    if isinstance(node, ast.Dict) and len(node.keys) > 4:
        return [key.value for key in node.keys if isinstance(key, ast.Constant)]
    return node.value if isinstance(node, ast.Constant) else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_pulse_command_of_a_page_exists(page: Path) -> None:
    prose = CODE.findall(without_code(page))
    blocks = [
        line for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL) for line in block.splitlines()
    ]
    for text in (*prose, *blocks):
        if found := re.match(r"pulse ((?:[a-z]+(?:-[a-z]+)* ?)+)", text):
            assert is_command(found[1].split()), text


def is_command(words: list[str]) -> bool:
    command: click.Command | None = cli.main
    for word in words:
        if not isinstance(command, click.Group):
            return True
        command = command.get_command(click.Context(command), word)
        if command is None:
            return False
    return True


def test_every_file_and_test_that_the_page_of_security_names_exists() -> None:
    named = {text for text in CODE.findall((DOCS / "security.md").read_text()) if "/" in text or "." in text}
    assert len(named) > 50
    for text in named:
        path, _, name = text.partition("::")
        assert (ROOT / path).exists(), text
        assert not name or re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), text


@pytest.mark.parametrize(
    ("heading", "first", "count"),
    [("OWASP API Security Top 10, 2023", "API{} ", 10), ("OWASP ASVS 5, level 2, by chapter", "V{} ", 17)],
)
def test_the_page_of_security_speaks_of_every_risk_and_chapter(heading: str, first: str, count: int) -> None:
    rows = table(DOCS / "security.md", heading)
    assert [row[0].startswith(first.format(number)) for number, row in enumerate(rows, 1)] == [True] * count


def test_readme_shows_the_screen_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text()
    password = re.search(r"Password  (\S+)", readme)
    assert password is not None
    settings = StackSettings.model_construct()
    stack = RunningStack.model_construct(
        urls=plan.urls(settings), demo_user=plan.DEMO_USER, demo_password=password[1], processes=[]
    )
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", [str(ROOT / ".venv/bin/pulse")])
    assert ready_screen(settings, stack).strip() in readme


def test_every_make_target_of_the_readme_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text())) <= set(targets)
