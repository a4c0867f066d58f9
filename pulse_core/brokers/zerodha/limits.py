"""What Kite allows an account."""

from zoneinfo import ZoneInfo

from pulse_core.brokers.port import CallLimits

# Calls that write, refused ones and cancels too, counted by the clock in India.
LIMITS = CallLimits(per_second=10, per_minute=400, per_day=5000, time_zone=ZoneInfo("Asia/Kolkata"))
