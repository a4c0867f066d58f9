-- How the work stands in the whole database, a row for each figure: counts of what is open, ages in seconds of what waits
-- longest. Each part looks at `most` rows of a small partial index at most, whatever the tables hold.
WITH moment AS (
    SELECT clock_timestamp() AS now
),
held_accounts AS (
    SELECT name FROM broker_accounts WHERE state <> 'READY'
),
in_force AS (
    SELECT account_id, broker, instrument FROM halts WHERE released_at IS NULL
),
overdue AS (
    SELECT order_id, due_at, turn_at, hinted_until
      FROM order_slices
     WHERE status = 'SCHEDULED' AND due_at < (SELECT now FROM moment)
     ORDER BY due_at
     LIMIT :most
),
in_doubt AS (
    SELECT client_order_id
      FROM order_slices
     WHERE status = 'UNKNOWN'
     LIMIT :most
),
ages AS (
    SELECT 'unsplit' AS label, min(created_at) AS since FROM orders WHERE status = 'PENDING'
     UNION ALL
    -- Slices of paused or held orders wait for their order, those without a turn for one as long as turns are given or there is
    -- no room. What has missed a turn is overdue since no message is trusted any more to bring it to a worker.
    SELECT 'overdue',
           min(CASE WHEN overdue.turn_at IS NULL
                    THEN greatest(overdue.due_at, budget.given_at, budget.room_at, budget.full_until)
                    ELSE least(overdue.turn_at, overdue.hinted_until) END)
      FROM overdue
      JOIN orders ON orders.id = overdue.order_id
      LEFT JOIN broker_budgets AS budget ON budget.broker = orders.broker AND :has_turns
     WHERE orders.status || '' = 'IN_PROGRESS' AND orders.hold IS NULL AND orders.broker <> ALL (TABLE held_accounts)
       AND NOT EXISTS (SELECT 1 FROM in_force AS halt
                        WHERE coalesce(halt.account_id, orders.account_id) = orders.account_id
                          AND coalesce(halt.broker, orders.broker) = orders.broker
                          AND coalesce(halt.instrument, orders.instrument) = orders.instrument)
     UNION ALL
    SELECT 'turn_wait', min(overdue.due_at)
      FROM overdue JOIN orders ON orders.id = overdue.order_id
     WHERE orders.status || '' = 'IN_PROGRESS' AND overdue.turn_at IS NULL AND :has_turns
       AND orders.hold IS NULL AND orders.broker <> ALL (TABLE held_accounts)
       AND NOT EXISTS (SELECT 1 FROM in_force AS halt
                        WHERE coalesce(halt.account_id, orders.account_id) = orders.account_id
                          AND coalesce(halt.broker, orders.broker) = orders.broker
                          AND coalesce(halt.instrument, orders.instrument) = orders.instrument)
     UNION ALL
    SELECT 'unknown', min(placements.claimed_at)
      FROM in_doubt JOIN placements ON placements.client_order_id = in_doubt.client_order_id
     UNION ALL
    SELECT 'past_deadline', min(deadline_at) FROM order_slices WHERE status = 'WORKING'
     UNION ALL
    SELECT 'held', min(held_since) FROM installation
     UNION ALL
    -- Fences are the only locks of this kind that outlive a statement. One that says nothing may be of a host that is gone.
    SELECT 'fence_silent', min(pg_stat_activity.state_change)
      FROM pg_locks JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid
     WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted
       AND pg_stat_activity.datname = current_database() AND pg_stat_activity.state <> 'active'
     UNION ALL
    SELECT 'commit_wait', min(query_start)
      FROM pg_stat_activity
     WHERE datname = current_database() AND state = 'active' AND wait_event = 'SyncRep'
)
SELECT 'orders' AS what, status AS label, CAST(count(*) AS float8) AS value
  FROM (SELECT status FROM orders WHERE status = 'PENDING' LIMIT :most) AS pending
 GROUP BY status
 UNION ALL
SELECT 'orders', status, count(*)
  FROM (SELECT status FROM orders WHERE status IN ('IN_PROGRESS', 'PAUSED', 'CANCELLING') LIMIT :most) AS live
 GROUP BY status
 UNION ALL
SELECT 'slices', status, count(*)
  FROM (SELECT status FROM order_slices WHERE status = 'SCHEDULED' LIMIT :most) AS scheduled
 GROUP BY status
 UNION ALL
SELECT 'slices', status, count(*)
  FROM (SELECT status FROM order_slices WHERE status = 'SENDING' LIMIT :most) AS sending
 GROUP BY status
 UNION ALL
SELECT 'slices', status, count(*)
  FROM (SELECT status FROM order_slices WHERE status = 'UNKNOWN' LIMIT :most) AS unknown
 GROUP BY status
 UNION ALL
SELECT 'slices', status, count(*)
  FROM (SELECT status FROM order_slices WHERE status = 'WORKING' LIMIT :most) AS working
 GROUP BY status
 UNION ALL
SELECT 'holds', hold, count(*)
  FROM (SELECT hold FROM orders WHERE hold IS NOT NULL LIMIT :most) AS held
 GROUP BY hold
 UNION ALL
SELECT 'accounts', state, count(*) FROM broker_accounts GROUP BY state
 UNION ALL
SELECT 'held', 'now', CAST(count(held_since) AS float8) FROM installation
 UNION ALL
SELECT 'held', 'halts', CAST(count(*) AS float8) FROM in_force
 UNION ALL
SELECT 'ages', label, CAST(greatest(coalesce(extract(epoch FROM moment.now - since), 0), 0) AS float8)
  FROM ages, moment
