"""How often the database could not be had, and when it last took what this process writes."""

from api_contract.metrics import counter, gauge
from pulse_core.metrics.switch import CORE

POOL_TIMEOUTS = counter(
    "pulse_database_pool_timeouts", "Waits for a connection of the pool that came to nothing.", by=CORE
)
UNAVAILABLE = counter(
    "pulse_database_unavailable",
    "Times that the database was away or too busy.",
    by=CORE,
)
REPORTED = gauge(
    "pulse_report_timestamp_seconds",
    "When this process last wrote its sign of life to the database, which it does every 5 s; 0 before the first.",
    by=CORE,
    mode="livemax",
)
