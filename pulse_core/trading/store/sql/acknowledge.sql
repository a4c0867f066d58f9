-- The broker has taken orders: each claimed slice becomes WORKING, its attempt is acknowledged, and two events tell of the
-- call and of the move. Returns no row for a slice whose claim was lost meanwhile, nor for one that somebody else has
-- locked.
WITH answered AS (
    SELECT one.slice_id, one.client_order_id, one.account_id, one.broker_order_id, one.sent_at, one.deadline_at
      FROM unnest(:slice_ids, :client_order_ids, :account_ids, :broker_order_ids, :sent_at, :deadlines)
           AS one (slice_id, client_order_id, account_id, broker_order_id, sent_at, deadline_at)
),
held AS (
    SELECT answered.*
      FROM answered
      JOIN order_slices AS slice ON slice.id = answered.slice_id
     WHERE slice.status || '' = :from_status
       AND slice.client_order_id = answered.client_order_id
       FOR NO KEY UPDATE OF slice SKIP LOCKED
),
moved AS (
    UPDATE order_slices AS slice
       SET status = :to_status,
           broker_order_id = held.broker_order_id,
           sent_at = held.sent_at,
           deadline_at = held.deadline_at,
           error_code = NULL,
           error_message = NULL,
           updated_at = :now
      FROM held
     WHERE slice.id = held.slice_id
 RETURNING slice.id, slice.order_id, slice.attempts, slice.client_order_id, slice.broker_order_id, held.account_id
),
placed AS (
    UPDATE placements
       SET outcome = 'ACKNOWLEDGED',
           broker_order_id = moved.broker_order_id
      FROM moved
     WHERE placements.client_order_id = moved.client_order_id
),
told AS (
    INSERT INTO slice_events (account_id, order_id, slice_id, at, kind, from_status, to_status, detail)
    SELECT account_id, order_id, id, :now, 'BROKER_CALL', NULL, NULL,
           jsonb_build_object('call', 'place', 'outcome', 'ACKNOWLEDGED', 'answer', broker_order_id)
      FROM moved
     UNION ALL
    SELECT account_id, order_id, id, :now, 'MOVE', :from_status, :to_status,
           jsonb_build_object('attempt', attempts, 'broker_order_id', broker_order_id)
      FROM moved
)
SELECT moved.id
  FROM moved
