-- Give slices their turns, all of it by this one statement, unless somebody else has changed the budget since it was
-- read: then no row comes back. Otherwise at least one does, without a slice when none was given a turn.
WITH mine AS (
    SELECT broker
      FROM broker_budgets
     WHERE broker = :broker_account AND version = :version
       FOR NO KEY UPDATE
),
wanted AS (
    SELECT one.slice_id, one.missed_at, one.at
      FROM unnest(:slice_ids, :missed_turns, :turns) AS one (slice_id, missed_at, at)
),
locked AS (
    SELECT slice.id, slice.order_id, wanted.missed_at, wanted.at
      FROM mine, wanted
      JOIN order_slices AS slice ON slice.id = wanted.slice_id
     WHERE slice.status || '' = 'SCHEDULED' AND slice.turn_at IS NOT DISTINCT FROM wanted.missed_at
       FOR NO KEY UPDATE OF slice SKIP LOCKED
),
given AS (
    UPDATE order_slices AS slice
       SET turn_at = locked.at,
           -- Until then a message is trusted to arrive, from the first turn on; after that the watch takes the slice.
           hinted_until = CASE WHEN locked.missed_at IS NULL OR slice.hinted_until IS NULL OR :trust = interval '0'
                               THEN locked.at + :trust
                               ELSE slice.hinted_until END
      FROM locked
     WHERE slice.id = locked.id
 RETURNING slice.id, slice.order_id, locked.missed_at, slice.turn_at, slice.hinted_until > slice.turn_at AS is_told
),
-- A turn that its slice missed was no call.
missed AS (
    DELETE FROM broker_turns AS turn
     USING given
     WHERE turn.broker = :broker_account AND turn.at = given.missed_at AND turn.slice_id = given.id
 RETURNING turn.id
),
past AS (
    DELETE FROM broker_turns AS turn
     USING mine
     WHERE turn.broker = mine.broker AND turn.at < :kept_since
 RETURNING turn.slice_id, turn.at, turn.is_cancel
),
-- Nor was one whose slice had no use for it any more.
unused AS (
    SELECT past.slice_id
      FROM past
     WHERE NOT past.is_cancel
       AND NOT EXISTS (
           SELECT 1 FROM placements
            WHERE placements.slice_id = past.slice_id
              AND placements.claimed_at >= past.at
              AND placements.claimed_at <= past.at + :turn_lasts)
),
taken AS (
    INSERT INTO broker_turns (broker, at, slice_id, order_id, account_id, is_cancel)
    SELECT :broker_account, given.turn_at, given.id, given.order_id, orders.account_id, false
      FROM given
      JOIN orders ON orders.id = given.order_id
),
counted AS (
    UPDATE broker_budgets AS budget
       SET version = budget.version + 1,
           day = :day,
           calls_of_day = (SELECT count(*) FROM given)
                          + CASE WHEN budget.day = :day
                                 THEN greatest(budget.calls_of_day - (SELECT count(*) FROM missed)
                                               - (SELECT count(*) FROM unused), 0)
                                 ELSE 0 END,
           given_at = CASE WHEN EXISTS (SELECT 1 FROM given) THEN :now ELSE budget.given_at END,
           room_at = :room_at
      FROM mine
     WHERE budget.broker = mine.broker
)
SELECT given.id, given.turn_at, given.is_told
  FROM mine
  LEFT JOIN given ON true
