-- Take a key for one call: a new one, one that was kept for long enough, or one whose call broke off, for the same
-- request, where that may be done again. Returns no row for any other. Postgres's clock decides.
INSERT INTO idempotency_keys AS known (account_id, key, request_hash, holder, held_until, created_at)
SELECT :account_id, :key, :request_hash, :holder, moment.now + :lease, moment.now
  FROM (SELECT clock_timestamp() AS now) AS moment
    ON CONFLICT (account_id, key) DO UPDATE
   SET request_hash = excluded.request_hash,
       holder = excluded.holder,
       held_until = excluded.held_until,
       http_status = NULL,
       body = NULL,
       location = NULL,
       created_at = excluded.created_at
 WHERE known.created_at <= clock_timestamp() - :kept
    OR (:is_done_again
        AND known.http_status IS NULL
        AND known.held_until <= clock_timestamp()
        AND known.request_hash = excluded.request_hash)
RETURNING known.holder
