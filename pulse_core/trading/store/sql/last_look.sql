-- How a slice with this attempt and its order stand before the wire: one row for each status that slices of the order
-- have, with the slice itself on every row.
SELECT slice.status AS slice_status,
       slice.client_order_id,
       slice.quantity - slice.filled_quantity AS lacking,
       EXISTS (
           SELECT 1 FROM placements
            WHERE placements.slice_id = :slice_id
              AND placements.client_order_id <> :client_order_id
              AND (placements.outcome IS NULL
                   OR placements.outcome = 'UNKNOWN'
                   OR (placements.outcome = 'ACKNOWLEDGED' AND placements.ended_at IS NULL))) AS has_live_duplicate,
       orders.status AS order_status,
       orders.total_quantity,
       part.status,
       count(*) AS slices,
       CAST(sum(part.filled_quantity) AS bigint) AS filled,
       CAST(sum(greatest(part.quantity - part.filled_quantity, 0)) AS bigint) AS leaves
  FROM order_slices AS slice
  JOIN orders ON orders.id = slice.order_id
  JOIN order_slices AS part ON part.order_id = slice.order_id
 WHERE slice.id = :slice_id
 GROUP BY slice.status, slice.client_order_id, slice.quantity, slice.filled_quantity,
          orders.status, orders.total_quantity, part.status
