-- The broker has taken the order: the claimed slice becomes WORKING, its attempt is acknowledged, and two events tell
-- of the call and of the move. Returns no row when the claim was lost meanwhile.
WITH moved AS (
    UPDATE order_slices AS slice
       SET status = :to_status,
           broker_order_id = :broker_order_id,
           sent_at = :sent_at,
           deadline_at = :deadline_at,
           error_code = NULL,
           error_message = NULL,
           updated_at = :now
     WHERE slice.id = :slice_id
       AND slice.status || '' = :from_status
       AND slice.client_order_id = :client_order_id
 RETURNING slice.id, slice.order_id, slice.attempts, slice.client_order_id
),
placed AS (
    UPDATE placements
       SET outcome = 'ACKNOWLEDGED',
           broker_order_id = :broker_order_id
      FROM moved
     WHERE placements.client_order_id = moved.client_order_id
),
told AS (
    INSERT INTO slice_events (account_id, order_id, slice_id, at, kind, from_status, to_status, detail)
    SELECT :account_id, order_id, id, :now, 'BROKER_CALL', NULL, NULL,
           jsonb_build_object('call', 'place', 'outcome', 'ACKNOWLEDGED', 'answer', :broker_order_id)
      FROM moved
     UNION ALL
    SELECT :account_id, order_id, id, :now, 'MOVE', :from_status, :to_status,
           jsonb_build_object('attempt', attempts, 'broker_order_id', :broker_order_id)
      FROM moved
)
SELECT moved.id
  FROM moved
