"""Whatever is sent to either service, its answer is one that its specification states."""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from tests.rigs.fuzz import documents
from tests.rigs.fuzz.sender import Sender

# The specifications' boundaries and examples are about 4,100 cases; what is beyond them is drawn at random.
CASES = int(os.environ.get("CASES", "4000"))
BOUNDARIES, OPERATIONS = 4_100, 109
DRAWN = settings(
    max_examples=max((CASES - BOUNDARIES) // OPERATIONS, 8),
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

gapi, pulse = documents.gapi(), documents.pulse()


@gapi.parametrize()
@DRAWN
def test_gapi(case: Any, senders: dict[str, Sender]) -> None:
    senders["gapi"].try_case(case)


@pulse.parametrize()
@DRAWN
def test_pulse(case: Any, senders: dict[str, Sender]) -> None:
    senders["pulse"].try_case(case)
