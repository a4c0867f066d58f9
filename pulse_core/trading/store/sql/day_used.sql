-- What an account has placed since an instant, and what counts for a day of it at a broker: of orders that have ended what
-- was filled, of the others all that they may come to, at their limit price or the price that they were reckoned at.
WITH of_day AS (
    SELECT total_quantity, filled_quantity, average_price, finished_at,
           coalesce(limit_price, reckoned_price, 0) AS price
      FROM orders
     WHERE account_id = :account_id
       AND broker = :broker_account
       AND start_at >= :day_began AND start_at < :day_ends
       AND id <> :left_out
       -- By the index on the ids; what begins more than a day after it was placed is found by an index of its own.
       AND id >= :least_id_of_day AND start_at - created_at <= interval '24 hours'
     UNION ALL
    SELECT total_quantity, filled_quantity, average_price, finished_at,
           coalesce(limit_price, reckoned_price, 0)
      FROM orders
     WHERE account_id = :account_id
       AND broker = :broker_account
       AND start_at >= :day_began AND start_at < :day_ends
       AND id <> :left_out
       AND start_at - created_at > interval '24 hours'
)
SELECT (SELECT count(*) FROM orders
         WHERE account_id = :account_id AND id >= :least_id AND created_at > :minute_ago) AS placed,
       CAST(coalesce(sum(CASE WHEN finished_at IS NULL THEN greatest(total_quantity, filled_quantity)
                              ELSE filled_quantity END), 0) AS bigint) AS day_quantity,
       coalesce(sum(filled_quantity * coalesce(average_price, 0)
                    + CASE WHEN finished_at IS NULL THEN greatest(total_quantity - filled_quantity, 0) * price
                           ELSE 0 END), 0) AS day_worth
  FROM of_day
