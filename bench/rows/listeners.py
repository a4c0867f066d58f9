"""Those who listen while many slices go out: one webhook and open event streams."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.clients import Client
from bench.context import Bench
from bench.due import wait_until_none
from bench.figures import Figure, Row, Spread, median_by_name
from bench.heard import Heard
from bench.holders import RECEIVER, STREAMS, held
from bench.rows.burst import CPU, RATE, Burst, checked, run_burst
from bench.rows.streams import PER_ACCOUNT, wait_until_closed
from bench.stream_holder import HolderSpec
from bench.webhook_receiver import ReceiverSpec
from pulse_ops.stack.ports import free_port

_SLICES_PER_ORDER = 50
# The gateway asks for what is new four times a second, and then writes it to the streams.
_LAST_POLL_SECONDS, _LAST_FRAMES_SECONDS = 0.5, 1.0
_DELIVERED_WITHIN_SECONDS = 400.0
_UNDELIVERED = """SELECT count(*) FROM slice_events JOIN webhooks USING (account_id)
    WHERE sequence IS NULL OR sequence > delivered_sequence"""


@dataclass(frozen=True)
class Listened:
    """A burst, and what was heard of it."""

    burst: Burst
    webhook: Heard
    streams: Heard


def measure(bench: Bench) -> Row:
    accounts = bench.sizes.listened_accounts
    count = accounts * PER_ACCOUNT
    row = Row(
        "listeners",
        f"{accounts * _SLICES_PER_ORDER:,} slices of {accounts} accounts due at once, {count} streams and a webhook",
        operation="slice",
        floor="the same with nobody listening",
    )
    tokens = bench.site.log_in_new_accounts(accounts)
    alone, listened = [], []
    for number in range(bench.sizes.long_rounds):
        bench.say(f"listeners, round {number + 1} of {bench.sizes.long_rounds}")
        alone.append(checked(run_burst(bench, accounts, _SLICES_PER_ORDER, tokens=tokens)))
        listened.append(_listened(bench, tokens))
    bursts = [one.burst for one in listened]
    row.figures += [
        Figure("events a second to one webhook", "1/s", _spread(_rate(one, one.webhook) for one in listened)),
        Figure("events a second to all streams", "1/s", _spread(_rate(one, one.streams) for one in listened)),
        Figure("events posted to the webhook", "", _spread(one.webhook.events for one in listened)),
        Figure("events sent to streams", "", _spread(one.streams.events for one in listened)),
        Figure(
            "the webhook's last event, after every order was done",
            "s",
            _spread(_behind(one, one.webhook) for one in listened),
        ),
        Figure(
            "the streams' last event, after every order was done",
            "s",
            _spread(_behind(one, one.streams) for one in listened),
        ),
        Figure(RATE, "1/s", _spread(one.rate for one in bursts), _spread(one.rate for one in alone)),
        Figure(CPU, "ms", _spread(one.total_cpu_ms for one in bursts), _spread(one.total_cpu_ms for one in alone)),
    ]
    row.cpu_ms = {
        "with listeners": median_by_name([one.cpu_ms for one in bursts]),
        "with none": median_by_name([one.cpu_ms for one in alone]),
    }
    row.notes.append(
        f"one order of {_SLICES_PER_ORDER} slices and {PER_ACCOUNT} streams for each account, the webhook of one; "
        "CPU until the last event is delivered there"
    )
    return row


def _listened(bench: Bench, tokens: Sequence[str]) -> Listened:
    site = bench.site
    streams = HolderSpec(site.gapi_port, [token for token in tokens for _ in range(PER_ACCOUNT)], slow=0)
    receiver = ReceiverSpec(free_port())

    def deliver_all() -> None:
        wait_until_none(site, _UNDELIVERED, _DELIVERED_WITHIN_SECONDS)
        time.sleep(_LAST_POLL_SECONDS)

    with held(RECEIVER, receiver) as webhook, held(STREAMS, streams) as open_streams:
        # Connections that rest as long as a burst takes are closed by the gateway.
        url = f"http://127.0.0.1:{receiver.port}/"
        made = Client(site.gapi_port, tokens[0]).ask("POST", "/api/webhooks", {"url": url})
        try:
            burst = run_burst(bench, len(tokens), _SLICES_PER_ORDER, tokens=tokens, finish=deliver_all)
        finally:
            Client(site.gapi_port, tokens[0]).ask("DELETE", f"/api/webhooks/{made['webhook']['webhook_id']}")
        time.sleep(_LAST_FRAMES_SECONDS)
        found = Listened(checked(burst), webhook.ask_what_it_heard(), open_streams.ask_what_it_heard())
    wait_until_closed(site)
    return found


def _rate(listened: Listened, heard: Heard) -> float:
    """Events a second, from the instant at which the slices came due."""
    return heard.events / (heard.last_at - listened.burst.due_at)


def _behind(listened: Listened, heard: Heard) -> float:
    """Seconds from the end of the last order to the last event."""
    return heard.last_at - listened.burst.due_at - listened.burst.done_seconds


def _spread(values: Iterable[float]) -> Spread:
    return Spread(tuple(map(float, values)))
