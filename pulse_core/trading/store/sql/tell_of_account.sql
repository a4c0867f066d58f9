-- Tell of each order in progress at an account of a broker that the account is held, or no longer.
INSERT INTO slice_events (account_id, order_id, slice_id, at, kind, from_status, to_status, detail)
SELECT orders.account_id, orders.id, NULL, :now, :kind, NULL, NULL, CAST(:detail AS jsonb)
  FROM orders
 WHERE orders.status = 'IN_PROGRESS'
   AND orders.broker = :broker_account
