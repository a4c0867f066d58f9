-- Move working slices to their ends, however many at once; one that works no more is left as it is.
UPDATE order_slices AS slice
   SET status = ending.status,
       filled_quantity = ending.filled_quantity,
       average_price = ending.average_price,
       error_code = ending.error_code,
       error_message = ending.error_message,
       updated_at = :now
  FROM unnest(CAST(:ids AS varchar[]), CAST(:statuses AS varchar[]), CAST(:filled AS bigint[]),
              CAST(:prices AS numeric[]), CAST(:error_codes AS varchar[]), CAST(:error_messages AS varchar[]))
       AS ending (id, status, filled_quantity, average_price, error_code, error_message)
 WHERE slice.id = ending.id
   AND slice.status || '' = :from_status
RETURNING slice.*
