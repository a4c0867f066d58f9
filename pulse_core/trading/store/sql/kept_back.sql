-- Due slices that claim.sql leaves out for the pace of their orders; it asks the same.
SELECT slice.id
  FROM order_slices AS slice
  JOIN orders ON orders.id = slice.order_id
 WHERE slice.id = ANY(:slice_ids)
   AND slice.status || '' = 'SCHEDULED'
   AND orders.most_per_interval IS NOT NULL
   AND (orders.most_per_interval < (
            SELECT sum(CASE WHEN part.status <> 'SCHEDULED' THEN part.quantity
                            WHEN part.id = slice.id OR part.due_at <= :now
                            THEN part.quantity - part.filled_quantity ELSE 0 END
                       + CASE WHEN part.status = 'SCHEDULED' AND part.filled_quantity > 0 THEN (
                             SELECT coalesce(sum(fill.quantity), 0)
                               FROM placements AS attempt
                               JOIN fills AS fill ON fill.broker = attempt.broker
                                                 AND fill.broker_order_id = attempt.broker_order_id
                              WHERE attempt.slice_id = part.id
                                AND attempt.claimed_at > :now - orders.pace_interval * 0.75)
                         ELSE 0 END)
              FROM order_slices AS part
             WHERE part.order_id = slice.order_id
               AND (part.id = slice.id
                    OR (part.status = 'SCHEDULED' AND (part.due_at <= :now OR part.filled_quantity > 0))
                    OR (part.status <> 'SCHEDULED' AND part.sent_at > :now - orders.pace_interval * 0.75)))
        OR (orders.catch_up IN ('next_slice', 'skip')
            AND slice.due_at < :now - greatest(orders.pace_interval, interval '2 seconds')))
