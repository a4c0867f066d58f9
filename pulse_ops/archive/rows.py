"""Which rows make up a day, as JSON that tells nothing less than the tables do.

A trading day is made of the orders that were placed on that day of UTC, with all that belongs to them, whenever that
came: no market's session goes over midnight there. Of an order that is archived its own row stays, so that its key is
still used.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What is archived together. `owners` finds those of a day that its rows belong to, `rows` theirs by table.

    Each of `rows` gives (owner, JSON), the owners in their order; `owner_of` is what names the owner in the JSON.
    `locked` keeps owners as they are and gives those that are there; `removed` takes what is theirs away, in the order
    of what refers to what. `oldest` is when the first of them came.
    """

    name: str
    oldest: str
    owners: str
    locked: str
    owner_of: Mapping[str, str]
    rows: Mapping[str, str]
    removed: tuple[str, ...]


# Placements, fills and halted attempts do not name their order: it is added.
_OF_ORDERS = {
    "orders": "SELECT t.id, to_jsonb(t)::text FROM orders t WHERE t.id = ANY(%(owners)s) ORDER BY 1",
    "arrivals": "SELECT t.order_id, to_jsonb(t)::text FROM arrivals t WHERE t.order_id = ANY(%(owners)s) ORDER BY 1",
    "order_slices": """
        SELECT t.order_id, to_jsonb(t)::text FROM order_slices t WHERE t.order_id = ANY(%(owners)s) ORDER BY 1, t.id""",
    "placements": """
        SELECT s.order_id, (to_jsonb(t) || jsonb_build_object('order_id', s.order_id))::text
          FROM placements t JOIN order_slices s ON s.id = t.slice_id
         WHERE s.order_id = ANY(%(owners)s) ORDER BY 1, t.client_order_id""",
    "fills": """
        SELECT s.order_id, (to_jsonb(t) || jsonb_build_object('order_id', s.order_id))::text
          FROM fills t JOIN order_slices s ON s.id = t.slice_id
         WHERE s.order_id = ANY(%(owners)s) ORDER BY 1, t.id""",
    "slice_events": """
        SELECT t.order_id, to_jsonb(t)::text FROM slice_events t WHERE t.order_id = ANY(%(owners)s) ORDER BY 1, t.id""",
    "alarms": "SELECT t.order_id, to_jsonb(t)::text FROM alarms t WHERE t.order_id = ANY(%(owners)s) ORDER BY 1, t.id",
    "alarm_events": """
        SELECT a.order_id, (to_jsonb(t) || jsonb_build_object('order_id', a.order_id))::text
          FROM alarm_events t JOIN alarms a ON a.id = t.alarm_id
         WHERE a.order_id = ANY(%(owners)s) ORDER BY 1, t.id""",
    "halted_attempts": """
        SELECT s.order_id, (to_jsonb(t) || jsonb_build_object('order_id', s.order_id))::text
          FROM halted_attempts t JOIN placements p USING (client_order_id) JOIN order_slices s ON s.id = p.slice_id
         WHERE s.order_id = ANY(%(owners)s) ORDER BY 1, t.halt_id, t.client_order_id""",
}
# A webhook that is disabled waits for nothing that is gone.
_DISABLED_GIVE_UP = """
    UPDATE webhooks w SET delivered_sequence = gone.last
      FROM (SELECT account_id, max(sequence) AS last
              FROM slice_events WHERE order_id = ANY(%(owners)s) GROUP BY account_id) gone
     WHERE w.account_id = gone.account_id AND w.feed = 'orders' AND w.disabled_at IS NOT NULL
       AND w.delivered_sequence < gone.last"""
# A feed whose last events are gone is not behind with them.
_FEEDS_GO_ON = """
    UPDATE event_feeds f
       SET merged_sequence = coalesce((SELECT min(e.sequence) - 1 FROM slice_events e
           WHERE e.account_id = f.account_id AND e.sequence > f.merged_sequence), f.last_sequence)
     WHERE f.account_id IN (SELECT account_id FROM orders WHERE id = ANY(%(owners)s))
       AND f.merged_sequence < f.last_sequence"""
TRADING = Kind(
    name="trading",
    oldest="SELECT min(created_at) FROM orders WHERE archived_at IS NULL",
    owners="SELECT id FROM orders WHERE created_at >= %(begins)s AND created_at < %(ends)s AND archived_at IS NULL"
    " ORDER BY id",
    locked="SELECT id FROM orders WHERE id = ANY(%(owners)s) AND archived_at IS NULL ORDER BY id FOR UPDATE",
    owner_of={name: "id" if name == "orders" else "order_id" for name in _OF_ORDERS},
    rows=_OF_ORDERS,
    removed=(
        _DISABLED_GIVE_UP,
        # Its subject says which slice it was about.
        "UPDATE alarms SET slice_id = NULL WHERE order_id = ANY(%(owners)s)",
        "DELETE FROM halted_attempts USING placements p, order_slices s WHERE s.order_id = ANY(%(owners)s)"
        " AND p.slice_id = s.id AND halted_attempts.client_order_id = p.client_order_id",
        "DELETE FROM fills USING order_slices s WHERE s.order_id = ANY(%(owners)s) AND fills.slice_id = s.id",
        "DELETE FROM placements USING order_slices s WHERE s.order_id = ANY(%(owners)s) AND placements.slice_id = s.id",
        "DELETE FROM slice_events WHERE order_id = ANY(%(owners)s)",
        "DELETE FROM order_slices WHERE order_id = ANY(%(owners)s)",
        _FEEDS_GO_ON,
        "UPDATE orders SET archived_at = clock_timestamp() WHERE id = ANY(%(owners)s)",
    ),
)
AUDIT = Kind(
    name="audit",
    oldest="SELECT min(at) FROM audit_entries",
    owners="SELECT id::text FROM audit_entries WHERE at >= %(begins)s AND at < %(ends)s ORDER BY id",
    locked="SELECT id::text FROM audit_entries WHERE id = ANY(%(owners)s::bigint[]) ORDER BY id FOR UPDATE",
    owner_of={"audit_entries": "id"},
    rows={
        "audit_entries": "SELECT t.id::text, to_jsonb(t)::text FROM audit_entries t"
        " WHERE t.id = ANY(%(owners)s::bigint[]) ORDER BY t.id"
    },
    removed=("DELETE FROM audit_entries WHERE id = ANY(%(owners)s::bigint[])",),
)

# Why an order cannot go yet; empty where it can.
WHY_NOT_YET = """
    SELECT o.id, CASE
             WHEN o.finished_at IS NULL THEN 'is open'
             WHEN o.finished_at > now() - %(rested)s THEN 'has ended only lately'
             WHEN EXISTS (SELECT FROM order_slices s WHERE s.order_id = o.id
                  AND s.status IN ('SCHEDULED', 'SENDING', 'UNKNOWN', 'WORKING')) THEN 'has a slice that has not ended'
             WHEN EXISTS (SELECT FROM order_slices s WHERE s.order_id = o.id AND s.error_code = 'END_UNSEEN')
               THEN 'has a slice whose end was not seen: settle it'
             WHEN EXISTS (SELECT FROM order_slices s JOIN placements p ON p.slice_id = s.id
                  WHERE s.order_id = o.id AND (p.outcome IS NULL OR p.outcome = 'UNKNOWN'
                        OR (p.outcome = 'ACKNOWLEDGED' AND p.ended_at IS NULL)))
               THEN 'has an attempt that may be live at the broker'
             WHEN EXISTS (SELECT FROM alarms a WHERE a.order_id = o.id AND a.status <> 'RESOLVED')
               THEN 'has an alarm that nobody has resolved'
             WHEN EXISTS (SELECT FROM webhooks w WHERE w.account_id = o.account_id AND w.disabled_at IS NULL
                  AND w.feed = 'orders' AND w.delivered_sequence <
                      (SELECT max(sequence) FROM slice_events e WHERE e.order_id = o.id))
               THEN 'has events that a webhook was not given'
           END AS reason
      FROM orders o
     WHERE o.created_at >= %(begins)s AND o.created_at < %(ends)s AND o.archived_at IS NULL
     ORDER BY o.id"""
# What is merged of events that are gone tells nothing; but the row of the last number that was given remembers it.
# From the first number on, up to the first whose event stands: all before that are read for it, once.
MERGED_OF_GONE = """
    SELECT min(sequence),
           coalesce((SELECT min(m.sequence) FROM merged_events m JOIN slice_events e ON e.id = m.event_id),
                    max(sequence))
      FROM merged_events"""
FORGET_MERGED = "DELETE FROM merged_events WHERE sequence >= %(first)s AND sequence < %(end)s"
