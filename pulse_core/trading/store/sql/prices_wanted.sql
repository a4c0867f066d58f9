-- About which instruments a price is wanted: of slices that come due in a moment, and of orders that arrived just now. The id
-- of an order is there where its arrival is still to be recorded.
SELECT DISTINCT orders.broker, orders.instrument, CAST(NULL AS text) AS order_id
  FROM order_slices AS slice
  JOIN orders ON orders.id = slice.order_id
 WHERE slice.status = 'SCHEDULED'
   AND slice.due_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp() + interval '3 seconds'
   AND orders.status || '' = 'IN_PROGRESS'
 UNION ALL
SELECT orders.broker, orders.instrument, orders.id
  FROM orders
 WHERE orders.id >= :least_id
   AND orders.status IN ('PENDING', 'IN_PROGRESS')
   AND NOT EXISTS (SELECT FROM arrivals WHERE arrivals.order_id = orders.id)
 LIMIT :most
