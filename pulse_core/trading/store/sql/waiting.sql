-- Slices without a turn that is still to come, in the order in which they should get one. What is overdue goes first:
-- those that missed their turn, then the users' accounts by turns and within each its orders, whoever was last served
-- longest ago first. What is due later follows by its time.
WITH waiting AS (
    SELECT slice.id, slice.order_id, slice.sequence_number, slice.quantity, slice.due_at, slice.turn_at,
           orders.account_id, orders.trace, orders.side, orders.instrument, orders.num_splits
      FROM order_slices AS slice
      JOIN orders ON orders.id = slice.order_id
     WHERE slice.status = 'SCHEDULED'
       AND slice.due_at <= :horizon
       -- A turn that is too far ahead was given before the database's clock was set.
       AND (slice.turn_at IS NULL OR slice.turn_at < :missed_before OR slice.turn_at > :too_far)
       AND slice.filled_quantity < slice.quantity
       AND orders.status || '' = 'IN_PROGRESS'
       AND orders.broker = :broker_account
       AND orders.hold IS NULL
       AND NOT EXISTS (SELECT 1 FROM halts AS halt
                        WHERE halt.released_at IS NULL
                          AND coalesce(halt.account_id, orders.account_id) = orders.account_id
                          AND coalesce(halt.broker, orders.broker) = orders.broker
                          AND coalesce(halt.instrument, orders.instrument) = orders.instrument)
       AND orders.end_at >= :open_since
       -- Nobody may claim it while an earlier attempt of it may be live.
       AND (slice.attempts = 0 OR NOT EXISTS (
           SELECT 1 FROM placements
            WHERE placements.slice_id = slice.id
              AND (placements.outcome IS NULL
                   OR placements.outcome = 'UNKNOWN'
                   OR (placements.outcome = 'ACKNOWLEDGED' AND placements.ended_at IS NULL))))
     ORDER BY slice.due_at
     LIMIT :looked_at
),
served AS (
    SELECT account_id, order_id, max(at) AS at
      FROM broker_turns
     WHERE broker = :broker_account
     GROUP BY account_id, order_id
),
in_orders AS (
    SELECT waiting.*,
           row_number() OVER (PARTITION BY order_id ORDER BY due_at, sequence_number) AS turn_of_order
      FROM waiting
),
in_accounts AS (
    SELECT in_orders.*,
           row_number() OVER (
               PARTITION BY in_orders.account_id
               ORDER BY turn_of_order, served.at NULLS FIRST, due_at, in_orders.id) AS turn_of_account
      FROM in_orders
      LEFT JOIN served ON served.order_id = in_orders.order_id
),
served_accounts AS (
    SELECT account_id, max(at) AS at FROM served GROUP BY account_id
)
SELECT one.id, one.due_at, one.trace, one.order_id, one.side, one.instrument, one.num_splits, one.quantity,
       one.sequence_number, one.turn_at
  FROM in_accounts AS one
  LEFT JOIN served_accounts ON served_accounts.account_id = one.account_id
 ORDER BY one.due_at > :now,
          CASE WHEN one.due_at <= :now THEN one.turn_at IS NULL END,
          CASE WHEN one.due_at <= :now THEN one.turn_of_account END,
          CASE WHEN one.due_at <= :now THEN served_accounts.at END NULLS FIRST,
          one.due_at,
          one.turn_of_account,
          one.id
 LIMIT :most
