-- Give the next numbers to events of alarms that have none, in the order of their ids, up to so many. The caller holds
-- the lock of the feed. Returns how many were numbered.
WITH latest AS (
    SELECT coalesce(max(sequence), 0) AS sequence
      FROM alarm_events
     WHERE sequence IS NOT NULL
),
news AS (
    SELECT event.id, row_number() OVER (ORDER BY event.id) AS place
      FROM alarm_events AS event
     WHERE event.sequence IS NULL
     ORDER BY event.id
     LIMIT :most
),
numbered AS (
    UPDATE alarm_events AS event
       SET sequence = latest.sequence + news.place
      FROM news, latest
     WHERE event.id = news.id
 RETURNING event.id
)
SELECT count(*) FROM numbered
