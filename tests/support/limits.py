"""A broker's limits in the settings of this process."""

import pytest

from pulse_core import config


def set_limits(patch: pytest.MonkeyPatch, per_second: int, per_minute: int = 0, per_day: int = 0) -> None:
    """As if the process had been started with them. The settings must be forgotten once `patch` is undone."""
    for window, most in (("SECOND", per_second), ("MINUTE", per_minute), ("DAY", per_day)):
        patch.setenv(f"PULSE_BROKER_ORDERS_PER_{window}", str(most))
    config.settings.cache_clear()
