-- Give the next numbers of the feed of all accounts to events that have one in the feed of one of these accounts, up to so
-- many: in the order of their ids, but never before an earlier one of their account. At most :share of each account are
-- looked at; where that leaves some out, nothing goes in that is later than what was seen of it. The caller holds the locks
-- of these accounts, and of no other. Returns how many there were.
WITH latest AS (
    SELECT coalesce(max(sequence), 0) AS sequence
      FROM merged_events
),
news AS (
    SELECT event.id, event.account_id, event.sequence,
           max(event.id) OVER (PARTITION BY event.account_id ORDER BY event.sequence) AS place
      FROM event_feeds AS feed
     CROSS JOIN LATERAL (
           SELECT one.id, one.account_id, one.sequence
             FROM slice_events AS one
            WHERE one.account_id = feed.account_id
              AND one.sequence > feed.merged_sequence
              AND one.sequence <= feed.last_sequence
            ORDER BY one.sequence
            LIMIT :share) AS event
     WHERE feed.account_id = ANY (:accounts) AND feed.last_sequence > feed.merged_sequence
),
horizon AS (
    SELECT min(seen.place) AS place
      FROM (SELECT max(place) AS place FROM news GROUP BY account_id HAVING count(*) = :share) AS seen
),
chosen AS (
    SELECT news.id, news.account_id, news.sequence,
           row_number() OVER (ORDER BY news.place, news.account_id, news.sequence) AS place
      FROM news, horizon
     WHERE horizon.place IS NULL OR news.place <= horizon.place
     ORDER BY news.place, news.account_id, news.sequence
     LIMIT :most
),
merged AS (
    INSERT INTO merged_events (sequence, event_id)
    SELECT latest.sequence + chosen.place, chosen.id
      FROM latest, chosen
 RETURNING event_id
),
ends AS (
    UPDATE event_feeds AS feed
       SET merged_sequence = reached.sequence
      FROM (SELECT account_id, max(sequence) AS sequence FROM chosen GROUP BY account_id) AS reached
     WHERE feed.account_id = reached.account_id
)
SELECT count(*) FROM merged
