-- What an account has open: orders, unsent slices, and those of them that come due in a stretch of time. Slices are counted
-- one by one only where so many as its open orders were planned with would be too many.
WITH open AS MATERIALIZED (
    SELECT id, status, num_splits, start_at, end_at
      FROM orders
     WHERE account_id = :account_id AND status IN ('PENDING', 'IN_PROGRESS', 'PAUSED', 'CANCELLING')
),
planned AS (
    SELECT count(*) AS orders, coalesce(sum(num_splits), 0) AS slices FROM open
)
SELECT planned.orders,
       CASE WHEN planned.slices + :asked <= :most_slices THEN planned.slices ELSE
           (SELECT count(*) FROM open
              JOIN order_slices AS slice ON slice.order_id = open.id
             WHERE slice.status = 'SCHEDULED')
         + (SELECT coalesce(sum(num_splits), 0) FROM open WHERE status = 'PENDING')
       END AS slices,
       CASE WHEN planned.slices + :asked <= :most_due THEN planned.slices ELSE
           (SELECT count(*) FROM open
              JOIN order_slices AS slice ON slice.order_id = open.id
             WHERE slice.status = 'SCHEDULED' AND slice.due_at BETWEEN :due_since AND :due_by)
         + (SELECT coalesce(sum(num_splits), 0) FROM open
             WHERE status = 'PENDING' AND start_at <= :due_by AND end_at >= :due_since)
       END AS due
  FROM planned
