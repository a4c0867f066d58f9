-- Remember what of a halt's scope may be at the broker: what is live now, and what was claimed while the halt was being
-- written, for a claim that did not see it yet. What is already known is left as it is.
INSERT INTO halted_attempts (halt_id, client_order_id, filled_before)
SELECT :halt_id, attempt.client_order_id,
       CASE WHEN :is_first
            THEN coalesce((SELECT CAST(sum(fills.quantity) AS bigint)
                             FROM fills
                            WHERE fills.broker = attempt.broker
                              AND fills.broker_order_id = attempt.broker_order_id), 0)
            ELSE 0 END
  FROM (SELECT placements.client_order_id, placements.broker, placements.broker_order_id, slice.order_id
          FROM (SELECT client_order_id, order_id FROM order_slices WHERE status = 'SENDING'
                 UNION ALL
                SELECT client_order_id, order_id FROM order_slices WHERE status = 'UNKNOWN'
                 UNION ALL
                SELECT client_order_id, order_id FROM order_slices WHERE status = 'WORKING') AS slice
          JOIN placements ON placements.client_order_id = slice.client_order_id
         UNION
        SELECT placements.client_order_id, placements.broker, placements.broker_order_id, slice.order_id
          FROM placements
          JOIN order_slices AS slice ON slice.id = placements.slice_id
         WHERE placements.claimed_at BETWEEN :claimed_since AND :claimed_by
           AND (placements.outcome IS NULL OR placements.outcome IN ('ACKNOWLEDGED', 'UNKNOWN'))) AS attempt
  JOIN orders ON orders.id = attempt.order_id
 WHERE orders.account_id = coalesce(:account_id, orders.account_id)
   AND orders.broker = coalesce(:broker_account, orders.broker)
   AND orders.instrument = coalesce(:instrument, orders.instrument)
    ON CONFLICT DO NOTHING
