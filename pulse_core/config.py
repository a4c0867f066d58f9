"""Every setting of pulse and the workers, read once from the environment.

The gateway has its own settings (`gapi_app/config.py`) and the stack its own (`stack/config.py`).
"""

import re
from datetime import time
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api_contract.variables import NAMES, as_set

PLACEHOLDERS = frozenset({"", "paper", "changeme", "change-me", "none", "xxx"})

NOT_SET = "is not set"

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """Each is read from `PULSE_` and its name in capitals, or the name itself where that says whose it is."""

    model_config = SettingsConfigDict(alias_generator=NAMES, extra="ignore", frozen=True)

    database_url: SecretStr = Field(description="Postgres, the source of truth.")
    redis_url: SecretStr = Field(description="Celery's broker, Redis or Valkey; an amqp:// URL is accepted too.")
    database_pool_size: int = Field(40, ge=1, le=200, description="Most connections of a process; one per thread.")
    database_statement_timeout: Seconds = Field(5.0, description="Longest a statement may run, in seconds.")
    database_lock_timeout: Seconds = Field(2.0, description="Longest a statement may wait for a lock, in seconds.")
    queue_prefix: str = Field("", max_length=40, description="Key prefix when a Redis database is shared.")

    pulse_service_token_key: SecretStr = Field(min_length=32, description="Signs calls between gapi and pulse.")
    pulse_exchanges: Annotated[frozenset[str], NoDecode] = Field(
        frozenset({"NSE", "BSE"}), description="Exchanges accepted in `instrument`, separated by commas."
    )

    broker: Literal["paper", "zerodha"] = Field("paper", description="Where slices are placed.")
    paper_exchange_url: str = Field("http://127.0.0.1:8002", description="The paper exchange, for PULSE_BROKER=paper.")
    paper_day_starts: time = Field(time(0), description="When the paper exchange's day begins, in Indian time.")
    paper_session: Literal["always", "market"] = Field(
        "always", description="When the paper exchange takes orders: always, or in the hours of the market."
    )
    kite_root_url: str = Field("https://api.kite.trade", description="Zerodha's API, for PULSE_BROKER=zerodha.")
    kite_api_key: SecretStr = Field(SecretStr("paper"), description="Zerodha's API key.")
    kite_access_token: SecretStr = Field(SecretStr("paper"), description="Zerodha's access token of the day.")
    kite_api_secret: SecretStr = Field(SecretStr("paper"), description="Checks the signature of postbacks.")
    kite_product: Literal["CNC", "MIS", "NRML"] = Field("CNC", description="Product of every order.")
    kite_market_protection: float = Field(-1, ge=-1, le=100, description="-1 automatic, else percent.")
    broker_timeout: Seconds = Field(7.0, description="Longest wait for the broker's answer, in seconds.")
    broker_orders_per_second: int = Field(
        10, ge=0, le=1000, description="Most calls of a broker's account in a second, of all workers; 0: no limits."
    )
    broker_orders_per_minute: int = Field(400, ge=0, le=60_000, description="The same in a minute; 0: no limit.")
    broker_orders_per_day: int = Field(5000, ge=0, le=10_000_000, description="The same in a day; 0: no limit.")

    open_orders_per_account: int = Field(
        1000, ge=0, le=1_000_000, description="Most open orders of an account; 0: any number."
    )
    open_slices_per_account: int = Field(
        10_000, ge=0, le=10_000_000, description="Most unsent slices of an account's open orders; 0: any number."
    )
    check_windows: bool = Field(True, description="Refuse orders whose slices cannot get out in their window.")

    dispatch_horizon: Seconds = Field(10.0, description="Seconds before its time when a slice is handed to Celery.")
    lease: Seconds = Field(30.0, description="Seconds that a claim may take; longer than PULSE_BROKER_TIMEOUT.")
    slice_timeout: Seconds = Field(60.0, description="Seconds that a placed slice may work before it is cancelled.")
    late_grace: Seconds = Field(
        300.0, description="Seconds after the window's end in which a late slice is still sent."
    )
    placement_attempts: int = Field(10, ge=1, le=100, description="Attempts before a slice is FAILED.")
    retry_backoff_max: Seconds = Field(30.0, description="Longest pause between two attempts, in seconds.")
    settle_delay: Seconds | Literal["never"] = Field(
        60.0,
        description="Seconds for which the book must show no trace of a slice; never: an operator settles it.",
    )
    overdue_after: Seconds = Field(
        5.0, description="Seconds after its time when a due slice counts as lost and is taken from the table."
    )

    metrics_host: str = Field("127.0.0.1", description="Address on which /metrics, and pulse's /ready, are served.")
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port of /metrics, and of pulse's /ready; 0: none, and a worker counts nothing."
    )

    pulse_webhook_allow_http: bool = Field(False, description="Allow webhook URLs with plain http.")
    pulse_webhook_allow_private: bool = Field(
        False, description="Allow webhook URLs with hosts that are not public, at any port."
    )
    pulse_webhook_ports: Annotated[frozenset[str], NoDecode] = Field(
        frozenset({"443", "8443"}), description="Ports that webhook URLs may have, separated by commas."
    )
    pulse_webhook_key: Annotated[SecretStr, Field(min_length=32)] | None = Field(
        None, description="Seals the webhooks' secrets; unset: PULSE_SERVICE_TOKEN_KEY does."
    )

    sweep_events: bool = Field(False, description="Send task events for every sweep; otherwise for those that fail.")
    otel: bool = Field(False, description="Send traces to OpenTelemetry; needs the extra otel.")

    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe level.")

    @field_validator("pulse_exchanges", "pulse_webhook_ports", mode="before")
    @classmethod
    def _split_by_commas(cls, value: object) -> object:
        return frozenset(filter(None, value.split(","))) if isinstance(value, str) else value

    @field_validator("pulse_webhook_ports")
    @classmethod
    def _are_ports(cls, value: frozenset[str]) -> frozenset[str]:
        if not all(re.fullmatch("[1-9][0-9]{0,4}", port) and int(port) <= 65_535 for port in value):
            raise ValueError("ports are numbers from 1 to 65535")
        return value

    @field_validator("kite_api_key", "kite_access_token", "kite_api_secret")
    @classmethod
    def _is_no_placeholder(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("broker") == "zerodha" and value.get_secret_value().strip().lower() in PLACEHOLDERS:
            raise ValueError("PULSE_BROKER=zerodha needs Zerodha's own, not a placeholder")
        return value

    @field_validator("lease")
    @classmethod
    def _leaves_time_to_send(cls, value: float, info: ValidationInfo) -> float:
        # The last moment to send is the lease's end less the timeout: it would lie before the claim.
        if value <= info.data.get("broker_timeout", 0):
            raise ValueError("PULSE_LEASE must be longer than PULSE_BROKER_TIMEOUT, or nothing could ever be sent")
        return value


@cache
def settings() -> Settings:
    """The settings of this process. Raises pydantic's ValidationError, which names each bad variable."""
    return Settings()


def faults_of(error: ValidationError) -> dict[str, str]:
    """What is wrong with each variable that was refused, without its value: some of them are secrets."""
    return {as_set(str(one["loc"][0])): _fault(one["type"], one["msg"]) for one in error.errors()}


def _fault(kind: str, message: str) -> str:
    return NOT_SET if kind == "missing" else f"is refused: {message.removeprefix('Value error, ')}"


def wrong_settings() -> dict[str, str]:
    """What is wrong with each variable, except missing ones: whoever starts the services sets them."""
    try:
        Settings()
    except ValidationError as refused:
        return {variable: fault for variable, fault in faults_of(refused).items() if fault != NOT_SET}
    return {}


def settings_to_start(process: str) -> Settings:
    """The settings, or the end of the process with a sentence that names each variable that is wrong."""
    try:
        return settings()
    except ValidationError as refused:
        faults = "; ".join(f"{variable} {fault}" for variable, fault in faults_of(refused).items())
    raise SystemExit(f"{process} cannot start: {faults}.")
