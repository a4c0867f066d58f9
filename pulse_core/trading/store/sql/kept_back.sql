-- Due slices that claim.sql leaves out for the pace of their orders; it asks the same.
SELECT slice.id
  FROM order_slices AS slice
  JOIN orders ON orders.id = slice.order_id
 WHERE slice.id = ANY(:slice_ids)
   AND slice.status || '' = 'SCHEDULED'
   AND orders.most_per_interval IS NOT NULL
   AND (orders.most_per_interval < (
            SELECT sum(CASE WHEN part.status <> 'SCHEDULED' THEN part.quantity
                            ELSE part.quantity - part.filled_quantity END)
              FROM order_slices AS part
             WHERE part.order_id = slice.order_id
               AND (part.id = slice.id
                    OR (part.status = 'SCHEDULED' AND part.due_at <= :now)
                    OR (part.status <> 'SCHEDULED' AND part.sent_at > :now - orders.pace_interval * 0.75)))
        OR (orders.catch_up IN ('next_slice', 'skip')
            AND slice.due_at < :now - greatest(orders.pace_interval, interval '2 seconds')))
