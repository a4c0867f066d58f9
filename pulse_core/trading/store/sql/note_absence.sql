-- Note that a reading of the book lacked UNKNOWN slices. Those whose absence this reading settles are told and left as
-- they are; those that somebody else has locked are left out.
WITH looked_at AS (
    SELECT slice.id,
           CASE WHEN :started_at <= slice.resolve_at + :longest_pause THEN slice.absent_since END AS watched_since
      FROM order_slices AS slice
      JOIN unnest(CAST(:ids AS varchar[]), CAST(:client_order_ids AS varchar[])) AS seen (id, client_order_id)
           USING (id, client_order_id)
     WHERE slice.status || '' = :unknown
     ORDER BY slice.id
       FOR NO KEY UPDATE OF slice SKIP LOCKED
),
judged AS (
    SELECT id,
           watched_since,
           watched_since IS NOT NULL AND :started_at >= watched_since + :settle_delay AS is_settled
      FROM looked_at
),
noted AS (
    UPDATE order_slices AS slice
       SET absent_since = coalesce(watched_since, :ended_at),
           resolve_at = least(coalesce(watched_since, :ended_at) + :settle_delay, :ended_at + :watch_every),
           updated_at = :ended_at
      FROM judged
     WHERE slice.id = judged.id
       AND NOT is_settled
)
SELECT id, is_settled FROM judged
