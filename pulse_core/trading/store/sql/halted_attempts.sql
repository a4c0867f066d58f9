-- What became of the attempts that were at the broker when a halt began, or may have been. Those that had ended by then
-- are none of its.
SELECT attempt.client_order_id,
       attempt.slice_id,
       attempt.broker_order_id,
       attempt.quantity,
       booked.filled,
       booked.filled - halted.filled_before AS filled_meanwhile,
       CASE WHEN attempt.outcome IS NULL OR attempt.outcome = 'UNKNOWN' THEN 'UNKNOWN'
            WHEN attempt.outcome <> 'ACKNOWLEDGED' THEN 'NOT_PLACED'
            WHEN attempt.ended_at IS NULL THEN 'WORKING'
            WHEN booked.filled >= attempt.quantity THEN 'FILLED'
            ELSE 'CANCELLED' END AS state
  FROM halts
  JOIN halted_attempts AS halted ON halted.halt_id = halts.id
  JOIN placements AS attempt ON attempt.client_order_id = halted.client_order_id
 CROSS JOIN LATERAL (
       SELECT CAST(coalesce(sum(fills.quantity), 0) AS bigint) AS filled
         FROM fills
        WHERE fills.broker = attempt.broker AND fills.broker_order_id = attempt.broker_order_id) AS booked
 WHERE halts.id = :halt_id
   AND (attempt.ended_at IS NULL OR attempt.ended_at >= halts.made_at)
