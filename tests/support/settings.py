"""One setting of this process, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pulse_core import config


@contextmanager
def started_with(variable: str, value: str) -> Iterator[None]:
    """As if the process had been started with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, value)
        config.settings.cache_clear()
        yield
    config.settings.cache_clear()
