-- Of each account the next events, up to so many, numbered above the first bound and not above the second.
SELECT page.*
  FROM unnest(CAST(:accounts AS varchar[]), CAST(:after AS bigint[]), CAST(:up_to AS bigint[]))
       AS asked (account_id, after, up_to)
 CROSS JOIN LATERAL (
       SELECT event.*
         FROM slice_events AS event
        WHERE event.account_id = asked.account_id
          AND event.sequence > asked.after
          AND event.sequence <= asked.up_to
        ORDER BY event.sequence
        LIMIT :most_of_each) AS page
 ORDER BY page.account_id, page.sequence
