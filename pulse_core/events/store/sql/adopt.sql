-- Name the account of events that were written by a version of Pulse which did not.
UPDATE slice_events AS event
   SET account_id = orders.account_id
  FROM orders
 WHERE orders.id = event.order_id
   AND event.id IN (
       SELECT nameless.id
         FROM slice_events AS nameless
        WHERE nameless.account_id IS NULL AND nameless.sequence IS NULL
        LIMIT :most
          FOR UPDATE SKIP LOCKED)
