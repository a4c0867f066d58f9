-- Take the turn at a broker's book, if it is free and the rest after the last one is over, or whoever has it when it is
-- seized. An instant further ahead than any turn or rest reaches was written by a clock that was set: it counts as past.
INSERT INTO book_turns AS turn (broker, holder, taken_at, held_until, next_at)
SELECT :broker_account, :holder, moment.now, moment.now + :lease, moment.now
  FROM (SELECT clock_timestamp() AS now) AS moment
    ON CONFLICT (broker) DO UPDATE
   SET holder = excluded.holder,
       taken_at = clock_timestamp(),
       held_until = clock_timestamp() + :lease
 WHERE :is_seized
    OR (turn.held_until <= clock_timestamp() OR turn.held_until > clock_timestamp() + 2 * :lease)
   AND (turn.next_at <= clock_timestamp() OR turn.next_at > clock_timestamp() + 2 * :longest_rest)
RETURNING turn.holder
