-- Of the live webhooks: how many are failing, and for how long the oldest event that one was not given has waited.
WITH live AS (
    SELECT account_id, delivered_sequence, failures
      FROM webhooks
     WHERE disabled_at IS NULL
     ORDER BY next_attempt_at
     LIMIT :most
)
SELECT count(*) FILTER (WHERE live.failures > 0) AS failing,
       CAST(greatest(coalesce(extract(epoch FROM clock_timestamp() - min(least(numbered.at, unnumbered.at))), 0), 0)
            AS float8) AS lag_seconds
  FROM live
  LEFT JOIN LATERAL (
       SELECT at FROM slice_events
        WHERE account_id = live.account_id AND sequence > live.delivered_sequence
        ORDER BY sequence LIMIT 1) AS numbered ON true
  LEFT JOIN LATERAL (
       SELECT at FROM slice_events
        WHERE account_id = live.account_id AND sequence IS NULL
        ORDER BY id LIMIT 1) AS unnumbered ON true
