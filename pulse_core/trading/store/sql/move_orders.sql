-- Move orders on from one status, however many at once, and write how much of each may go out in how long a time; one that
-- has another status is left as it is.
UPDATE orders
   SET status = :to_status,
       pace_interval = begun.pace_interval,
       most_per_interval = begun.most,
       updated_at = :now
  FROM unnest(:ids, :intervals, :most) AS begun (id, pace_interval, most)
 WHERE orders.id = begun.id
   AND orders.status || '' = :from_status
RETURNING orders.id
