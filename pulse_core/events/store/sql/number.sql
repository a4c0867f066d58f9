-- Give the next numbers of their accounts' feeds to events that have none, in the order of their ids, up to so many of
-- each account. The caller holds the locks of the feeds. Returns how many of each account were numbered.
WITH places AS (
    SELECT news.id,
           feed.last_sequence + row_number() OVER (PARTITION BY asked.account_id ORDER BY news.id) AS sequence
      FROM unnest(CAST(:accounts AS varchar[])) AS asked (account_id)
      JOIN event_feeds AS feed ON feed.account_id = asked.account_id
     CROSS JOIN LATERAL (
           SELECT event.id
             FROM slice_events AS event
            WHERE event.account_id = asked.account_id AND event.sequence IS NULL
            ORDER BY event.id
            LIMIT :most_of_each) AS news
),
numbered AS (
    UPDATE slice_events AS event
       SET sequence = places.sequence
      FROM places
     WHERE event.id = places.id
 RETURNING event.account_id, event.sequence
),
ends AS (
    SELECT account_id, max(sequence) AS last, count(*) AS numbered
      FROM numbered
     GROUP BY account_id
)
UPDATE event_feeds AS feed
   SET last_sequence = ends.last
  FROM ends
 WHERE feed.account_id = ends.account_id
RETURNING feed.account_id, ends.numbered
