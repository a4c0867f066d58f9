-- Name the account of events that were written by a version of Pulse which did not.
WITH nameless AS (
    SELECT id
      FROM slice_events
     WHERE account_id IS NULL AND sequence IS NULL
     LIMIT :most
       FOR UPDATE SKIP LOCKED
)
UPDATE slice_events AS event
   SET account_id = orders.account_id
  FROM orders, nameless
 WHERE orders.id = event.order_id
   AND event.id = nameless.id
