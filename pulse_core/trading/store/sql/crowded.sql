-- Orders of which more is due than may go out in an interval, or of which something is late that their policy does not
-- send as it is. What is due is found by its index, and is little unless something was kept back.
WITH due AS MATERIALIZED (
    SELECT slice.order_id,
           sum(slice.quantity - slice.filled_quantity) AS units,
           min(slice.due_at) AS oldest
      FROM order_slices AS slice
     WHERE slice.status = 'SCHEDULED' AND slice.due_at <= :now
     GROUP BY slice.order_id
)
SELECT orders.id
  FROM due
  JOIN orders ON orders.id = due.order_id
 WHERE orders.status || '' = 'IN_PROGRESS'
   AND orders.broker = :broker_account
   AND orders.hold IS NULL
   AND orders.most_per_interval IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM broker_accounts AS account
                    WHERE account.name = orders.broker AND account.state <> 'READY')
   AND (due.units > orders.most_per_interval
        OR (orders.catch_up IN ('next_slice', 'skip')
            AND due.oldest < CAST(:now AS timestamptz)
                             - greatest(orders.pace_interval, interval '2 seconds')))
   -- Past the end of its window nothing is planned.
   AND orders.end_at >= :now
 ORDER BY due.oldest
 LIMIT :limit
