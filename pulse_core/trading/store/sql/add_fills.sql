-- Book trades of any number of slices; one that is booked already, or comes twice, is left as it is.
INSERT INTO fills (slice_id, broker, broker_order_id, broker_trade_id, quantity, price, traded_at, recorded_at, settled_by)
SELECT trade.slice_id, :broker_account, trade.broker_order_id, trade.broker_trade_id, trade.quantity, trade.price,
       trade.traded_at, :now, :settled_by
  FROM unnest(CAST(:slice_ids AS varchar[]), CAST(:broker_order_ids AS varchar[]),
              CAST(:broker_trade_ids AS varchar[]), CAST(:quantities AS bigint[]), CAST(:prices AS numeric[]),
              CAST(:traded_at AS timestamptz[]))
       AS trade (slice_id, broker_order_id, broker_trade_id, quantity, price, traded_at)
    ON CONFLICT DO NOTHING
RETURNING slice_id, quantity, price, traded_at
