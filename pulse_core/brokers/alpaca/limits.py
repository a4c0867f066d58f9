"""What Alpaca allows an account."""

from zoneinfo import ZoneInfo

from pulse_core.brokers.port import CallLimits

NEW_YORK = ZoneInfo("America/New_York")
# Two hundred calls a minute of any kind; what is not for writing is for reading. See `allowance`.
LIMITS = CallLimits(per_second=10, per_minute=120, time_zone=NEW_YORK)
