-- Note that a reading of the book lacked UNKNOWN slices. Left as they are: those whose absence this reading settles,
-- and those that somebody else has locked.
WITH looked_at AS (
    SELECT slice.id,
           CASE WHEN :started_at <= slice.resolve_at + :longest_pause THEN slice.absent_since END AS watched_since
      FROM order_slices AS slice
      JOIN unnest(CAST(:ids AS varchar[]), CAST(:client_order_ids AS varchar[])) AS seen (id, client_order_id)
           USING (id, client_order_id)
     WHERE slice.status || '' = :unknown
     ORDER BY slice.id
       FOR NO KEY UPDATE OF slice SKIP LOCKED
)
UPDATE order_slices AS slice
   SET absent_since = coalesce(watched_since, :ended_at),
       resolve_at = least(coalesce(watched_since, :ended_at) + :settle_delay, :ended_at + :watch_every),
       updated_at = :ended_at
  FROM looked_at
 WHERE slice.id = looked_at.id
   AND (watched_since IS NULL OR :started_at < watched_since + :settle_delay)
RETURNING slice.id
