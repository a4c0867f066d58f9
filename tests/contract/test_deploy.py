"""What stands in `deploy/` runs what the stack runs, gives each process its own secrets, and closes what it must."""

import http.client
import json
import os
import re
import ssl
import threading
from collections.abc import Iterator
from configparser import RawConfigParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api_contract.known_variables import KNOWN
from pulse_ops.stack import processes
from pulse_ops.stack.child import Child, Program
from pulse_ops.stack.handed_on import EVERY_SECRET, SECRETS
from pulse_ops.stack.ports import free_port, is_free
from pulse_ops.stack.processes import Listen
from tests.rigs.guide.page import examples
from tests.support import debian, lacking, servers
from tests.support.certificates import self_signed

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
NO_SECRETS = "archive-ledger"
UNITS = {
    "pulse-gapi": (processes.GAPI, processes.gapi(Listen("127.0.0.1", 8000))),
    "pulse-api": (processes.PULSE, processes.pulse(Listen("127.0.0.1", 8001))),
    "pulse-worker-slices": (processes.WORKER_SLICES, processes.worker_slices()),
    "pulse-worker-control": (processes.WORKER_CONTROL, processes.worker_control()),
    "pulse-beat": (processes.BEAT, processes.beat()),
    "pulse-flower": (processes.FLOWER, processes.flower(Listen("127.0.0.1", 5555))),
    "pulse-migrate": ("migrate", ("pulse", "migrate")),
    "pulse-archive": ("migrate", ("pulse", "archive", "run")),
    "pulse-archive-ledger": (NO_SECRETS, ("pulse", "archive", "ledger", "/var/lib/pulse/exchange/ledger.sqlite")),
}
DEPLOYMENTS = {
    "gapi": (processes.GAPI, processes.gapi(Listen("0.0.0.0", 8000))),
    "pulse": (processes.PULSE, processes.pulse(Listen("0.0.0.0", 8001))),
    "worker-slices": (processes.WORKER_SLICES, processes.worker_slices()),
    "worker-control": (processes.WORKER_CONTROL, processes.worker_control()),
    "beat": (processes.BEAT, processes.beat()),
    "flower": (processes.FLOWER, processes.flower(Listen("0.0.0.0", 5555))),
    "migrate": ("migrate", ("pulse", "migrate")),
    "archive": ("migrate", ("pulse", "archive", "run")),
    "archive-ledger": (NO_SECRETS, ("pulse", "archive", "ledger", "/exchange/ledger.sqlite")),
}
OF_THE_MIGRATION = {"DATABASE_URL", "PULSE_OWNER_DATABASE_URL"}


def documents() -> Iterator[dict[str, Any]]:
    return (document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text()))


def pods() -> dict[str, dict[str, Any]]:
    found = {one["metadata"]["name"]: one["spec"] for one in documents() if one["kind"] in ("Deployment", "Job")}
    found |= {
        one["metadata"]["name"]: one["spec"]["jobTemplate"]["spec"] for one in documents() if one["kind"] == "CronJob"
    }
    return {name: spec["template"]["spec"] for name, spec in found.items()}


def may_have(process: str, variables: set[str]) -> bool:
    """Whether these secrets are all its own, and these names all known."""
    secrets = {name.removesuffix("_FILE") for name in variables} & EVERY_SECRET
    ours = {name for name in variables if name.startswith("PULSE_")}
    are_known = all(name in KNOWN or name.removesuffix("_FILE") in KNOWN for name in ours)
    its_own = {"migrate": OF_THE_MIGRATION, NO_SECRETS: frozenset()} | SECRETS
    return are_known and secrets <= its_own[process]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_what_kubernetes_takes(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))
    assert documents
    for document in documents:
        for version in ("1.33", "1.37"):
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_runs_its_process_with_its_secrets_in_files_and_can_change_nothing(name: str) -> None:
    process, command = DEPLOYMENTS[name]
    pod = pods()[name]
    (container,) = pod["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    secrets = [one["secret"] for one in pod["volumes"] if "secret" in one]

    assert tuple(container["command"]) == command
    assert may_have(process, set(variables))
    assert {value for name, value in variables.items() if name.endswith("URL_FILE")} <= {
        f"/run/secrets/pulse/{item['path']}" for one in secrets for item in one["items"]
    }
    assert [one["defaultMode"] & 0o007 for one in secrets] == ([] if process == NO_SECRETS else [0])
    # Kubernetes would set PULSE_PORT and the like.
    assert (pod["enableServiceLinks"], pod["automountServiceAccountToken"]) == (False, False)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]


def test_every_process_has_a_pod_and_a_unit() -> None:
    units = {path.stem for path in (DEPLOY / "systemd").glob("*.service")}
    assert (pods().keys(), units) == (DEPLOYMENTS.keys(), UNITS.keys())


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_runs_its_process_with_its_secrets_as_credentials(name: str) -> None:
    process, command = UNITS[name]
    unit = RawConfigParser(strict=False, dict_type=Repeated)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((DEPLOY / "systemd" / f"{name}.service").read_text())
    service = unit["Service"]
    variables = dict(one.split("=", 1) for one in service["Environment"].split("\n"))
    credentials = {one.partition(":")[0] for one in service.get("LoadCredential", "").split()}

    assert service["ExecStart"].replace("%%", "%") == "/opt/pulse/bin/" + " ".join(command)
    assert may_have(process, set(variables))
    files = {value for name, value in variables.items() if name.endswith("_FILE")}
    assert files == {f"%d/{one}" for one in credentials}
    assert service["NoNewPrivileges"] == "yes"


def test_the_page_that_adds_a_worker_names_it_as_the_files_do() -> None:
    page = (DEPLOY.parent / "docs" / "operations" / "workers.md").read_text()
    compose = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())
    scaled = re.findall(r"--scale ([\w-]+)=", page)
    deployed = re.findall(r"deployment/([\w-]+)", page)
    copied = re.findall(r"copy `(pulse-[\w-]+)\.service`", page)
    assert [tuple(compose["services"][name]["command"]) for name in scaled] == [processes.worker_slices()]
    assert [DEPLOYMENTS[name][0] for name in deployed] == [processes.WORKER_SLICES]
    assert [UNITS[name][0] for name in copied] == [processes.WORKER_SLICES]


def test_the_page_of_systemd_writes_what_the_units_load_and_enables_what_can_be() -> None:
    secrets, enables, _ = (one.text for one in examples(DEPLOY.parent / "docs" / "operations" / "systemd.md"))
    units = {path.name: path.read_text() for path in (DEPLOY / "systemd").iterdir()}
    written = re.search(r"for name in ([A-Z_\s\\]+);", secrets)
    assert written is not None
    loaded = set(re.findall(r"^LoadCredential=\w+:/etc/pulse/secrets/(\w+)$", "".join(units.values()), re.MULTILINE))
    assert {name.lower() for name in written[1].replace("\\", "").split()} == loaded
    enabled = enables.partition("systemctl enable --now ")[2].replace("\\", "").split()
    assert {name.removesuffix(".service") for name, text in units.items() if "[Install]" in text} == set(enabled)


def test_each_timer_has_the_unit_that_it_starts() -> None:
    timers = {path.stem for path in (DEPLOY / "systemd").glob("*.timer")}
    assert timers == {"pulse-archive", "pulse-archive-ledger"} <= UNITS.keys()


class Repeated(dict[str, Any]):
    """Keeps every line of a name that stands several times, as systemd does."""

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, list) and name in self:
            value = self[name] + value
        super().__setitem__(name, value)


class Gateway(BaseHTTPRequestHandler):
    """Stands for the gateway: says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real nginx with our example, in front of what stands for the gateway."""
    if debian.program("nginx", "nginx") is None and (reason := debian.why_not("nginx")):
        lacking.skip(reason)
    folder = tmp_path_factory.mktemp("nginx")
    gateway = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    port, plain = free_port(), free_port()
    example = (DEPLOY / "nginx" / "pulse.conf").read_text()
    for stated, here in (
        ("127.0.0.1:8000", f"127.0.0.1:{gateway.server_port}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("/etc/pulse/tls/certificate.pem", str(self_signed(folder))),
        ("/etc/pulse/tls/key.pem", str(folder / "certificate.pem")),
    ):
        assert stated in example
        example = example.replace(stated, here)
    (folder / "pulse.conf").write_text(example)
    kept = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}"
        f" http {{ access_log off; {kept} include {folder}/pulse.conf; }}"
    )
    command = (
        debian.program("nginx", "nginx") or "",
        "-e",
        str(folder / "error.log"),
        "-c",
        str(folder / "nginx.conf"),
    )
    child = Child(Program("nginx", command, lambda _pid: not is_free("127.0.0.1", port)), folder / "nginx.log")
    try:
        servers.start(child)
        yield port
    finally:
        child.stop(5)
        gateway.shutdown()
        gateway.server_close()


def ask(port: int, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=ssl._create_unverified_context())
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name.replace("__", "-"), value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if answer.status == 200 else content


@pytest.mark.parametrize(
    "path",
    [
        "/internal/tokens/introspect",
        "/%69nternal/tokens",
        "//internal/tokens",
        "/api/..//internal/tokens",
        "/internal",
        "/metrics",
        "/ready",
    ],
)
def test_what_is_for_the_services_is_closed_however_it_is_spelled(nginx: int, path: str) -> None:
    assert ask(nginx, path)[0] == 404


def test_what_is_for_clients_passes_and_they_cannot_say_where_they_come_from(nginx: int) -> None:
    told = {"X__Forwarded__For": "1.2.3.4", "X_Forwarded_For": "1.2.3.4", "Idempotency__Key": "k"}
    status, seen = ask(nginx, "/api/orders?limit=1", **told)
    assert (status, seen["path"]) == (200, "/api/orders?limit=1")
    assert {name.lower(): value for name, value in seen["headers"].items() if "forwarded" in name.lower()} == {
        "x-forwarded-for": "127.0.0.1"
    }
    assert seen["headers"]["Idempotency-Key"] == "k"


def test_a_body_that_no_call_needs_is_turned_away(nginx: int) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", nginx, timeout=10, context=ssl._create_unverified_context())
    connection.request("POST", "/api/orders", headers={"Content-Length": str(2 * 1024 * 1024)})
    assert connection.getresponse().status == 413
    connection.close()
