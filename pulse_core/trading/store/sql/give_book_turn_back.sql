-- Give the turn at a broker's book back, unless somebody else has it by now. The next one may begin after a rest in
-- proportion to what this one took, which is never long, and not sooner than `spacing` after this one began.
UPDATE book_turns
   SET held_until = clock_timestamp(),
       next_at = greatest(
           clock_timestamp() + least((clock_timestamp() - taken_at) * CAST(:rest AS float8), :longest_rest),
           taken_at + :spacing
       )
 WHERE broker = :broker_account AND holder = :holder
