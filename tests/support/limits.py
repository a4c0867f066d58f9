"""A broker's limits in the settings of this process."""

import pytest

from pulse_core import config


def set_limits(patch: pytest.MonkeyPatch, per_second: int, per_minute: int = 0, per_day: int = 0) -> dict[str, str]:
    """As if the process had been started with them; returns the variables, for other processes.

    The settings must be forgotten once `patch` is undone.
    """
    most = {"SECOND": per_second, "MINUTE": per_minute, "DAY": per_day}
    variables = {f"PULSE_BROKER_ORDERS_PER_{window}": str(limit) for window, limit in most.items()}
    for name, value in variables.items():
        patch.setenv(name, value)
    config.settings.cache_clear()
    return variables
