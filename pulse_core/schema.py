"""Every table of the database, of whatever subject."""

from pulse_core.broker_accounts import tables as _broker_accounts
from pulse_core.events import tables as _events
from pulse_core.health import tables as _health
from pulse_core.idempotency import tables as _idempotency
from pulse_core.identity import tables as _identity
from pulse_core.instruments import tables as _instruments
from pulse_core.markets import tables as _markets
from pulse_core.policies import tables as _policies
from pulse_core.postgres.table_base import Base
from pulse_core.risk import tables as _risk
from pulse_core.trading import alarm_tables as _alarms
from pulse_core.trading import halt_tables as _halts
from pulse_core.trading import price_tables as _prices
from pulse_core.trading import tables as _trading
from pulse_core.trading import turn_tables as _turns

__all__ = ["METADATA"]

_SUBJECTS = (
    _alarms,
    _broker_accounts,
    _events,
    _halts,
    _health,
    _idempotency,
    _identity,
    _instruments,
    _markets,
    _policies,
    _prices,
    _risk,
    _trading,
    _turns,
)
METADATA = Base.metadata
