-- How slices with these attempts and their orders stand before the wire: for each slice one row for each status that
-- slices of its order have, with the slice itself on every row.
WITH seen AS (
    SELECT slice.id,
           slice.order_id,
           slice.status AS slice_status,
           slice.client_order_id,
           slice.quantity - slice.filled_quantity AS lacking,
           EXISTS (
               SELECT 1 FROM placements
                WHERE placements.slice_id = slice.id
                  AND placements.client_order_id <> one.client_order_id
                  AND (placements.outcome IS NULL
                       OR placements.outcome = 'UNKNOWN'
                       OR (placements.outcome = 'ACKNOWLEDGED' AND placements.ended_at IS NULL))) AS has_live_duplicate,
           orders.status AS order_status,
           orders.total_quantity,
           CASE WHEN NOT slice.is_last THEN orders.limit_price END AS limit_price,
           coalesce(orders.hold,
                    (SELECT account.state FROM broker_accounts AS account
                      WHERE account.name = orders.broker AND account.state <> 'READY'),
                    (SELECT 'HALTED' FROM halts AS halt
                      WHERE halt.released_at IS NULL
                        AND coalesce(halt.account_id, orders.account_id) = orders.account_id
                        AND coalesce(halt.broker, orders.broker) = orders.broker
                        AND coalesce(halt.instrument, orders.instrument) = orders.instrument
                      LIMIT 1)) AS held
      -- Postgres does not see the length of the lists, so it plans once for all of them.
      FROM unnest((SELECT :slice_ids), (SELECT :client_order_ids)) AS one (slice_id, client_order_id)
      JOIN order_slices AS slice ON slice.id = one.slice_id
      JOIN orders ON orders.id = slice.order_id
)
SELECT seen.id, seen.slice_status, seen.client_order_id, seen.lacking, seen.has_live_duplicate, seen.order_status,
       seen.total_quantity, seen.limit_price, seen.held, whole.status, whole.slices, whole.filled, whole.leaves
  FROM seen
  -- Once for each order, however many of its slices are about to be sent.
  JOIN (SELECT DISTINCT order_id FROM seen) AS touched ON touched.order_id = seen.order_id
 CROSS JOIN LATERAL (
       SELECT part.status,
              count(*) AS slices,
              CAST(sum(part.filled_quantity) AS bigint) AS filled,
              CAST(sum(greatest(part.quantity - part.filled_quantity, 0)) AS bigint) AS leaves
         FROM order_slices AS part
        WHERE part.order_id = touched.order_id
        GROUP BY part.status) AS whole
