from io import StringIO

from rich.console import Console

from pulse_client.order_models import Order
from pulse_ops.cli import watching
from tests.support.gateway import FILLED, order_answer


def test_a_terminal_gets_a_bar_that_fills() -> None:
    terminal = StringIO()
    console = Console(file=terminal, force_terminal=True, width=120, markup=False, highlight=False)
    with watching.progress(console) as show:
        show(Order.read(order_answer(1)))
        show(Order.read(order_answer(1, **FILLED)))
    before, summary, _after = terminal.getvalue().rpartition("DONE, FILLED: 100 of 100 filled at 1402.35")
    assert summary
    assert "━" * 20 in before.splitlines()[-1]


def test_a_share_whose_fate_is_open_is_named() -> None:
    exposure = {"filled": 20, "working": 0, "on_its_way": 0, "unknown": 30, "unsent": 50}
    order = Order.read(order_answer(1, status="IN_PROGRESS", filled_quantity=20, exposure=exposure))
    assert "30 being cleared up with the broker" in watching.summary(order)
