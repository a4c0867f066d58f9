"""`celery -A pulse_tasks slices ...`: the operators' commands as a plug-in of the celery command."""

from pulse_core.cli.slices import slices

__all__ = ["slices"]
