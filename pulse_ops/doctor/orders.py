"""Orders that make no progress, slices that somebody keeps to himself, and the hold on all sending."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong
from pulse_ops.stack.open_orders import left_alone

MOST_NAMED = 5
# An order may take so long to be split, a slice to be sent, a claim to be resolved.
PATIENCE_SECONDS = 60.0

_ACCOUNTS = """
SELECT name, state, reason, extract(epoch FROM clock_timestamp() - state_since)::float8
  FROM broker_accounts
 -- Others may never have been given a login, and nobody misses them.
 WHERE state <> 'READY' AND (state_since > made_at OR EXISTS (
       SELECT FROM orders
        WHERE orders.broker = broker_accounts.name AND orders.status IN ('IN_PROGRESS', 'PAUSED', 'CANCELLING')))
 ORDER BY name
"""
_HOLD = "SELECT hold_reason, extract(epoch FROM clock_timestamp() - held_since)::float8 FROM installation"

# The key of a fence is the hash of its slice's id. Its worker should have been done when the lease was over.
_FENCES = """
SELECT slice.id, slice.order_id, fence.pid, coalesce(host(session.client_addr), 'this machine'),
       extract(epoch FROM clock_timestamp() - slice.lease_expires_at)::float8
  FROM order_slices slice
  JOIN pg_locks fence
    ON fence.locktype = 'advisory' AND fence.objsubid = 1 AND fence.granted
   AND (fence.classid::bigint << 32 | fence.objid::bigint) = hashtextextended(slice.id, 0)
   AND fence.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  LEFT JOIN pg_stat_activity session ON session.pid = fence.pid
 WHERE slice.status = 'SENDING' AND slice.lease_expires_at < clock_timestamp() - interval '5 seconds'
 ORDER BY slice.lease_expires_at
 LIMIT 5
"""

_HALTS = """
SELECT id, concat_ws(', ', account_id, broker, instrument), reason,
       extract(epoch FROM clock_timestamp() - made_at)::float8
  FROM halts WHERE released_at IS NULL ORDER BY id LIMIT 20
"""
# Each on an index of live rows, the worst first.
_STUCK = """
(SELECT id, 'accepted and not split', created_at
   FROM orders WHERE status = 'PENDING' AND created_at < clock_timestamp() - make_interval(secs => %(patience)s)
  ORDER BY created_at LIMIT 5)
UNION ALL
(SELECT order_id, 'a slice is overdue and was not sent', since
   FROM (SELECT order_id, due_at,
                -- It may wait for its turn under the broker's limits, as long as turns are given or there is no room.
                CASE WHEN turn_at IS NULL THEN greatest(due_at, given_at, room_at, full_until)
                     ELSE least(turn_at, hinted_until) END AS since
           FROM order_slices slice
           -- What is held waits; its order and doctor's other lines say why.
           JOIN orders ON orders.id = order_id AND orders.status = 'IN_PROGRESS' AND orders.hold IS NULL
            AND orders.broker <> ALL (SELECT name FROM broker_accounts WHERE state <> 'READY')
            AND NOT EXISTS (SELECT 1 FROM halts WHERE released_at IS NULL
                               AND coalesce(halts.account_id, orders.account_id) = orders.account_id
                               AND coalesce(halts.broker, orders.broker) = orders.broker
                               AND coalesce(halts.instrument, orders.instrument) = orders.instrument)
           LEFT JOIN broker_budgets budget ON budget.broker = orders.broker
          WHERE slice.status = 'SCHEDULED' AND due_at < clock_timestamp() - make_interval(secs => %(patience)s)) AS due
  WHERE since < clock_timestamp() - make_interval(secs => %(patience)s)
  ORDER BY due_at LIMIT 5)
UNION ALL
(SELECT order_id, 'the claim on a slice is over and was not resolved', lease_expires_at
   FROM order_slices
  WHERE status = 'SENDING' AND lease_expires_at < clock_timestamp() - make_interval(secs => %(patience)s)
  ORDER BY lease_expires_at LIMIT 5)
UNION ALL
(SELECT order_id, 'whether a slice is at the broker is not known (pulse slices list --to-settle)',
        coalesce(sent_at, updated_at)
   FROM order_slices
  WHERE status = 'UNKNOWN' AND coalesce(sent_at, updated_at) < clock_timestamp() - interval '10 minutes'
  ORDER BY resolve_at LIMIT 5)
UNION ALL
(SELECT order_id, 'a slice works past its deadline', deadline_at
   FROM order_slices WHERE status = 'WORKING' AND deadline_at < clock_timestamp() - interval '2 minutes'
  ORDER BY deadline_at LIMIT 5)
UNION ALL
(SELECT id, 'its cancellation does not end', updated_at
   FROM orders WHERE status = 'CANCELLING' AND updated_at < clock_timestamp() - interval '10 minutes'
  ORDER BY id LIMIT 5)
"""
_STUCK_FOR = f"""
SELECT id, reason, extract(epoch FROM clock_timestamp() - since)::float8
  FROM ({_STUCK}) AS stuck(id, reason, since) ORDER BY since LIMIT 50
"""  # noqa: S608


def may_be_sent(cursor: Any) -> Iterator[Finding]:
    """The hold after a restore or a failover."""
    cursor.execute(_HOLD)
    reason, seconds = cursor.fetchone() or (None, None)
    if reason is None:
        yield fine("hold", "none: slices may be sent")
    else:
        yield wrong("hold", Trouble.SENDING_HELD, f"{reason}, for {seconds:.0f} s")


def accounts_are_ready(cursor: Any) -> Iterator[Finding]:
    """Broker accounts that the broker refuses."""
    cursor.execute(_ACCOUNTS)
    held = cursor.fetchall()
    if not held:
        yield fine("broker accounts", "none is held")
    for name, state, reason, seconds in held:
        said = f", {reason}" if reason else ""
        yield wrong("broker accounts", Trouble.ACCOUNT_HELD, f"{name} is {state} for {seconds:.0f} s{said}")


def are_not_halted(cursor: Any) -> Iterator[Finding]:
    """What somebody has halted."""
    cursor.execute(_HALTS)
    found = cursor.fetchall()
    if not found:
        yield fine("halts", "none is in force")
    for halt_id, scope, reason, seconds in found:
        yield wrong("halts", Trouble.HALTED, f"{halt_id} of {scope or 'everything'} for {seconds:.0f} s, {reason}")


def are_at_accounts_reached(cursor: Any, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Open orders of broker accounts that services with this environment do not reach."""
    found = left_alone(cursor, environment)
    if found:
        yield wrong("broker accounts", Trouble.ACCOUNT_NOT_REACHED, "; ".join(map(str, found)))
    else:
        yield fine("broker accounts", "those of all open orders are reached")


def no_fence_is_left(cursor: Any) -> Iterator[Finding]:
    """Fences of workers that were stopped, or whose machine has vanished, for longer than they may place a slice."""
    cursor.execute(_FENCES)
    held = [
        f"{slice_id} of {order_id} by session {pid} of {host}, {seconds:.0f} s longer than its claim"
        for slice_id, order_id, pid, host, seconds in cursor.fetchall()
    ]
    if held:
        yield wrong("fences", Trouble.FENCE_HELD, "; ".join(held))
    else:
        yield fine("fences", "none is held for too long")


def go_on(cursor: Any) -> Iterator[Finding]:
    """Orders by what they wait for; each is named once, with the oldest reason."""
    cursor.execute(_STUCK_FOR, {"patience": PATIENCE_SECONDS})
    stuck: dict[str, str] = {}
    for order_id, reason, seconds in cursor.fetchall():
        stuck.setdefault(order_id, f"{order_id}: {reason}, for {seconds:.0f} s")
    if not stuck:
        yield fine("orders", "all go on")
        return
    more = f"; and {len(stuck) - MOST_NAMED} more" if len(stuck) > MOST_NAMED else ""
    yield wrong("orders", Trouble.ORDER_STUCK, "; ".join(list(stuck.values())[:MOST_NAMED]) + more)
