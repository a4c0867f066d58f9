"""The client that programs install, in front of a real gateway that is killed while it follows."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from pulse_client import Amendment, Gateway, NewOrder, OrderType, Side, SplitConfig
from pulse_client.errors import Conflict, NotFound, PreconditionFailed
from pulse_ops.stack.child import Child
from pulse_ops.stack.ports import free_port
from tests.contract.client import Account, Service
from tests.support.processes import Processes, wait_until

pytestmark = [pytest.mark.usefixtures("clean_database"), pytest.mark.timeout(300)]


@dataclass
class Mortal:
    """A gateway of the pulse of all tests that can be killed, and started again at the same address."""

    processes: Processes
    pulse_url: str
    key: str
    port: int
    child: Child | None = None

    def start(self) -> None:
        settings = {"PULSE_URL": self.pulse_url, "PULSE_STREAM_HEARTBEAT": "0.3"}
        self.child, self.url = self.processes.gapi(self.port, **settings)

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()

    def client(self, account: Account) -> Gateway:
        service = Service("gapi", self.url, self.key, self.processes.folder)
        return Gateway(self.url, service.token(account, exp=2**31))


@pytest.fixture(scope="module")
def gateway(
    services: dict[str, Service], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mortal]:
    processes = Processes(tmp_path_factory.mktemp("mortal"), environment)
    mortal = Mortal(processes, services["pulse"].url, environment["PULSE_JWT_KEY"], free_port())
    try:
        mortal.start()
        yield mortal
    finally:
        processes.close()


def order(key: str, **terms: object) -> NewOrder:
    return NewOrder(key, "NSE:RELIANCE", Side.BUY, 100, SplitConfig(5, 60, randomize=False), **terms)  # type: ignore[arg-type]


def test_a_follower_sees_each_event_once_through_a_gateway_that_is_killed(
    gapi: Service, gateway: Mortal, trader: Account
) -> None:
    client = gateway.client(trader)
    seen: list[int] = []
    with client.follow_account(0) as following:
        reading = threading.Thread(target=lambda: seen.extend(event.event_id for event in following))
        reading.start()
        cancelled(gapi, trader)
        wait_until(lambda: len(seen) >= 3, what="the events so far")
        gateway.kill()
        cancelled(gapi, trader)
        gateway.start()
        cancelled(gapi, trader)
        wait_until(lambda: len(seen) >= 9, what="the events of the outage and after it")
        following.close()
        reading.join(10)
    assert not reading.is_alive()
    assert seen == list(range(1, 10))
    with client.follow_account(seen[3]) as again:
        assert [next(again).event_id for _ in range(5)] == [5, 6, 7, 8, 9]


def cancelled(gapi: Service, account: Account) -> None:
    """Three events of an order."""
    path = f"/api/orders/{gapi.place(account).json()['order_id']}"
    assert gapi.send("DELETE", path, account).status_code == 202


def test_all_that_a_program_does_with_an_order(gateway: Mortal, trader: Account) -> None:
    client = gateway.client(trader)
    placed = client.place(order("my-order", order_type=OrderType.LIMIT, limit_price=Decimal("2510.50")))
    assert client.place(order("my-order", order_type=OrderType.LIMIT, limit_price=Decimal("2510.50"))).replayed
    with pytest.raises(Conflict) as other:
        client.place(order("my-order"))
    assert (other.value.code, other.value.details["existing_order_id"]) == (
        "DUPLICATE_ORDER_UNIQUE_KEY",
        placed.order_id,
    )
    found = client.order_by_key("my-order")
    assert (found.order_id, found.limit_price, found.status) == (placed.order_id, Decimal("2510.50"), "PENDING")
    more = [client.place(order(f"other-{number}")).order_id for number in range(4)]
    assert [one.order_id for one in client.orders(limit=2)] == [*reversed(more), placed.order_id]
    assert (client.slices(placed.order_id), [*client.fills(placed.order_id)]) == ([], [])
    seen = client.order(placed.order_id)
    amended = client.amend(placed.order_id, Amendment(total_quantity=90), seen.etag or "")
    assert (amended.total_quantity, amended.etag) == (90, client.order(placed.order_id).etag)
    with pytest.raises(PreconditionFailed):
        client.amend(placed.order_id, Amendment(total_quantity=80), seen.etag or "")
    assert client.cancel_by_key("my-order").is_final
    assert client.cancel(placed.order_id).is_final
    assert [one.type for one in client.events(placed.order_id, limit=1)] == [
        "order.pending",
        "order.amended",
        "order.request",
        "order.cancelled",
    ]
    assert client.me().account_id == trader.account_id
    assert client.installation().is_paper
    with pytest.raises(NotFound):
        client.order("ord_01M83SKD9WDSW3C497FJ90J252")


def test_webhooks_by_the_client(gateway: Mortal, trader: Account) -> None:
    client = gateway.client(trader)
    made = client.add_webhook("https://example.com/pulse")
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    rolled = client.roll_webhook_secret(made.webhook.webhook_id, overlap_seconds=60)
    assert rolled.secret != made.secret
    assert client.disable_webhook(made.webhook.webhook_id).status == "DISABLED"
    client.remove_webhook(made.webhook.webhook_id)
    assert client.webhooks() == []
