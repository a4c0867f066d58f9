"""Whether two processes were given the same settings: told without a word of them, and by name where all must agree."""

from api_contract import settings_digest
from api_contract.settings_digest import plain
from api_contract.variables import names_of
from pulse_core.config import KEYS, QueueSettings, Settings

# Each process of a host has its own port; a key that a process does not need it lacks.
OF_ONE_PROCESS = frozenset({"alive_file", "metrics_port", "pulse_service_public_keys", "pulse_vault_keys", *KEYS})
# What trading goes by, wherever it is done. One host may name servers otherwise than another, and log in its own way.
SHARED = (
    "queue_prefix",
    "pulse_exchanges",
    "broker",
    "broker_account",
    "paper_day_starts",
    "paper_session",
    "freeze_quantities",
    "kite_product",
    "kite_algo_id",
    "kite_market_protection",
    "broker_timeout",
    "broker_orders_per_second",
    "broker_orders_per_minute",
    "broker_orders_per_day",
    "live_order_quantity",
    "live_order_worth",
    "live_day_quantity",
    "live_day_worth",
    "live_orders_per_minute",
    "live_price_collar_percent",
    "dispatch_horizon",
    "lease",
    "slice_timeout",
    "late_grace",
    "placement_attempts",
    "retry_backoff_max",
    "settle_delay",
    "overdue_after",
)


def digest(settings: QueueSettings) -> str:
    """The same for two processes with equal settings, secrets and their own ports aside: no process has all secrets."""
    return settings_digest.digest(settings, OF_ONE_PROCESS)


def shared(settings: Settings) -> dict[str, str]:
    """What must be the same in all processes, by the names of the variables; none of it is a secret."""
    return {names_of(name)[0]: plain(getattr(settings, name)) for name in SHARED}
