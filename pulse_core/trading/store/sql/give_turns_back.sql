-- Take back the turns to come of slices that are halted: others may use them. They were no calls.
WITH mine AS (
    SELECT broker
      FROM broker_budgets
     WHERE broker = :broker_account
       FOR NO KEY UPDATE
),
halted AS (
    SELECT slice.id, turn.id AS turn_id
      FROM mine
      JOIN broker_turns AS turn ON turn.broker = mine.broker
      JOIN order_slices AS slice ON slice.id = turn.slice_id
      JOIN orders ON orders.id = slice.order_id
     WHERE turn.at > coalesce(:now, clock_timestamp())
       AND NOT turn.is_cancel
       AND slice.status || '' = 'SCHEDULED'
       AND slice.turn_at = turn.at
       AND EXISTS (SELECT 1 FROM halts AS halt
                    WHERE halt.released_at IS NULL
                      AND coalesce(halt.account_id, orders.account_id) = orders.account_id
                      AND coalesce(halt.broker, orders.broker) = orders.broker
                      AND coalesce(halt.instrument, orders.instrument) = orders.instrument)
       FOR NO KEY UPDATE OF slice SKIP LOCKED
),
given_back AS (
    UPDATE order_slices AS slice
       SET turn_at = NULL,
           hinted_until = NULL
      FROM halted
     WHERE slice.id = halted.id
 RETURNING halted.turn_id
),
removed AS (
    DELETE FROM broker_turns AS turn
     USING given_back
     WHERE turn.id = given_back.turn_id
 RETURNING turn.id
)
UPDATE broker_budgets AS budget
   SET version = budget.version + 1,
       calls_of_day = greatest(budget.calls_of_day - (SELECT count(*) FROM removed), 0)
  FROM mine
 WHERE budget.broker = mine.broker
   AND EXISTS (SELECT 1 FROM removed)
