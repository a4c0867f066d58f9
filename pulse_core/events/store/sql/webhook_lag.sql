-- Of the webhooks that are posted to: how many are failing, and for how long the oldest event that one was not given has
-- waited. One that took nothing yet, or whose account or key has ended, holds nobody up.
WITH live AS (
    SELECT webhooks.account_id, webhooks.delivered_sequence, webhooks.failures
      FROM webhooks
      JOIN accounts ON accounts.id = webhooks.account_id AND accounts.is_active
      LEFT JOIN api_keys ON api_keys.id = webhooks.key_id
     WHERE webhooks.disabled_at IS NULL
       AND webhooks.verified_at IS NOT NULL
       AND (webhooks.key_id IS NULL OR (api_keys.revoked_at IS NULL AND api_keys.expires_at > clock_timestamp()))
     ORDER BY webhooks.next_attempt_at
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
