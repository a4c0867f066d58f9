"""Every setting of the gateway, read once from the environment when it starts."""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import NoDecode, SettingsConfigDict

from api_contract.key_strength import FORMER_KEY, equal_keys, remedy, strong
from api_contract.known_variables import misspelt
from api_contract.secret_files import WithSecretFiles
from api_contract.service_keys import PrivateKey, PublicKeys, read_private_key, read_public_keys
from api_contract.variables import NAMES, as_set
from gapi_app.access.signing import KeySet, WeakKeys, load_keys
from gapi_app.cells.directory import BadCells, Cells, one_cell, read_cells
from gapi_app.guard.origins import checked_origin


def _is_private_key(given: SecretStr) -> SecretStr:
    read_private_key(given.get_secret_value())
    return given


def _are_public_keys(given: SecretStr) -> SecretStr:
    read_public_keys(given.get_secret_value())
    return given


Key = Annotated[SecretStr, AfterValidator(strong)]
Seconds = Annotated[float, Field(gt=0, le=60)]
WEB_ADDRESS = r"^https?://[^\s\"'<>]{1,200}$"
Limit = Annotated[str, Field(pattern=r"^(off|[1-9][0-9]{0,8}/(second|minute|hour))$")]


class Settings(WithSecretFiles):
    """Each is read from `PULSE_` and its name in capitals, or the name itself where that says whose it is."""

    model_config = SettingsConfigDict(alias_generator=NAMES, extra="ignore", frozen=True)

    pulse_url: str = Field("http://127.0.0.1:8001", pattern=r"^https?://[^/]+$", description="Where pulse listens.")
    pulse_cells_file: Path | None = Field(
        None, description="File with several cells and whose accounts are where, in place of PULSE_URL."
    )
    pulse_service_private_key: Annotated[SecretStr, AfterValidator(_is_private_key)] = Field(
        description="Signs calls to pulse: gapi's own key, as a JWK or the name of its file."
    )
    pulse_service_public_keys: Annotated[SecretStr, AfterValidator(_are_public_keys)] | None = Field(
        None, description="The services that may ask about tokens, as a JWK Set or the name of its file; unset: none."
    )
    pulse_jwt_key: Key | None = Field(
        None, description="Signs the access tokens of users, with HS256; required without PULSE_JWT_KEYS."
    )
    pulse_jwt_keys: Path | None = Field(
        None, description="File with the JWK Set that signs access tokens instead; its first key signs."
    )
    pulse_trusted_proxies: int = Field(0, ge=0, le=5, description="Proxies in front, whose header names the client.")
    pulse_proxy_header: str = Field(
        "X-Forwarded-For",
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="The header in which they do.",
    )
    pulse_exchanges: Annotated[frozenset[str], NoDecode] = Field(
        frozenset({"NSE", "BSE"}), description="Exchanges accepted in `instrument`, separated by commas."
    )
    pulse_connect_timeout: Seconds = Field(1.0, description="Longest wait for a connection to pulse, in seconds.")
    pulse_answer_timeout: Seconds = Field(3.5, description="Longest wait for pulse's whole answer, in seconds.")
    pulse_login_timeout: Seconds = Field(
        10.0, description="Longest wait for pulse's answer to a login or a change of password, in seconds."
    )
    pulse_access_token_lifetime: int = Field(900, ge=10, le=86_400, description="Seconds that an access token lasts.")
    pulse_streams: int = Field(200, ge=1, le=2000, description="Most open event streams; each holds a thread.")
    pulse_streams_per_account: int = Field(5, ge=1, le=200, description="Most open event streams of one account.")
    pulse_stream_heartbeat: Seconds = Field(15.0, description="Longest silence on a stream, in seconds.")

    pulse_rate_limit_account: Limit = Field(
        "1200/minute", description="Most requests of an account; such as 20/second, or off."
    )
    pulse_rate_limit_orders: Limit = Field(
        "600/minute", description="Most new orders of an account, counted separately."
    )
    pulse_rate_limit_address: Limit = Field(
        "300/minute", description="Most requests from an address without a valid token, logins included."
    )
    pulse_rate_limit_postbacks: Limit = Field("6000/minute", description="Most postbacks from an address.")
    pulse_requests_at_once: int = Field(
        16, ge=1, le=48, description="Most requests of an account at once, of each kind: orders, cancels, others."
    )
    pulse_requests_beside_others: int = Field(
        1, ge=1, le=12, description="Of these, worked at once while others ask too, cancels aside."
    )
    pulse_limits_redis_url: SecretStr | None = Field(
        None, description="Redis in which gateways add up their counts; unset: each counts for itself."
    )
    pulse_request_timeout: Seconds = Field(
        10.0, description="Most seconds a client may take to send a request, or to leave its answer unread."
    )
    pulse_cors_origins: Annotated[frozenset[str] | None, NoDecode] = Field(
        None, description="Origins whose pages may call the API, separated by commas; unset: none."
    )

    pulse_flower_url: str | None = Field(
        None, pattern=WEB_ADDRESS, description="Flower, as operators' browsers reach it: the page links to it."
    )
    pulse_grafana_url: str | None = Field(
        None, pattern=WEB_ADDRESS, description="Grafana, as operators' browsers reach it: the page links to it."
    )

    pulse_metrics_host: str = Field("127.0.0.1", description="Address on which /ready and /metrics are served.")
    pulse_metrics_port: int = Field(0, ge=0, le=65_535, description="Port of /ready and /metrics; 0: none.")

    pulse_otel: bool = Field(False, description="Send traces to OpenTelemetry; needs the extra otel.")
    log_format: str = Field("auto", pattern="^(auto|json|console)$", description="auto: console on a terminal.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe level.")

    @cached_property
    def signing_key(self) -> PrivateKey:
        return read_private_key(self.pulse_service_private_key.get_secret_value())

    @cached_property
    def sibling_keys(self) -> PublicKeys | None:
        given = self.pulse_service_public_keys
        return None if given is None else read_public_keys(given.get_secret_value())

    @field_validator("pulse_answer_timeout")
    @classmethod
    def _outlasts_connecting(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("pulse_connect_timeout", 0):
            raise ValueError("must not be shorter than PULSE_CONNECT_TIMEOUT, which is a part of it")
        return value

    @field_validator("pulse_requests_beside_others")
    @classmethod
    def _are_some_of_all(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("pulse_requests_at_once", value):
            raise ValueError("must not be more than PULSE_REQUESTS_AT_ONCE, of which they are")
        return value

    @field_validator("pulse_limits_redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://")):
            msg = "must be a redis:// URL"
            raise ValueError(msg)
        return value

    @field_validator("pulse_cors_origins")
    @classmethod
    def _are_origins(cls, value: frozenset[str] | None) -> frozenset[str] | None:
        return value and frozenset(map(checked_origin, value))

    @field_validator("pulse_exchanges", "pulse_cors_origins", mode="before")
    @classmethod
    def _split_by_commas(cls, value: object) -> object:
        return frozenset(filter(None, value.split(","))) if isinstance(value, str) else value


def load_settings() -> Settings:
    """The settings, or the end of the process with a sentence that names what is wrong and no value."""
    faults = misspelt()
    try:
        settings = Settings()
    except ValidationError as refused:
        faults |= {_variable(fault): _reason(fault["type"], fault["msg"]) for fault in refused.errors()}
    else:
        faults |= _lacking(settings)
        if not faults:
            return settings
    named = "; ".join(f"{variable} {fault}" for variable, fault in faults.items())
    raise SystemExit(f"gapi cannot start: {named}.{remedy(faults, os.environ)}")


def load_signing_keys(settings: Settings) -> KeySet:
    """The keys of access tokens, or the end of the process with a sentence."""
    try:
        return load_keys(settings.pulse_jwt_key, settings.pulse_jwt_keys)
    except WeakKeys as refused:
        sentence = f"gapi cannot start: PULSE_JWT_KEYS {refused}."
    raise SystemExit(sentence)


def load_cells(settings: Settings) -> Cells:
    """The cells that are served, or the end of the process with a sentence."""
    if settings.pulse_cells_file is None:
        return one_cell(settings.pulse_url, settings.signing_key)
    try:
        return read_cells(settings.pulse_cells_file, settings.signing_key)
    except BadCells as refused:
        sentence = f"gapi cannot start: PULSE_CELLS_FILE {refused}."
    raise SystemExit(sentence)


def _lacking(settings: Settings) -> dict[str, str]:
    """What is wrong with settings that are fine by themselves."""
    if settings.pulse_jwt_key is None:
        return {} if settings.pulse_jwt_keys is not None else {"PULSE_JWT_KEY": "is not set"}
    # Whoever has the former key, which other services were given, could make logins.
    given = {FORMER_KEY: os.environ.get(FORMER_KEY, ""), "PULSE_JWT_KEY": settings.pulse_jwt_key.get_secret_value()}
    return equal_keys(given)


def _variable(fault: ErrorDetails) -> str:
    return as_set(str(fault["loc"][0]))


def _reason(kind: str, message: str) -> str:
    return "is not set" if kind == "missing" else f"is refused: {message.removeprefix('Value error, ')}"
