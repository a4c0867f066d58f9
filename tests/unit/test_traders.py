"""The trader of tests repeats what a client repeats, and forgets no answer that nobody should get."""

from tests.support.gateway import PASSWORD, USERNAME, Canned, FakeGateway
from tests.support.processes import wait_until
from tests.support.traders import Trader


def test_an_answer_that_no_client_expects_is_kept_though_the_order_is_placed_after_it(gateway: FakeGateway) -> None:
    gateway.canned.extend([Canned(503), Canned(500, "INTERNAL_ERROR")])
    trader = Trader(gateway.url, USERNAME, PASSWORD)

    trader.trade(pause=0.01)
    wait_until(lambda: trader.acknowledged)
    trader.stop()

    assert trader.refused == []
    assert [one.partition(" {")[0] for one in trader.unexpected] == [f"POST {gateway.url}/api/orders: 500"]
