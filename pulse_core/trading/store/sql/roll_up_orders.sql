-- Write what became of orders, however many at once: their fills, and for those that come to their end the status.
UPDATE orders
   SET status = rolled.status,
       filled_quantity = rolled.filled_quantity,
       average_price = rolled.average_price,
       result = rolled.result,
       finished_at = CASE WHEN rolled.status = ANY(:final) THEN coalesce(orders.finished_at, :now) END,
       -- What has ended is held no more.
       hold = CASE WHEN rolled.status <> ALL(:final) THEN orders.hold END,
       held_since = CASE WHEN rolled.status <> ALL(:final) THEN orders.held_since END,
       hold_message = CASE WHEN rolled.status <> ALL(:final) THEN orders.hold_message END,
       recheck_at = CASE WHEN rolled.status <> ALL(:final) THEN orders.recheck_at END,
       updated_at = :now
  FROM unnest(CAST(:ids AS varchar[]), CAST(:from_statuses AS varchar[]), CAST(:statuses AS varchar[]),
              CAST(:filled AS bigint[]), CAST(:prices AS numeric[]), CAST(:results AS varchar[]))
       AS rolled (id, from_status, status, filled_quantity, average_price, result)
 WHERE orders.id = rolled.id
   AND orders.status || '' = rolled.from_status
RETURNING orders.*
