-- How orders keep to their schedules: one row for each that has slices.
-- Planned by now is what the slices whose time has passed were to fill, as they were before they were lowered. A slice
-- that an amendment took out is in no plan any more; what catches up comes back in other slices: no plan passes the total.
-- Lateness is in milliseconds after the planned time, of the slices that were sent, and never below 0.
WITH lowered AS MATERIALIZED (
  SELECT told.slice_id, max((told.detail ->> 'lowered_from')::bigint) AS quantity
    FROM alarms AS alarm
    JOIN slice_events AS told
      ON told.slice_id = alarm.slice_id
     AND told.kind = 'ALARM'
     AND told.detail @> '{"code": "SLICE_LOWERED"}'
   WHERE alarm.order_id = ANY (:order_ids)
     AND alarm.code = 'SLICE_LOWERED'
   GROUP BY told.slice_id
), timed AS (
  SELECT slice.order_id,
         slice.status,
         slice.due_at,
         slice.sent_at,
         slice.sequence_number,
         CASE WHEN slice.scheduled_at <= now() AND slice.error_code IS DISTINCT FROM 'AMENDED'
              THEN coalesce(lowered.quantity, slice.quantity) ELSE 0 END AS planned,
         greatest(0, floor(1000 * extract(epoch FROM slice.sent_at - slice.scheduled_at)))::bigint AS late_ms
    FROM order_slices AS slice
    LEFT JOIN lowered ON lowered.slice_id = slice.id
   WHERE slice.order_id = ANY (:order_ids)
), added_up AS (
  SELECT order_id,
         min(due_at) FILTER (WHERE status = 'SCHEDULED') AS next_due,
         sum(planned) AS planned,
         (array_agg(late_ms ORDER BY sent_at DESC, sequence_number DESC) FILTER (WHERE sent_at IS NOT NULL))[1] AS last_late_ms,
         percentile_disc(0.95) WITHIN GROUP (ORDER BY late_ms) FILTER (WHERE sent_at IS NOT NULL) AS p95_late_ms,
         max(late_ms) FILTER (WHERE sent_at IS NOT NULL) AS worst_late_ms
    FROM timed
   GROUP BY order_id
)
SELECT added_up.order_id,
       added_up.next_due,
       least(added_up.planned, parent.total_quantity)::bigint AS planned,
       added_up.last_late_ms,
       added_up.p95_late_ms,
       added_up.worst_late_ms
  FROM added_up
  JOIN orders AS parent ON parent.id = added_up.order_id
