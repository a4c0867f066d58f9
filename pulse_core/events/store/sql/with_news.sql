-- The accounts that have events without a number, up to so many: from one to the next in the index, as it may hold many
-- events of each.
WITH RECURSIVE found AS (
    (SELECT account_id
       FROM slice_events
      WHERE sequence IS NULL AND account_id IS NOT NULL
      ORDER BY account_id
      LIMIT 1)
    UNION ALL
    SELECT (SELECT event.account_id
              FROM slice_events AS event
             WHERE event.sequence IS NULL AND event.account_id > found.account_id
             ORDER BY event.account_id
             LIMIT 1)
      FROM found
     WHERE found.account_id IS NOT NULL
)
SELECT account_id FROM found WHERE account_id IS NOT NULL LIMIT :most
