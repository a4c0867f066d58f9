"""Every setting of the stack on one machine, from the environment; `pulse up` has an option for each."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from api_contract.secret_files import WithSecretFiles
from api_contract.variables import aliases_of, names_of

LOOPBACK = "127.0.0.1"
# What once published everything, and must not be taken for what publishes the gateway.
FORMER_BIND_HOST = "PULSE_BIND_HOST"

Port = Annotated[int, Field(ge=1, le=65_535)]


class StackSettings(WithSecretFiles):
    """Names are the environment variables' names in lower case, after `PULSE_`."""

    model_config = SettingsConfigDict(env_prefix="PULSE_", extra="ignore", frozen=True, populate_by_name=True)

    gapi_bind_host: str = Field(
        "127.0.0.1", description="Address that the gateway listens on; all others listen on 127.0.0.1."
    )
    gapi_port: Port = Field(8000, description="Port of the public gateway.")
    pulse_port: Port = Field(8001, description="Port of the internal order API.")
    exchange_port: Port = Field(8002, description="Port of the paper exchange.")
    flower_port: Port = Field(5555, description="Port of the task dashboard.")
    gapi_metrics_port: Port = Field(8009, description="Port of the readiness and metrics of the gateway.")
    pulse_metrics_port: Port = Field(8010, description="Port of the readiness and metrics of the order API.")
    slices_metrics_port: Port = Field(8011, description="Port of the metrics of the worker for slices.")
    control_metrics_port: Port = Field(8012, description="Port of the metrics of the control worker.")
    beat_metrics_port: Port = Field(8013, description="Port of the metrics of beat.")
    data_dir: Path = Field(Path(".pulse"), description="Folder of the embedded servers, secrets and logs.")
    restart_pause: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Longest pause, in seconds, before a process that keeps ending is restarted.",
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="Your own Postgres; unset: embedded.",
    )
    owner_database_url: SecretStr | None = Field(
        None, description="The role that migrates your own Postgres; unset: the one of DATABASE_URL."
    )
    fence_database_url: SecretStr | None = Field(
        None, description="Your own Postgres itself, where DATABASE_URL leads through a pooler that shares sessions."
    )
    queue_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices(*names_of("queue_url"), "queue_url"),
        description="Your own Redis; unset: embedded.",
    )
    broker: Literal["paper", "zerodha", "alpaca"] = Field(
        "paper", validation_alias=aliases_of("broker"), description="Where slices are placed."
    )

    def url(self, port: int) -> str:
        """Where programs on this machine reach the service with this port."""
        return url_of(self.host_of(port), port)

    def host_of(self, port: int) -> str:
        """The address on which the service with this port listens."""
        return self.gapi_bind_host if port == self.gapi_port else LOOPBACK


def url_of(host: str, port: int) -> str:
    """Where programs on this machine reach what listens there."""
    reached = LOOPBACK if host in ("0.0.0.0", "::") else host
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
