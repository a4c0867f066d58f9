-- Slices that are not sent yet, by account and by the minute in which they come due. Those of an order that is not split
-- yet count from its start.
SELECT account_id, date_trunc('minute', due_at) AS minute, count(*) AS slices
  FROM (
    SELECT orders.account_id, slice.due_at
      FROM order_slices AS slice
      JOIN orders ON orders.id = slice.order_id
     WHERE slice.status = 'SCHEDULED' AND orders.broker = :broker_account
     ORDER BY slice.due_at
     LIMIT :looked_at
  ) AS unsent
 GROUP BY 1, 2
UNION ALL
SELECT account_id, date_trunc('minute', start_at), sum(num_splits)
  FROM orders
 WHERE status = 'PENDING' AND broker = :broker_account
 GROUP BY 1, 2
