-- Give cancels of slices their turns: free ones, and where these are too few the soonest that placements were given but
-- have not used. As in give_turns.sql no row comes back when somebody else has changed the budget since it was read.
WITH mine AS (
    SELECT broker
      FROM broker_budgets
     WHERE broker = :broker_account AND version = :version
       FOR NO KEY UPDATE
),
soonest AS (
    SELECT slice.id, turn.id AS turn_id, turn.at
      FROM mine
      JOIN broker_turns AS turn ON turn.broker = mine.broker
      JOIN order_slices AS slice ON slice.id = turn.slice_id
     WHERE turn.at > :earliest AND turn.at <= :latest
       AND NOT turn.is_cancel
       AND slice.status || '' = 'SCHEDULED'
       AND slice.turn_at = turn.at
     ORDER BY turn.at
     LIMIT :lacking
       FOR NO KEY UPDATE OF slice SKIP LOCKED
),
yielded AS (
    UPDATE order_slices AS slice
       SET turn_at = NULL,
           hinted_until = NULL
      FROM soonest
     WHERE slice.id = soonest.id
 RETURNING soonest.turn_id, soonest.at
),
taken_over AS (
    DELETE FROM broker_turns AS turn
     USING yielded
     WHERE turn.id = yielded.turn_id
),
free AS (
    SELECT one.at FROM mine, unnest(:turns) AS one (at)
),
found AS (
    SELECT both_kinds.at, row_number() OVER (ORDER BY both_kinds.at) AS number
      FROM (SELECT at FROM free UNION ALL SELECT at FROM yielded) AS both_kinds
),
given AS (
    SELECT wanted.slice_id, found.at
      FROM unnest(:slice_ids) WITH ORDINALITY AS wanted (slice_id, number)
      JOIN found ON found.number = wanted.number
),
taken AS (
    INSERT INTO broker_turns (broker, at, slice_id, order_id, account_id, is_cancel)
    SELECT :broker_account, given.at, slice.id, slice.order_id, orders.account_id, true
      FROM given
      JOIN order_slices AS slice ON slice.id = given.slice_id
      JOIN orders ON orders.id = slice.order_id
),
counted AS (
    UPDATE broker_budgets AS budget
       SET version = budget.version + 1,
           day = :day,
           calls_of_day = (SELECT count(*) FROM free)
                          + CASE WHEN budget.day = :day THEN budget.calls_of_day ELSE 0 END
      FROM mine
     WHERE budget.broker = mine.broker
)
SELECT given.slice_id, given.at
  FROM mine
  LEFT JOIN given ON true
