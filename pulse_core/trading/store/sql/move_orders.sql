-- Move orders on from one status, however many at once; one that has another is left as it is.
UPDATE orders
   SET status = :to_status,
       updated_at = :now
 WHERE orders.id = ANY(CAST(:ids AS varchar[]))
   AND orders.status || '' = :from_status
RETURNING orders.id
