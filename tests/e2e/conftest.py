"""One whole stack for all end-to-end tests of a pytest process."""

from collections.abc import Iterator

import pytest

from tests.support.stacks import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running `pulse up`; its URLs, demo user and password are in `stack.state`."""
    with running_stack(tmp_path_factory.mktemp("stack")) as started:
        yield started
