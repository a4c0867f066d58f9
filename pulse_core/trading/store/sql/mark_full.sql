-- The broker has refused to take one call more: nothing is admitted for a window, and turns within it are withdrawn. A
-- refusal soon after such a mark has run out doubles it: perhaps it was a longer window.
WITH moment AS (
    SELECT coalesce(:now, clock_timestamp()) AS now
),
mine AS (
    SELECT budget.broker, moment.now,
           CASE WHEN budget.full_until > moment.now THEN budget.full_since ELSE moment.now END AS full_since,
           CASE WHEN budget.full_until > moment.now THEN budget.full_until
                WHEN budget.full_until > moment.now - :soon
                THEN moment.now + least(2 * (budget.full_until - budget.full_since), :minute)
                ELSE moment.now + :second END AS full_until
      FROM moment, broker_budgets AS budget
     WHERE budget.broker = :broker_account
       FOR NO KEY UPDATE OF budget
),
within AS (
    SELECT slice.id, turn.id AS turn_id
      FROM mine
      JOIN broker_turns AS turn ON turn.broker = mine.broker
      JOIN order_slices AS slice ON slice.id = turn.slice_id
     WHERE turn.at > mine.now AND turn.at < mine.full_until
       AND NOT turn.is_cancel
       AND slice.status || '' = 'SCHEDULED'
       AND slice.turn_at = turn.at
       FOR NO KEY UPDATE OF slice SKIP LOCKED
),
withdrawn AS (
    UPDATE order_slices AS slice
       SET turn_at = NULL,
           hinted_until = NULL
      FROM within
     WHERE slice.id = within.id
 RETURNING within.turn_id
),
gone AS (
    DELETE FROM broker_turns AS turn
     USING withdrawn
     WHERE turn.id = withdrawn.turn_id
 RETURNING turn.id
)
UPDATE broker_budgets AS budget
   SET version = budget.version + 1,
       calls_of_day = greatest(budget.calls_of_day - (SELECT count(*) FROM gone), 0),
       full_since = mine.full_since,
       full_until = mine.full_until,
       room_at = greatest(budget.room_at, mine.full_until)
  FROM mine
 WHERE budget.broker = mine.broker
RETURNING budget.full_until
