"""Which process of a stack is given which secret, and which keys a data folder holds."""

import json
import os
from pathlib import Path

import pytest

import gapi_app.config
import pulse_core.config
from api_contract.service_keys import read_private_key, read_public_keys
from api_contract.variables import names_of
from pulse_ops.stack import plan, preflight, processes
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.files import make_private
from pulse_ops.stack.handed_on import EVERY_SECRET, SECRETS, handed_on
from pulse_ops.stack.secrets import Keys, kept_keys

OWN_NAMES = {name: f"secret-of-{name}" for name in EVERY_SECRET}


@pytest.fixture(autouse=True)
def no_keys_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EVERY_SECRET:
        monkeypatch.delenv(name, raising=False)


def planned(data_dir: Path, **environment: str) -> dict[str, dict[str, str]]:
    settings = StackSettings(data_dir=data_dir)
    shared = plan.environment(settings, Keys(), "postgresql://run@db", "redis://queue") | environment
    return {one.name: dict(one.environment) for one in plan.programs(settings, shared)}


def test_each_process_is_given_the_secrets_that_it_needs_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the shell of whoever starts the stack has, too.
    for name, value in OWN_NAMES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("pulse_jwt_key", "in small letters")
    given = {name: variables.keys() & EVERY_SECRET for name, variables in planned(tmp_path).items()}
    databases, queue = {"DATABASE_URL", "PULSE_FENCE_DATABASE_URL"}, "PULSE_QUEUE_URL"
    exchange = {"KITE_API_KEY", "KITE_ACCESS_TOKEN"}
    broker = exchange | {"ALPACA_API_KEY", "ALPACA_API_SECRET"}
    assert given == {
        processes.EXCHANGE: exchange | {"KITE_API_SECRET"},
        processes.WORKER_SLICES: {queue, "PULSE_VAULT_KEYS"} | databases | broker,
        processes.WORKER_CONTROL: {queue, "PULSE_VAULT_KEYS", "PULSE_WEBHOOK_KEY"} | databases | broker,
        processes.PULSE: databases | {queue, "PULSE_SERVICE_PUBLIC_KEYS", "PULSE_CURSOR_KEY", "PULSE_IDEMPOTENCY_KEY"}
        | {"PULSE_WEBHOOK_KEY", "PULSE_TOTP_KEY", "PULSE_VAULT_KEYS", "KITE_API_SECRET"} | broker,
        processes.GAPI: {"PULSE_SERVICE_PRIVATE_KEY", "PULSE_SERVICE_PUBLIC_KEYS", "PULSE_JWT_KEY", "PULSE_JWT_KEYS"}
        | {"PULSE_LIMITS_REDIS_URL"},
        processes.BEAT: {queue} | databases,
        processes.FLOWER: {queue, "FLOWER_BASIC_AUTH"},
    }  # fmt: skip
    small = [name for name, variables in planned(tmp_path).items() if "pulse_jwt_key" in variables]
    assert small == [processes.GAPI]
    assert EVERY_SECRET.isdisjoint(handed_on("postgres", os.environ))


def test_every_secret_setting_is_handed_on_by_name_alone() -> None:
    secret = {
        names_of(name)[0]
        for settings in (pulse_core.config.Settings, gapi_app.config.Settings)
        for name, field in settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert secret <= EVERY_SECRET
    needed = {"pulse": pulse_core.config.OF_PULSE, "worker-slices": pulse_core.config.OF_WORKERS}
    needed["worker-control"] = pulse_core.config.OF_WORKERS + pulse_core.config.OF_THE_CONTROL_WORKER
    assert {name: {names_of(one)[0] for one in of} - SECRETS[name] for name, of in needed.items()} == {
        "pulse": set(),
        "worker-slices": set(),
        "worker-control": set(),
    }


def test_a_folder_of_before_gets_the_keys_that_it_lacks_and_its_webhooks_keep_theirs(tmp_path: Path) -> None:
    before = {"service_token_key": "s" * 64, "jwt_key": "j" * 64, "demo_password": "d", "flower_password": "f"}
    (tmp_path / "secrets.json").write_text(json.dumps(before))
    keys = kept_keys(tmp_path)
    assert (keys.jwt_key, keys.demo_password, keys.webhook_key) == ("j" * 64, "d", "s" * 64)
    assert kept_keys(tmp_path) == keys
    kept = json.loads((tmp_path / "secrets.json").read_text())
    assert kept.keys() == set(Keys.__dataclass_fields__)
    assert len(set(kept.values())) == len(kept)


def test_the_key_of_before_in_the_environment_goes_on_sealing_webhooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SERVICE_TOKEN_KEY", "e" * 64)
    assert kept_keys(tmp_path).webhook_key == "e" * 64
    monkeypatch.delenv("PULSE_SERVICE_TOKEN_KEY")
    assert kept_keys(tmp_path).webhook_key == "e" * 64


def test_pulse_knows_the_gateway_of_its_stack(tmp_path: Path) -> None:
    found = planned(tmp_path)
    private = read_private_key(found["gapi"]["PULSE_SERVICE_PRIVATE_KEY"])
    public = read_public_keys(found["pulse"]["PULSE_SERVICE_PUBLIC_KEYS"]).of(private.kid)
    assert public is not None
    assert (public.issuer, public.rights) == ("gapi", {"gateway"})
    assert public.public == private.private.public_key()


@pytest.mark.parametrize("name", ["PULSE_CURSOR_KEY", "PULSE_IDEMPOTENCY_KEY", "PULSE_WEBHOOK_KEY", "PULSE_TOTP_KEY"])
def test_a_stack_refuses_one_key_for_two_purposes_that_no_process_sees_together(name: str) -> None:
    environment = plan.environment(StackSettings(), Keys(), "postgresql://", "redis://")
    preflight.check_keys(environment)
    with pytest.raises(StackError, match=f"{name} is refused: it is the same as PULSE_JWT_KEY.*`pulse keys make`"):
        preflight.check_keys(environment | {name: environment["PULSE_JWT_KEY"]})


def test_only_the_gateway_listens_elsewhere(tmp_path: Path) -> None:
    settings = StackSettings(data_dir=tmp_path, gapi_bind_host="192.0.2.1")
    shared = plan.environment(settings, Keys(), "postgresql://", "redis://")
    elsewhere = [one.name for one in plan.programs(settings, shared) if "192.0.2.1" in " ".join(one.command)]
    assert elsewhere == [processes.GAPI]
    others = {name for name, url in plan.urls(settings).items() if "192.0.2.1" not in url}
    assert others == {"pulse", "flower", "exchange", *(f"metrics-{one}" for one in plan.METRICS)}


def test_the_address_that_published_everything_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_BIND_HOST", "0.0.0.0")
    with pytest.raises(StackError, match="PULSE_BIND_HOST is not read any more: set PULSE_GAPI_BIND_HOST"):
        preflight.check_settings()


def test_what_an_earlier_stack_left_is_made_private_and_nothing_of_others(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir(mode=0o755)
    (tmp_path / "redis" / "data").mkdir(mode=0o755, parents=True)
    ours = [tmp_path / "logs" / "gapi.log", tmp_path / "redis" / "data" / "a.aof", tmp_path / "run.json"]
    theirs = tmp_path / "notes.txt"
    for path in (*ours, theirs):
        path.touch()
        path.chmod(0o644)
    (tmp_path / "logs" / "link").symlink_to(theirs)
    make_private(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in ours} == {0o600}
    folders = (tmp_path, tmp_path / "logs", tmp_path / "redis", tmp_path / "redis" / "data")
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert theirs.stat().st_mode & 0o777 == 0o644
