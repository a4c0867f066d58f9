-- Slices that have their turn about now, and that no message is trusted any more to bring to a worker.
SELECT slice.id, slice.turn_at
  FROM broker_turns AS turn
  JOIN order_slices AS slice ON slice.id = turn.slice_id
  JOIN orders ON orders.id = slice.order_id
 WHERE turn.broker = :broker_account
   AND turn.at > :since AND turn.at <= :until
   AND NOT turn.is_cancel
   AND slice.status || '' = 'SCHEDULED'
   AND slice.turn_at = turn.at
   AND slice.hinted_until <= slice.turn_at
   AND orders.status || '' = 'IN_PROGRESS'
   AND orders.hold IS NULL
   AND NOT EXISTS (SELECT 1 FROM halts AS halt
                    WHERE halt.released_at IS NULL
                      AND coalesce(halt.account_id, orders.account_id) = orders.account_id
                      AND coalesce(halt.broker, orders.broker) = orders.broker
                      AND coalesce(halt.instrument, orders.instrument) = orders.instrument)
 ORDER BY turn.at
 LIMIT :most
