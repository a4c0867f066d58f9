-- Give unsent slices of an order other times and quantities. A turn before the new time is not waited for; what was told
-- to a worker is told anew.
UPDATE order_slices AS slice
   SET due_at = anew.due_at,
       quantity = anew.quantity,
       hinted_until = CASE WHEN slice.due_at = anew.due_at THEN slice.hinted_until END,
       turn_at = CASE WHEN slice.turn_at >= anew.due_at THEN slice.turn_at END,
       updated_at = :now
  FROM unnest(:ids, :due_at, :quantities) AS anew (id, due_at, quantity)
 WHERE slice.id = anew.id
   AND slice.status || '' = 'SCHEDULED'
