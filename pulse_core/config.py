"""Every setting of pulse and the workers, read once from the environment.

The gateway has its own settings (`gapi_app/config.py`) and the stack its own (`stack/config.py`).
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from api_contract.key_strength import equal_keys, keys_in, remedy, strong, strong_keys
from api_contract.known_variables import misspelt
from api_contract.scopes import Role
from api_contract.secret_files import WithSecretFiles
from api_contract.service_keys import PublicKeys, ServiceRight, read_public_keys
from api_contract.variables import NAMES, QUEUE_URL, as_set, names_of
from api_contract.vocabulary import Product
from pulse_core.broker_keys import CREDENTIALS, PRODUCTS_STATED
from pulse_core.sealing import read_key_ring

PLACEHOLDERS = frozenset({"", "paper", "changeme", "change-me", "none", "xxx"})

NOT_SET = "is not set"

KEYS = ("pulse_cursor_key", "pulse_idempotency_key", "pulse_webhook_key", "pulse_totp_key")
# What a process cannot do without, beside what every process needs.
OF_PULSE = ("pulse_service_public_keys", *KEYS, "pulse_vault_keys")
OF_WORKERS = ("pulse_vault_keys",)
OF_THE_CONTROL_WORKER = ("pulse_webhook_key",)
_OF_THE_SERVERS = ("DATABASE_URL", QUEUE_URL)

# For which Redis keeps a message for the worker that took it.
VISIBILITY_TIMEOUT = 90

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Key = Annotated[SecretStr, AfterValidator(strong)]
# One key, or several with commas between them while one is changed: the first one counts, the others still open.
Keys = Annotated[SecretStr, AfterValidator(strong_keys)]


def _checked_set(given: SecretStr) -> SecretStr:
    keys = read_public_keys(given.get_secret_value())
    if not any(ServiceRight.GATEWAY in key.rights for key in keys):
        raise ValueError(f"has no key with the right {ServiceRight.GATEWAY}: no gateway could call")
    return given


def _checked_ring(given: SecretStr) -> SecretStr:
    read_key_ring(given.get_secret_value())
    return given


class QueueSettings(WithSecretFiles):
    """What is enough for a process that reads messages and nothing else, as Flower does."""

    model_config = SettingsConfigDict(alias_generator=NAMES, extra="ignore", frozen=True)

    queue_url: SecretStr = Field(description="Celery's broker, Redis or Valkey; an amqp:// URL is accepted too.")
    queue_prefix: str = Field("", max_length=40, description="Key prefix when a Redis database is shared.")
    otel: bool = Field(False, description="Send traces to OpenTelemetry; needs the extra otel.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe level.")


class Settings(QueueSettings):
    """Each is read from `PULSE_` and its name in capitals, or the name itself where that says whose it is."""

    database_url: SecretStr = Field(description="Postgres, the source of truth.")
    fence_database_url: SecretStr | None = Field(
        None, description="Postgres itself, where DATABASE_URL leads through a pooler that shares sessions."
    )
    database_pool_size: int = Field(40, ge=1, le=200, description="Most connections of pulse; one per call it works.")
    worker_database_pool_size: int = Field(
        8, ge=4, le=200, description="Most connections of a worker; none waits for a broker with one."
    )
    database_statement_timeout: Seconds = Field(5.0, description="Longest a statement may run, in seconds.")
    database_lock_timeout: Seconds = Field(2.0, description="Longest a statement may wait for a lock, in seconds.")

    pulse_service_public_keys: Annotated[SecretStr, AfterValidator(_checked_set)] | None = Field(
        None, description="Pulse's: the services that may call it, as a JWK Set or the name of its file."
    )
    pulse_cursor_key: Keys | None = Field(
        None, description="Pulse's: signs the cursors of listings. Several: `new,old`, while it is changed."
    )
    pulse_idempotency_key: Key | None = Field(
        None, description="Pulse's: hides what a request said that had an Idempotency-Key."
    )
    pulse_webhook_key: Keys | None = Field(
        None, description="Pulse's and the control worker's: seals the webhooks' secrets. Several: as above."
    )
    pulse_totp_key: Keys | None = Field(
        None, description="Pulse's: seals the secrets of second factors. Several: as above."
    )
    pulse_vault_keys: Annotated[SecretStr, AfterValidator(_checked_ring)] | None = Field(
        None, description="Pulse's and the workers': seal credentials at brokers; `id:key,id:key`, the newest first."
    )
    pulse_exchanges: Annotated[frozenset[str], NoDecode] = Field(
        frozenset({"NSE", "BSE"}), description="Exchanges accepted in `instrument`, separated by commas."
    )

    broker: Literal["paper", "zerodha", "alpaca"] = Field(
        "paper", description="The broker whose account is the one of before."
    )
    broker_account: str | None = Field(
        None, max_length=20, description="Account of orders that name none; unset: the one called as PULSE_BROKER."
    )
    paper_exchange_url: str = Field(
        "http://127.0.0.1:8002", description="The paper exchange; unset with another PULSE_BROKER: none."
    )
    paper_day_starts: time = Field(time(0), description="When the paper exchange's day begins, in Indian time.")
    paper_session: Literal["always", "market"] = Field(
        "always", description="When the paper exchange takes orders: always, or in the hours of the market."
    )
    instruments_ready_at: time = Field(
        time(8, 30), description="When brokers have their lists of the day, by the time of their markets: loaded then."
    )
    freeze_quantities: Annotated[frozenset[str] | None, NoDecode] = Field(
        None,
        description="Most units of one order of derivatives, like NFO:NIFTY=1800, separated by commas; "
        "unset: what the release says of them.",
    )
    kite_root_url: str = Field("https://api.kite.trade", description="Zerodha's API, for PULSE_BROKER=zerodha.")
    kite_api_key: SecretStr = Field(SecretStr("paper"), description="Zerodha's API key.")
    kite_access_token: SecretStr = Field(SecretStr("paper"), description="Zerodha's access token of the day.")
    kite_api_secret: SecretStr = Field(SecretStr("paper"), description="Checks the signature of postbacks.")
    kite_product: Literal["CNC", "MIS", "NRML"] = Field("CNC", description="Product of every order.")
    kite_algo_id: str = Field(
        "", pattern="^[A-Za-z0-9]{0,64}$", description="Algo id of every order, where the exchange has given one."
    )
    kite_market_protection: float = Field(-1, ge=-1, le=100, description="-1 automatic, else percent.")
    alpaca_root_url: str = Field(
        "https://paper-api.alpaca.markets", description="Alpaca's API, for PULSE_BROKER=alpaca."
    )
    alpaca_api_key: SecretStr = Field(SecretStr("paper"), description="Alpaca's API key.")
    alpaca_api_secret: SecretStr = Field(SecretStr("paper"), description="Alpaca's API secret.")
    broker_timeout: Seconds = Field(7.0, description="Longest wait for the broker's answer, in seconds.")
    broker_orders_per_second: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Most calls of a broker's account in a second, of all workers; 0: no limits, unset: the broker's.",
    )
    broker_orders_per_minute: int | None = Field(
        None, ge=0, le=60_000, description="The same in a minute; 0: no limit, unset: the broker's."
    )
    broker_orders_per_day: int | None = Field(
        None, ge=0, le=10_000_000, description="The same in a day; 0: no limit, unset: the broker's."
    )

    open_orders_per_account: int = Field(
        1000, ge=0, le=1_000_000, description="Most open orders of an account; 0: any number."
    )
    open_slices_per_account: int = Field(
        10_000, ge=0, le=10_000_000, description="Most unsent slices of an account's open orders; 0: any number."
    )
    live_order_quantity: int = Field(
        100_000, ge=0, le=10**15, description="With real money: most units of an order; 0: any, as for the next ones."
    )
    live_order_worth: Decimal = Field(
        Decimal(10_000_000), ge=0, le=10**12, description="With real money: what an order may be worth at most."
    )
    live_day_quantity: int = Field(
        1_000_000, ge=0, le=10**15, description="With real money: most units of an account's orders of a day."
    )
    live_day_worth: Decimal = Field(
        Decimal(100_000_000), ge=0, le=10**12, description="With real money: what those may be worth at most."
    )
    live_orders_per_minute: int = Field(
        120, ge=0, le=100_000, description="With real money: most orders that an account places in a minute."
    )
    live_price_collar_percent: Decimal = Field(
        Decimal(20), ge=0, le=1000, description="With real money: how far a limit price may lie from the last price."
    )
    check_windows: bool = Field(True, description="Refuse orders whose slices cannot get out in their window.")

    dispatch_horizon: Seconds = Field(10.0, description="Seconds before its time when a slice is handed to Celery.")
    lease: Seconds = Field(30.0, description="Seconds that a claim may take; longer than PULSE_BROKER_TIMEOUT.")
    slice_timeout: Seconds = Field(60.0, description="Seconds that a placed slice may work before it is cancelled.")
    late_grace: Seconds = Field(
        300.0, description="Seconds after the window's end in which a late slice is still sent."
    )
    placement_attempts: int = Field(
        10, ge=1, le=100, description="Attempts before a slice is FAILED, without those that met a rate limit."
    )
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

    alive_file: Path | None = Field(
        None, description="The workers' and beat's: a file that they touch every 5 s while they live; unset: none."
    )

    pulse_webhook_allow_http: bool = Field(False, description="Allow webhook URLs with plain http.")
    pulse_webhook_allow_private: bool = Field(
        False, description="Allow webhook URLs with hosts that are not public, at any port."
    )
    pulse_webhook_ports: Annotated[frozenset[str], NoDecode] = Field(
        frozenset({"443", "8443"}), description="Ports that webhook URLs may have, separated by commas."
    )

    pulse_second_factor_for: Annotated[frozenset[Role] | None, NoDecode] = Field(
        None, description="Roles that need a second factor, separated by commas; unset: none."
    )

    retention_webhook_deliveries: int = Field(
        200, ge=10, le=5_000, description="How many posts of each webhook are kept, the latest."
    )
    retention_login_days: int = Field(
        1, ge=1, le=90, description="Days for which a login and its tokens are kept once it has expired."
    )
    retention_process_hours: int = Field(
        24, ge=1, le=720, description="Hours for which a process is kept after its last sign of life."
    )

    sweep_events: bool = Field(False, description="Send task events for every sweep; otherwise for those that fail.")

    @property
    def default_broker_account(self) -> str:
        """The account of orders that name none."""
        return self.broker_account or self.broker

    @property
    def has_paper_exchange(self) -> bool:
        """Whether this installation has one: by default only where it is what orders go to."""
        return self.broker == "paper" or "paper_exchange_url" in self.model_fields_set

    def product_of(self, broker: str) -> Product:
        """What an order is for that states no product; where only shares are held, that."""
        return Product(self.kite_product) if broker in PRODUCTS_STATED else Product.CNC

    def placeholders(self, *, to_call_only: bool = False) -> dict[str, str]:
        """What is wrong with each variable that a live broker cannot be reached with, or cannot be called with."""
        if self.broker == "paper":
            return {}
        reason = f"is refused: PULSE_BROKER={self.broker} needs {self.broker.title()}'s own, not a placeholder"
        names = CREDENTIALS[self.broker]
        needed = names.to_call if to_call_only else filter(None, names)
        return {names_of(name)[0]: reason for name in needed if is_placeholder(getattr(self, name))}

    @field_validator(
        "pulse_exchanges", "pulse_webhook_ports", "pulse_second_factor_for", "freeze_quantities", mode="before"
    )
    @classmethod
    def _split_by_commas(cls, value: object) -> object:
        return frozenset(filter(None, value.split(","))) if isinstance(value, str) else value

    @field_validator("pulse_webhook_ports")
    @classmethod
    def _are_ports(cls, value: frozenset[str]) -> frozenset[str]:
        if not all(re.fullmatch("[1-9][0-9]{0,4}", port) and int(port) <= 65_535 for port in value):
            raise ValueError("ports are numbers from 1 to 65535")
        return value

    @field_validator("freeze_quantities")
    @classmethod
    def _are_quantities(cls, value: frozenset[str] | None) -> frozenset[str] | None:
        if not all(re.fullmatch("[A-Z]{1,16}:[A-Z0-9&.-]{1,32}=[1-9][0-9]{0,8}", one) for one in value or ()):
            raise ValueError("states quantities like NFO:NIFTY=1800,NFO:BANKNIFTY=600")
        return value

    @field_validator("dispatch_horizon")
    @classmethod
    def _is_visible(cls, value: float) -> float:
        # Redis would hand every message to a second worker before it is due.
        if value >= VISIBILITY_TIMEOUT:
            raise ValueError(f"must be shorter than {VISIBILITY_TIMEOUT} s, the visibility timeout of the queue")
        return value

    @field_validator("settle_delay")
    @classmethod
    def _outlasts_a_call(cls, value: float | Literal["never"], info: ValidationInfo) -> float | Literal["never"]:
        # What a call that is given up only then has sent may enter the book later.
        if value != "never" and value < info.data.get("broker_timeout", 0):
            raise ValueError("must not be shorter than PULSE_BROKER_TIMEOUT: its slice could go out again beside it")
        return value

    @field_validator("database_lock_timeout")
    @classmethod
    def _comes_first(cls, value: float, info: ValidationInfo) -> float:
        if value > info.data.get("database_statement_timeout", value):
            raise ValueError("must not be longer than PULSE_DATABASE_STATEMENT_TIMEOUT, which ends it before")
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


def queue_settings() -> QueueSettings:
    """As far as they concern the queue. Raises pydantic's ValidationError, too."""
    return QueueSettings()


def key_of(purpose: Literal["idempotency"]) -> bytes:
    """The key of this purpose alone. Raises KeyMissing in a process that has none."""
    return _key_text(purpose).encode()


def keys_of(purpose: Literal["cursor", "webhook", "totp"]) -> Sequence[bytes]:
    """The keys of this purpose alone, the newest first: the others still open. Raises KeyMissing as above."""
    return [one.encode() for one in keys_in(_key_text(purpose))]


def _key_text(purpose: str) -> str:
    field = f"pulse_{purpose}_key"
    given: SecretStr | None = getattr(settings(), field)
    if given is None:
        raise KeyMissing(f"{names_of(field)[0]} {NOT_SET}, and this needs it")
    return given.get_secret_value()


def vault_keys() -> Mapping[str, str]:
    """The keys that seal credentials at brokers, by their ids, the newest first. Raises KeyMissing as above."""
    given = settings().pulse_vault_keys
    if given is None:
        raise KeyMissing(f"PULSE_VAULT_KEYS {NOT_SET}, and this needs it")
    return read_key_ring(given.get_secret_value())


def service_public_keys() -> PublicKeys:
    """The services that are believed. Raises KeyMissing in a process that nobody calls."""
    given = settings().pulse_service_public_keys
    if given is None:
        raise KeyMissing(f"PULSE_SERVICE_PUBLIC_KEYS {NOT_SET}, and this needs it")
    return _public_keys(given.get_secret_value())


class KeyMissing(Exception):
    """A process does what it was given no key for."""


@cache
def _public_keys(text: str) -> PublicKeys:
    return read_public_keys(text)


def faults_of(error: ValidationError) -> dict[str, str]:
    """What is wrong with each variable that was refused, without its value: some of them are secrets."""
    return {as_set(str(one["loc"][0])): _fault(one["type"], one["msg"]) for one in error.errors()}


def _fault(kind: str, message: str) -> str:
    return NOT_SET if kind == "missing" else f"is refused: {message.removeprefix('Value error, ')}"


def wrong_settings() -> dict[str, str]:
    """What is wrong with each variable, except missing ones: whoever starts the services sets them."""
    try:
        found = misspelt() | _lacking(_without_servers(), ())
    except ValidationError as refused:
        found = misspelt() | faults_of(refused)
    return {variable: fault for variable, fault in found.items() if fault != NOT_SET}


def _without_servers() -> Settings:
    return Settings(**dict.fromkeys(_OF_THE_SERVERS, "named by whoever starts them"))  # type: ignore[arg-type]


def placeholders() -> dict[str, str]:
    """What is wrong with the variables of a live broker, before the servers are known."""
    return _without_servers().placeholders()


def settings_to_start(process: str, needs: Collection[str] = ()) -> Settings:
    """The settings, with those that this process `needs`, or its end with a sentence that names each that is wrong."""
    faults = misspelt()
    try:
        found = settings()
    except ValidationError as refused:
        faults |= faults_of(refused)
    else:
        faults |= _lacking(found, needs)
        if not faults:
            return found
    raise SystemExit(_cannot_start(process, faults))


def queue_settings_to_start(process: str) -> QueueSettings:
    """The same of a process that needs the queue alone."""
    try:
        return queue_settings()
    except ValidationError as refused:
        raise SystemExit(_cannot_start(process, faults_of(refused))) from None


def _cannot_start(process: str, faults: dict[str, str]) -> str:
    named = "; ".join(f"{variable} {fault}" for variable, fault in faults.items())
    return f"{process} cannot start: {named}.{remedy(faults, os.environ)}"


def _lacking(found: Settings, needs: Collection[str]) -> dict[str, str]:
    """What is wrong with settings that are fine by themselves."""
    faults = {names_of(name)[0]: NOT_SET for name in needs if getattr(found, name) is None}
    given = {name: getattr(found, name) for name in (*KEYS, "pulse_vault_keys")}
    texts = {names_of(name)[0]: key.get_secret_value() for name, key in given.items() if key is not None}
    faults |= equal_keys(texts)
    return faults


def is_placeholder(value: SecretStr) -> bool:
    """Whether this is no secret of anybody's."""
    return value.get_secret_value().strip().lower() in PLACEHOLDERS
