"""What a machine lacks for a test: it is skipped with a sentence, but where everything is to be tested it fails.

`.ci/run` sets PULSE_CI_RUN, and PULSE_NO_PACKAGES where no package of Debian's can be had: it is skipped then, too.
"""

import os
from typing import NoReturn

import pytest


def must_run() -> bool:
    """Whether everything is tested here, and whatever a test takes can be had."""
    return "PULSE_CI_RUN" in os.environ and "PULSE_NO_PACKAGES" not in os.environ


def skip(reason: str, *, could_run: bool = True) -> NoReturn:
    """Skip the test for this reason; fail instead if it must run and this machine could run it."""
    if could_run and must_run():
        pytest.fail(reason)
    pytest.skip(reason)
