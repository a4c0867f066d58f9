"""In which order the steps of a worker are taken: of those that require nothing of each other, in any."""

from typing import Any

import pytest

from pulse_tasks.fit_to_start import FitToStart
from pulse_tasks.reports import Reports
from pulse_tasks.watch import Watch
from pulse_tasks.worker import MetricsPage, WarmThreads


@pytest.mark.parametrize("step", [MetricsPage, Reports, WarmThreads, Watch])
def test_no_step_asks_the_database_before_the_worker_is_fit_and_knows_its_connections(step: Any) -> None:
    assert FitToStart in step.requires
