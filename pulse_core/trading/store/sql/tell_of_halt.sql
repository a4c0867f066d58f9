-- Tell of each open order in a halt's scope that it is halted, or no longer.
INSERT INTO slice_events (account_id, order_id, slice_id, at, kind, from_status, to_status, detail)
SELECT orders.account_id, orders.id, NULL, :now, :kind, NULL, NULL, CAST(:detail AS jsonb)
  FROM orders
 WHERE orders.status IN ('IN_PROGRESS', 'PAUSED')
   AND orders.account_id = coalesce(:account_id, orders.account_id)
   AND orders.broker = coalesce(:broker_account, orders.broker)
   AND orders.instrument = coalesce(:instrument, orders.instrument)
