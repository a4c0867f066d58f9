-- Take a load that was asked for, or that whoever took it has not ended in time.
UPDATE instrument_loads
   SET holder = :holder,
       begun_at = clock_timestamp(),
       held_until = clock_timestamp() + :lease
 WHERE broker = :broker
   AND ended_at IS NULL
   AND (held_until IS NULL OR held_until <= clock_timestamp())
RETURNING id, accepts_smaller
