"""Every variable of ours: a name that is none of them is a mistake, or somebody else's.

A misspelt setting would count for nothing without a word: what is nearly a name of ours is refused, with that name.
What is like none of them is named in the log: it may be of another release, or of no concern.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches

from pydantic_settings import BaseSettings

from api_contract.log import get_logger
from api_contract.secret_files import SUFFIX, secret_fields, warn_of_open_files
from api_contract.variables import PREFIX, upper, warn_of_old_names

log = get_logger(__name__)

KNOWN = frozenset(
    {
        "PULSE_ACCESS_TOKEN_LIFETIME",
        "PULSE_ALIVE_FILE",
        "PULSE_ANSWER_TIMEOUT",
        "PULSE_ARCHIVE_FOLDER",
        "PULSE_BEAT_METRICS_PORT",
        "PULSE_BROKER",
        "PULSE_BROKER_ACCOUNT",
        "PULSE_BROKER_ORDERS_PER_DAY",
        "PULSE_BROKER_ORDERS_PER_MINUTE",
        "PULSE_BROKER_ORDERS_PER_SECOND",
        "PULSE_BROKER_TIMEOUT",
        "PULSE_CELL",
        "PULSE_CELLS_FILE",
        "PULSE_CHECK_WINDOWS",
        "PULSE_CONNECT_TIMEOUT",
        "PULSE_CONTROL_METRICS_PORT",
        "PULSE_CORS_ORIGINS",
        "PULSE_CURSOR_KEY",
        "PULSE_DATABASE_LOCK_TIMEOUT",
        "PULSE_DATABASE_POOL_SIZE",
        "PULSE_DATABASE_STATEMENT_TIMEOUT",
        "PULSE_DATA_DIR",
        "PULSE_DISPATCH_HORIZON",
        "PULSE_EXCHANGES",
        "PULSE_EXCHANGE_PORT",
        "PULSE_FAILPOINT",
        "PULSE_FENCE_DATABASE_URL",
        "PULSE_FLOWER_PORT",
        "PULSE_FLOWER_URL",
        "PULSE_FREEZE_QUANTITIES",
        "PULSE_GAPI_BIND_HOST",
        "PULSE_GAPI_METRICS_PORT",
        "PULSE_GAPI_PORT",
        "PULSE_GAPI_URL",
        "PULSE_GATEWAY_READY_URL",
        "PULSE_GATEWAY_URL",
        "PULSE_GRAFANA_URL",
        "PULSE_IDEMPOTENCY_KEY",
        "PULSE_INSTRUMENTS_READY_AT",
        "PULSE_JWT_KEY",
        "PULSE_JWT_KEYS",
        "PULSE_LATE_GRACE",
        "PULSE_LEASE",
        "PULSE_LIMITS_REDIS_URL",
        "PULSE_LIVE_DAY_QUANTITY",
        "PULSE_LIVE_DAY_WORTH",
        "PULSE_LIVE_ORDERS_PER_MINUTE",
        "PULSE_LIVE_ORDER_QUANTITY",
        "PULSE_LIVE_ORDER_WORTH",
        "PULSE_LIVE_PRICE_COLLAR_PERCENT",
        "PULSE_LOGIN_CODE",
        "PULSE_LOGIN_TIMEOUT",
        "PULSE_LOG_FORMAT",
        "PULSE_LOG_LEVEL",
        "PULSE_METRICS_HOST",
        "PULSE_METRICS_PORT",
        "PULSE_OPEN_ORDERS_PER_ACCOUNT",
        "PULSE_OPEN_SLICES_PER_ACCOUNT",
        "PULSE_OTEL",
        "PULSE_OVERDUE_AFTER",
        "PULSE_OWNER_DATABASE_URL",
        "PULSE_PAPER_CALLS_PER_MINUTE",
        "PULSE_PAPER_DAY_STARTS",
        "PULSE_PAPER_EXCHANGE_URL",
        "PULSE_PAPER_HOST",
        "PULSE_PAPER_HOST_NAMES",
        "PULSE_PAPER_LEDGER",
        "PULSE_PAPER_LIMITS",
        "PULSE_PAPER_ORDERS_PER_DAY",
        "PULSE_PAPER_ORDERS_PER_MINUTE",
        "PULSE_PAPER_ORDERS_PER_SECOND",
        "PULSE_PAPER_PORT",
        "PULSE_PAPER_POSTBACK_URL",
        "PULSE_PAPER_REDIRECT_URL",
        "PULSE_PAPER_SCENARIO",
        "PULSE_PAPER_SEED",
        "PULSE_PAPER_SESSION",
        "PULSE_PAPER_STANDING_TOKEN",
        "PULSE_PAPER_STRICT",
        "PULSE_PAPER_WIRE",
        "PULSE_PASSWORD",
        "PULSE_PLACEMENT_ATTEMPTS",
        "PULSE_PROXY_HEADER",
        "PULSE_PULSE_METRICS_PORT",
        "PULSE_PULSE_PORT",
        "PULSE_QUEUE_PREFIX",
        "PULSE_QUEUE_URL",
        "PULSE_RATE_LIMIT_ACCOUNT",
        "PULSE_RATE_LIMIT_ADDRESS",
        "PULSE_RATE_LIMIT_ORDERS",
        "PULSE_RATE_LIMIT_POSTBACKS",
        "PULSE_REQUESTS_AT_ONCE",
        "PULSE_REQUESTS_BESIDE_OTHERS",
        "PULSE_REQUEST_TIMEOUT",
        "PULSE_RESTART_PAUSE",
        "PULSE_RETENTION_AUDIT_DAYS",
        "PULSE_RETENTION_LOGIN_DAYS",
        "PULSE_RETENTION_PROCESS_HOURS",
        "PULSE_RETENTION_TRADING_DAYS",
        "PULSE_RETENTION_WEBHOOK_DELIVERIES",
        "PULSE_RETRY_BACKOFF_MAX",
        "PULSE_SECOND_FACTOR_FOR",
        "PULSE_SERVICE_PRIVATE_KEY",
        "PULSE_SERVICE_PUBLIC_KEYS",
        "PULSE_SETTLE_DELAY",
        "PULSE_SLICES_METRICS_PORT",
        "PULSE_SLICE_TIMEOUT",
        "PULSE_STREAMS",
        "PULSE_STREAMS_PER_ACCOUNT",
        "PULSE_STREAM_HEARTBEAT",
        "PULSE_SUPERVISED_IN",
        "PULSE_SWEEP_EVENTS",
        "PULSE_TOKEN",
        "PULSE_TOTP_KEY",
        "PULSE_TRUSTED_PROXIES",
        "PULSE_URL",
        "PULSE_USERNAME",
        "PULSE_VAULT_KEYS",
        "PULSE_WEBHOOK_ALLOW_HTTP",
        "PULSE_WEBHOOK_ALLOW_PRIVATE",
        "PULSE_WEBHOOK_KEY",
        "PULSE_WEBHOOK_PORTS",
        "PULSE_WORKER_DATABASE_POOL_SIZE",
    }
)
# Those that are not read any more are spoken of where they matter.
_FORMER = frozenset({"PULSE_BIND_HOST", "PULSE_SERVICE_TOKEN_KEY"})
# Of the checks of this project: the processes that they start inherit them.
_OF_CHECKS = frozenset({"PULSE_CHROMIUM", "PULSE_CI_RUN", "PULSE_KEEP_SCREENS", "PULSE_NO_PACKAGES", "PULSE_WEB_STACK"})
# What these say may be in a file, too: no other setting is read from one.
_SECRET = re.compile(r"_(KEYS?|PASSWORD|TOKEN|URL)$")
# In a pod Kubernetes sets these for a service that is called `pulse`, or begins so.
_OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
_ADDRESSES = ("tcp://", "udp://", "sctp://")
# So alike two names must be; `PULSE_LEESE` and `PULSE_LEASE` are 0.91.
_ALIKE = 0.85


def misspelt() -> dict[str, str]:
    """What is wrong with each variable that is nearly one of ours."""
    near = {name: get_close_matches(name, KNOWN, 1, _ALIKE) for name in _unknown(os.environ)}
    return {name: f"is not known: {found[0]} is" for name, found in near.items() if found}


def unknown_names() -> list[str]:
    """The variables with our prefix that are like none of ours."""
    return sorted(_unknown(os.environ) - misspelt().keys())


def warn_of_variables(settings: type[BaseSettings]) -> None:
    """Log what a process should be started otherwise with: old names, files that everybody may read, unknown names."""
    warn_of_old_names(settings.model_fields)
    warn_of_open_files(secret_fields(settings))
    if unknown := unknown_names():
        log.warning("variables are not known", variables=unknown)


def _unknown(environment: Mapping[str, str]) -> set[str]:
    found = {name: value for name, value in upper(environment).items() if name.startswith(PREFIX)}
    return {name for name, value in found.items() if not _is_known(name) and not _is_of_kubernetes(name, value)}


def _is_known(name: str) -> bool:
    in_file = name.removesuffix(SUFFIX)
    return name in KNOWN | _FORMER | _OF_CHECKS or (in_file in KNOWN and _SECRET.search(in_file) is not None)


def _is_of_kubernetes(name: str, value: str) -> bool:
    return bool(_OF_KUBERNETES.search(name)) or value.startswith(_ADDRESSES)
