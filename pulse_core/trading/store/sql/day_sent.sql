-- What an account has had filled on a day of a broker account, and what of it may be live there now but for some slices: these
-- are about to be sent. What is live counts at its limit price, else at the last price before it was sent.
WITH live AS (
    SELECT greatest(slice.quantity - slice.filled_quantity, 0) AS quantity,
           coalesce(orders.limit_price, slice.last_price, orders.reckoned_price, 0) AS price
      FROM order_slices AS slice
      JOIN orders ON orders.id = slice.order_id
     WHERE slice.status IN ('SENDING', 'UNKNOWN', 'WORKING')
       AND orders.account_id = :account_id
       AND orders.broker = :broker_account
       AND slice.id <> ALL (:slice_ids)
),
filled AS (
    SELECT filled_quantity AS quantity, coalesce(average_price, 0) AS price
      FROM orders
     WHERE account_id = :account_id
       AND broker = :broker_account
       AND start_at >= :day_began AND start_at < :day_ends
       AND id >= :least_id_of_day AND start_at - created_at <= interval '24 hours'
     UNION ALL
    SELECT filled_quantity, coalesce(average_price, 0)
      FROM orders
     WHERE account_id = :account_id
       AND broker = :broker_account
       AND start_at >= :day_began AND start_at < :day_ends
       AND start_at - created_at > interval '24 hours'
)
SELECT CAST(coalesce(sum(quantity), 0) AS bigint) AS day_quantity, coalesce(sum(quantity * price), 0) AS day_worth
  FROM (SELECT * FROM live UNION ALL SELECT * FROM filled) AS sent
