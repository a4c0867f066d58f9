"""Several hosts of one machine, servers that fail over, and another queue; each test has servers of its own."""

from collections.abc import Iterator

import pytest

from tests.support.servers import forget_settings


@pytest.fixture(autouse=True)
def settings_are_forgotten() -> Iterator[None]:
    """What a test has told this process, of its own servers, counts for no other."""
    yield
    forget_settings()
