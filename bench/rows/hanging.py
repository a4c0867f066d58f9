"""What the broker of one account does to the slices of another when it hangs."""

import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil

from bench import second_broker
from bench.arrivals import sent_slices
from bench.children import BenchError
from bench.clients import Client, instant
from bench.context import Bench
from bench.due import sleep_until
from bench.figures import Figure, Reach, Row, Rule, quantile, single
from bench.stack import Site

RATE, RATE_THERE = 20, 5
_ORDERS, _ORDERS_THERE = 40, 10
# For the orders to be accepted and split.
_LEAD_SECONDS = 30
# Longer than one call of a broker takes at most: what was sent into the silence before has come out.
_SETTLE_SECONDS = 8
_LAST_ARRIVALS_SECONDS = 3.0
_DUE = "SELECT count(*) FROM order_slices WHERE order_id = ANY(%s) AND scheduled_at >= %s AND scheduled_at < %s"


def measure(bench: Bench) -> Row:
    seconds = bench.sizes.hang_seconds
    row = Row(
        "hanging",
        f"Lateness at the exchange of {RATE} slices a second while another account's broker hangs for {seconds} s",
        operation="slice",
        floor="the same slices before it hung",
    )
    with bench.site_at_two_brokers() as site:
        bench.say(f"two brokers, {seconds} s in peace and {seconds} s while one hangs")
        quiet, hung = _lateness(bench, site, seconds)
    for name, part, reach in (("p50", 0.5, None), ("p99", 0.99, Reach(Rule.TIMES_AT_MOST, 2)), ("latest", 1.0, None)):
        row.figures.append(Figure(name, "ms", single(quantile(hung, part)), single(quantile(quiet, part)), reach))
    row.notes.append(f"{RATE_THERE} slices a second are due at the account that hangs, in both halves of one run")
    return row


def _lateness(bench: Bench, site: Site, seconds: int) -> tuple[list[float], list[float]]:
    """Milliseconds from its time to its arrival of each slice of the other account: in peace, and during the hang."""
    minutes = ceil((2 * seconds + _SETTLE_SECONDS) / 60)
    [token] = site.log_in_new_accounts(1)
    second_broker.grant_to_everybody(site)
    client = Client(site.gapi_port, token)
    quiet_from = datetime.now(UTC) + timedelta(seconds=_LEAD_SECONDS)
    quiet_until = quiet_from + timedelta(seconds=seconds)
    hung_from = quiet_until + timedelta(seconds=_SETTLE_SECONDS)
    hung_until = hung_from + timedelta(seconds=seconds)
    here = _orders(client, "paper", _ORDERS, RATE, minutes, quiet_from)
    _orders(client, second_broker.ACCOUNT, _ORDERS_THERE, RATE_THERE, minutes, quiet_from)
    if datetime.now(UTC) > quiet_from:
        raise BenchError(f"the orders were not accepted within {_LEAD_SECONDS} s")
    sleep_until(quiet_until)
    with bench.children.paused([second_broker.EXCHANGE]):
        sleep_until(hung_until)
        time.sleep(_LAST_ARRIVALS_SECONDS)
    return _late_ms(site, here, quiet_from, quiet_until), _late_ms(site, here, hung_from, hung_until)


def _orders(client: Client, account: str, count: int, rate: int, minutes: int, first: datetime) -> Sequence[str]:
    """So many orders of an account that together have so many slices due in each second."""
    slices = rate * minutes * 60 // count
    spacing = timedelta(minutes=minutes) / (slices - 1) / count
    return [
        client.place(
            num_splits=slices,
            total_quantity=slices,
            duration_minutes=minutes,
            start_at=instant(first + number * spacing),
            broker_account=account,
            instrument=second_broker.INSTRUMENT,
        )
        for number in range(count)
    ]


def _late_ms(site: Site, orders: Collection[str], since: datetime, until: datetime) -> list[float]:
    late = [
        one.late_ms
        for one in sent_slices(site, until, is_complete=False)
        if one.order_id in orders and one.scheduled_at >= since
    ]
    ((due,),) = site.ask(_DUE, list(orders), since, until)
    if len(late) < due:
        raise BenchError(f"{due - len(late)} of {due} slices did not arrive at the exchange")
    return late
