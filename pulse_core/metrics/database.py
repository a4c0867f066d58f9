"""How often the database could not be had."""

from api_contract.metrics import counter
from pulse_core.metrics.switch import CORE

POOL_TIMEOUTS = counter(
    "pulse_database_pool_timeouts", "Waits for a connection of the pool that came to nothing.", by=CORE
)
UNAVAILABLE = counter(
    "pulse_database_unavailable",
    "Times that the database was away or too busy.",
    by=CORE,
)
