"""What docker-compose.yml and the Dockerfile say is held against the stack, the settings and the specification."""

import configparser
import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic_settings import BaseSettings

import gapi_app.config
import pulse_core.config
from api_contract.variables import OLD_NAMES, names_of
from gapi_app.guard import concurrency
from gapi_app.guard.uploads import READ_AT_ONCE
from pulse_app import places
from pulse_ops.stack import processes
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.handed_on import EVERY_SECRET
from pulse_ops.stack.handed_on import SECRETS as SECRETS_OF
from pulse_ops.stack.processes import Listen
from tests.contract import compose
from tests.contract.compose import ROOT

SECRETS = {
    "POSTGRES_PASSWORD": "owner-a1",
    "REDIS_PASSWORD": "queue-b2",
    "POSTGRES_SERVICES_PASSWORD": "services-a2",
    "PULSE_SERVICE_PRIVATE_KEY": "c1" * 16,
    "PULSE_SERVICE_PUBLIC_KEYS": "c2" * 16,
    "PULSE_CURSOR_KEY": "c3" * 16,
    "PULSE_IDEMPOTENCY_KEY": "c4" * 16,
    "PULSE_WEBHOOK_KEY": "c5" * 16,
    "PULSE_TOTP_KEY": "d6" * 16,
    "PULSE_VAULT_KEYS": "v1:" + "d7" * 16,
    "PULSE_JWT_KEY": "d4" * 16,
    "FLOWER_BASIC_AUTH": "watcher:f6",
}
IMAGES = ("services", "workshop")
SERVERS = {"postgres", "redis", "limits"}
STACK = StackSettings.model_construct()
COMMANDS = {
    "migrate": ("pulse", "migrate"),
    "exchange": processes.exchange(Listen("0.0.0.0", 8002), "/var/lib/pulse/ledger.sqlite"),
    "worker": processes.worker_slices(),
    "worker-control": processes.worker_control(),
    "beat": processes.beat(),
    "flower": processes.flower(Listen("0.0.0.0", 5555)),
    "pulse": processes.pulse(Listen("0.0.0.0", 8001)),
    "gapi": processes.gapi(Listen("0.0.0.0", 8000)),
    "workshop": ("pulse", "--help"),
    "archive": ("pulse", "archive", "run"),
}
ONE_SHOT = {"migrate", "workshop", "archive"}
WORKSHOP = {"migrate", "exchange", "workshop", "archive"}
# The names of the stack's processes, and what is given to each beside its secrets.
PROCESSES = {
    "exchange": processes.EXCHANGE,
    "worker": processes.WORKER_SLICES,
    "worker-control": processes.WORKER_CONTROL,
    "beat": processes.BEAT,
    "flower": processes.FLOWER,
    "pulse": processes.PULSE,
    "gapi": processes.GAPI,
}
OF_THE_WORKSHOP = SECRETS_OF[processes.WORKER_SLICES] | {"KITE_API_SECRET"}
# What each service reads: its settings, and names that a program of others reads.
CORE = pulse_core.config.Settings
READ_BY: dict[str, tuple[type[BaseSettings] | None, set[str]]] = {
    "migrate": (None, {"DATABASE_URL", "PULSE_OWNER_DATABASE_URL"}),
    "exchange": (
        None,
        {
            "PULSE_LOG_FORMAT",
            "PULSE_PAPER_HOST_NAMES",
            "PULSE_PAPER_POSTBACK_URL",
            "PULSE_PAPER_DAY_STARTS",
            "PULSE_PAPER_SESSION",
            "PULSE_PAPER_STRICT",
            "PULSE_PAPER_STANDING_TOKEN",
            "PULSE_PAPER_REDIRECT_URL",
            "KITE_API_KEY",
            "KITE_ACCESS_TOKEN",
            "KITE_API_SECRET",
        },
    ),
    "worker": (CORE, set()),
    "worker-control": (CORE, set()),
    "beat": (CORE, set()),
    "flower": (pulse_core.config.QueueSettings, {"FLOWER_BASIC_AUTH"}),
    "pulse": (CORE, set()),
    "gapi": (gapi_app.config.Settings, set()),
    "workshop": (CORE, {"PULSE_GATEWAY_URL", "PULSE_GATEWAY_READY_URL", "PULSE_USERNAME", "PULSE_PASSWORD"}),
    "archive": (
        None,
        {
            "DATABASE_URL",
            "PULSE_OWNER_DATABASE_URL",
            "PULSE_ARCHIVE_FOLDER",
            "PULSE_RETENTION_TRADING_DAYS",
            "PULSE_RETENTION_AUDIT_DAYS",
        },
    ),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return compose.load(SECRETS)


@pytest.fixture(scope="module")
def services(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document["services"]
    return found


def names(settings: type[BaseSettings]) -> Iterator[tuple[str, bool]]:
    """Each variable of a settings class, and whether it has to be set."""
    return ((names_of(name)[0], field.is_required()) for name, field in settings.model_fields.items())


def old_names(variables: dict[str, Any]) -> set[str]:
    """Old names of what is handed on; what the file sets itself needs none."""
    handed_on = {name for name, value in variables.items() if value is None}
    return {name.removeprefix("PULSE_") for name in handed_on} & OLD_NAMES


def test_file_follows_the_compose_specification() -> None:
    schema = json.loads(files("check_jsonschema.builtin_schemas").joinpath("vendor/compose-spec.json").read_text())
    faults = Draft202012Validator(schema).iter_errors(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))
    assert [fault.message for fault in faults] == []


def test_services_are_the_processes_of_the_stack(services: dict[str, Any]) -> None:
    assert set(services) == SERVERS | COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_service_runs_the_command_of_the_stack(services: dict[str, Any], name: str) -> None:
    assert tuple(services[name]["command"]) == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_understood_by_its_program(
    services: dict[str, Any], name: str, environment: dict[str, str]
) -> None:
    command = processes.executable(tuple(services[name]["command"]))
    done = subprocess.run([*command, "--help"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("missing", SECRETS)
def test_nothing_starts_without_a_secret(missing: str) -> None:
    with pytest.raises(compose.MissingVariable, match=missing):
        compose.load({name: value for name, value in SECRETS.items() if name != missing})


def test_no_secret_has_a_default() -> None:
    with_default = {one.name for one in compose.variables() if one.operator != "?"}
    assert with_default == {"PULSE_GAPI_BIND_HOST", "PULSE_GAPI_PORT", "PULSE_PAPER_HOST_NAMES"}


@pytest.mark.parametrize("name", READ_BY)
def test_every_variable_of_a_service_is_one_it_reads(services: dict[str, Any], name: str) -> None:
    settings, others = READ_BY[name]
    read = others | ({variable for variable, _ in names(settings)} if settings else set())
    variables = services[name]["environment"]
    given = OF_THE_WORKSHOP if name == "workshop" else SECRETS_OF.get(PROCESSES.get(name, ""), EVERY_SECRET)
    assert set(variables) == (read - EVERY_SECRET | read & given) | others | old_names(variables)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_service_is_given_the_secrets_that_it_needs_and_no_other(services: dict[str, Any], name: str) -> None:
    variables = services[name]["environment"]
    assert set(variables) & EVERY_SECRET == SECRETS_OF[PROCESSES[name]]
    told = {variable for variable, value in SECRETS.items() if value in str(variables)}
    needed = {
        "exchange": set(),
        "worker": {"POSTGRES_SERVICES_PASSWORD", "REDIS_PASSWORD", "PULSE_VAULT_KEYS"},
        "worker-control": {"POSTGRES_SERVICES_PASSWORD", "REDIS_PASSWORD", "PULSE_VAULT_KEYS", "PULSE_WEBHOOK_KEY"},
        "beat": {"POSTGRES_SERVICES_PASSWORD", "REDIS_PASSWORD"},
        "flower": {"REDIS_PASSWORD", "FLOWER_BASIC_AUTH"},
        "pulse": {"POSTGRES_SERVICES_PASSWORD", "REDIS_PASSWORD", "PULSE_SERVICE_PUBLIC_KEYS", "PULSE_CURSOR_KEY"}
        | {"PULSE_IDEMPOTENCY_KEY", "PULSE_WEBHOOK_KEY", "PULSE_TOTP_KEY", "PULSE_VAULT_KEYS"},
        "gapi": {"PULSE_SERVICE_PRIVATE_KEY", "PULSE_SERVICE_PUBLIC_KEYS", "PULSE_JWT_KEY"},
    }
    assert told == needed[name]


def test_only_what_makes_or_archives_tables_comes_to_the_database_as_their_owner(services: dict[str, Any]) -> None:
    owner = {name for name, service in services.items() if SECRETS["POSTGRES_PASSWORD"] in str(service)}
    assert owner - {"postgres"} == {"migrate", "archive"}


@pytest.mark.parametrize("name", READ_BY)
def test_every_setting_without_a_default_has_a_value(services: dict[str, Any], name: str) -> None:
    settings, _ = READ_BY[name]
    needed = {variable for variable, is_required in names(settings) if is_required} if settings else set()
    assert all(services[name]["environment"][variable] for variable in needed)


def test_only_the_gateway_is_published_and_on_loopback_unless_told_otherwise(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"gapi": [f"127.0.0.1:{STACK.gapi_port}:{STACK.gapi_port}"]}


def test_services_reach_each_other_by_their_names_and_ports(services: dict[str, Any]) -> None:
    assert services["gapi"]["environment"]["PULSE_URL"] == f"http://pulse:{STACK.pulse_port}"
    assert services["worker"]["environment"]["PULSE_PAPER_EXCHANGE_URL"] == f"http://exchange:{STACK.exchange_port}"
    assert services["exchange"]["environment"]["PULSE_PAPER_HOST_NAMES"] == "exchange,"
    assert services["worker"]["environment"]["DATABASE_URL"] == "postgresql://pulse_run:services-a2@postgres:5432/pulse"
    assert services["gapi"]["environment"]["PULSE_LIMITS_REDIS_URL"] == "redis://limits:6379/0"
    assert services["worker"]["environment"]["PULSE_QUEUE_URL"] == "redis://:queue-b2@redis:6379/0"


def test_the_gateway_shares_networks_with_pulse_and_its_counts_only(services: dict[str, Any]) -> None:
    reached = {
        network: {name for name, service in services.items() if network in service["networks"]}
        for network in services["gapi"]["networks"]
    }
    # The workshop listens on nothing, and calls the gateway as a user does.
    assert reached == {"outer": {"gapi", "pulse", "workshop"}, "limits": {"gapi", "limits"}}


def test_the_gateway_has_threads_to_spare_for_all_who_wait(services: dict[str, Any]) -> None:
    threads = processes.GAPI_THREADS + processes.STREAM_THREADS + processes.WAITING_THREADS
    assert services["gapi"]["pids_limit"] > threads + 32
    assert processes.WAITING_THREADS >= READ_AT_ONCE
    assert gapi_app.config.Settings.model_fields["pulse_streams"].default <= processes.STREAM_THREADS


def test_there_is_a_thread_for_each_place_and_some_more(services: dict[str, Any]) -> None:
    of_gapi = sum(size.places for size in concurrency.sizes(1).values())
    of_pulse = sum(size.places for size in places.SIZES.values())
    assert of_gapi + 16 <= processes.GAPI_THREADS
    assert of_pulse + 16 <= processes.PULSE_THREADS
    assert services["pulse"]["pids_limit"] > processes.PULSE_THREADS + 32


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"migrate", "exchange", "gapi"}))
def test_a_process_starts_on_a_migrated_database(services: dict[str, Any], name: str) -> None:
    assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_whatever_is_waited_for_can_say_that_it_is_ready(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            is_one_shot = services[name]["restart"] == "no"
            assert how["condition"] == ("service_completed_successfully" if is_one_shot else "service_healthy")
            assert is_one_shot or "healthcheck" in services[name]


def test_everything_that_lasts_is_restarted_and_has_a_health_check(services: dict[str, Any]) -> None:
    lasting = {name: service for name, service in services.items() if name not in ONE_SHOT}
    assert {services[name]["restart"] for name in ONE_SHOT} == {"no"}
    assert {service["restart"] for service in lasting.values()} == {"unless-stopped"}
    assert all("healthcheck" in service for service in lasting.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_container_can_change_nothing_but_its_data(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert ("volumes" in service) == (name in ("exchange", "archive"))


def test_the_archive_has_a_volume_of_its_own_and_the_exchanges(services: dict[str, Any]) -> None:
    (ledger,) = (Path(word) for word in services["exchange"]["command"] if word.endswith(".sqlite"))
    (of_the_exchange,) = services["exchange"]["volumes"]
    kept_in, beside = services["archive"]["volumes"]
    assert (beside, of_the_exchange) == (of_the_exchange, f"exchange:{ledger.parent}")
    folder = services["archive"]["environment"]["PULSE_ARCHIVE_FOLDER"]
    assert kept_in == f"archive:{folder}"
    # A volume takes over whose the folder is in the image.
    assert f"install -d -o pulse -g pulse {ledger.parent} {folder}" in " ".join(instructions("RUN"))
    assert (
        f"`docker compose run --rm archive pulse archive ledger {ledger}`" in (ROOT / "docs/operations.md").read_text()
    )


@pytest.mark.parametrize("name", ["worker", "worker-control"])
def test_a_worker_has_time_to_finish_what_it_is_placing(
    services: dict[str, Any], name: str, environment: dict[str, str]
) -> None:
    # Imported here: it reads the environment.
    celeryconfig = importlib.import_module("celeryconfig")
    grace = float(services[name]["stop_grace_period"].removesuffix("s"))
    fields = CORE.model_fields
    assert grace > celeryconfig.worker_soft_shutdown_timeout + fields["broker_timeout"].default
    assert grace <= fields["lease"].default


@pytest.mark.parametrize("name", sorted(SERVERS | COMMANDS.keys()))
def test_no_service_can_eat_the_machine(services: dict[str, Any], name: str) -> None:
    assert services[name]["mem_limit"]
    assert services[name]["logging"]["options"]["max-size"]


def instructions(word: str) -> list[str]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix(f"{word} ") for line in text.splitlines() if line.startswith(f"{word} ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_what_serves_runs_in_the_image_without_the_workshop(services: dict[str, Any], name: str) -> None:
    target = "workshop" if name in WORKSHOP else "services"
    assert services[name]["build"] == {"context": ".", "target": target}
    assert services[name]["image"] == f"pulse-{target}:local"
    assert (services[name]["command"][0] == "pulse" or "pulse_ops" in str(services[name])) == (target == "workshop")


def test_the_workshop_and_the_archive_are_started_only_when_asked_for(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "profiles" in service} == {"workshop", "archive"}


def stages() -> dict[str, list[str]]:
    """The instructions of each stage of the Dockerfile, together with those of the stages it is built on."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines():
        if line.startswith("FROM "):
            _, base, _, name = line.split()
            found[name] = list(found.get(base, []))
        elif name and not line.startswith("#"):
            found[name].append(line)
    return found


def copied(stage: str) -> set[str]:
    lines = [line.split() for line in stages()[stage] if line.startswith("COPY ") and "--from" not in line]
    return {source for line in lines for source in line[1:-1]}


def test_an_image_holds_the_packages_of_its_purpose() -> None:
    packages = {path.parent.name for path in ROOT.glob("*_*/__init__.py")}
    workshop = {"pulse_client", "pulse_ops"}
    for image, expected in (("services", packages - workshop), ("workshop", packages)):
        assert {source for source in copied(f"{image}-build") if "_" in source} == expected
        assert f"COPY --from={image}-build /opt/pulse /opt/pulse" in stages()[image]


def test_only_the_workshop_has_its_dependencies_and_commands(tmp_path: Path) -> None:
    install = {image: [line for line in stages()[f"{image}-build"] if "pip install" in line] for image in IMAGES}
    assert [line.endswith(" .") for line in install["services"]] == [True]
    assert [line.endswith(" '.[ops]'") for line in install["workshop"]] == [True]
    (edit,) = (line.removeprefix("RUN ") for line in stages()["services-build"] if "sed" in line)
    assert not any("sed" in line for line in stages()["workshop-build"])

    shutil.copy(ROOT / "setup.cfg", tmp_path)
    subprocess.run(["sh", "-c", edit], cwd=tmp_path, check=True)

    before, after = (configparser.ConfigParser() for _ in range(2))
    before.read(ROOT / "setup.cfg")
    after.read(tmp_path / "setup.cfg")
    assert set(before) - set(after) == {"options.entry_points"}
    assert all(dict(before[name]) == dict(after[name]) for name in after)


def test_image_is_built_on_a_pinned_base_with_the_tested_versions() -> None:
    bases = {line.split()[0] for line in instructions("FROM")} - stages().keys()
    assert bases
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases - {"scratch"})
    assert any("pip install" in line and "-c constraints.txt" in line for line in instructions("RUN"))


def test_image_runs_as_a_user_without_rights() -> None:
    assert instructions("USER") == ["10001:10001"]


def test_image_holds_the_code_and_nothing_private() -> None:
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    packages = {path.parent.name for path in ROOT.glob("*_*/__init__.py")}
    to_build = {"pyproject.toml", "setup.cfg", "constraints.txt", "README.md", "celeryconfig.py", "deploy/lighten"}
    assert copied == packages | to_build
    assert all((ROOT / source).exists() for source in copied)
    assert not any(re.search("KEY|TOKEN|PASSWORD|SECRET", line) for line in instructions("ENV") + instructions("ARG"))
    assert {".git", ".venv", ".pulse", ".env"} <= set((ROOT / ".dockerignore").read_text().split())


def test_installed_package_holds_every_module() -> None:
    scripts = sorted((ROOT / "pulse_core" / "migrations" / "versions").glob("*.py"))
    folders = {path.parent for package in ROOT.glob("*_*/__init__.py") for path in package.parent.rglob("*.py")}
    without_init = {folder for folder in folders if not (folder / "__init__.py").exists()}
    assert scripts
    assert without_init == {scripts[0].parent}
    assert "pulse_core.migrations = *.mako, versions/*.py" in (ROOT / "setup.cfg").read_text()


def test_a_port_can_be_published_elsewhere() -> None:
    moved = compose.load({**SECRETS, "PULSE_GAPI_BIND_HOST": "192.0.2.1", "PULSE_GAPI_PORT": "9000"})
    assert moved["services"]["gapi"]["ports"] == ["192.0.2.1:9000:8000"]
    assert {name for name, service in moved["services"].items() if "ports" in service} == {"gapi"}
