-- How orders keep to their schedules: one row for each that has slices.
-- Planned by now is what the slices whose time has passed were to fill, as they were before they were lowered. A slice
-- that an amendment took out is in no plan any more.
-- Lateness is counted from the planned time, of the slices that were sent. It is made milliseconds at the end: of a few
-- figures, not of every slice.
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
         CASE WHEN slice.scheduled_at <= now() AND slice.error_code IS DISTINCT FROM 'AMENDED'
              THEN coalesce(lowered.quantity, slice.quantity) ELSE 0 END AS planned,
         slice.sent_at - slice.scheduled_at AS late
    FROM order_slices AS slice
    LEFT JOIN lowered ON lowered.slice_id = slice.id
   WHERE slice.order_id = ANY (:order_ids)
), added_up AS (
  SELECT order_id,
         min(due_at) FILTER (WHERE status = 'SCHEDULED') AS next_due,
         sum(planned)::bigint AS planned,
         (array_agg(late ORDER BY sent_at DESC) FILTER (WHERE sent_at IS NOT NULL))[1] AS last_late,
         percentile_disc(0.95) WITHIN GROUP (ORDER BY late) FILTER (WHERE sent_at IS NOT NULL) AS p95_late,
         max(late) AS worst_late
    FROM timed
   GROUP BY order_id
)
SELECT order_id,
       next_due,
       planned,
       floor(1000 * extract(epoch FROM greatest(last_late, interval '0')))::bigint AS last_late_ms,
       floor(1000 * extract(epoch FROM greatest(p95_late, interval '0')))::bigint AS p95_late_ms,
       floor(1000 * extract(epoch FROM greatest(worst_late, interval '0')))::bigint AS worst_late_ms
  FROM added_up
