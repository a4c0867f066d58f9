"""Whether this process counts what it does: only where somebody can ask for it."""

from api_contract.metrics import Process

# Who works on orders.
CORE = (Process.PULSE, Process.WORKER)


class _Switch:
    is_on = False


def turn_on() -> None:
    """Count from now on. Call it before the broker is connected."""
    _Switch.is_on = True


def is_on() -> bool:
    return _Switch.is_on
