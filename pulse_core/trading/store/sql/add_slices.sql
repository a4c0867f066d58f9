-- Write the schedules of orders, however many at once. What is due by the horizon counts as handed to Celery for the time
-- that a hint lives; without a horizon nothing does.
INSERT INTO order_slices (id, order_id, sequence_number, quantity, scheduled_at, due_at, hinted_until, status, attempts,
                          failures, cancel_asks, filled_quantity, updated_at)
SELECT planned.id, planned.order_id, planned.sequence_number, planned.quantity, planned.scheduled_at,
       planned.scheduled_at,
       CASE WHEN planned.scheduled_at <= :horizon THEN greatest(planned.scheduled_at, :now) + :hint_lifetime END,
       :status, 0, 0, 0, 0, :now
  FROM unnest(CAST(:ids AS varchar[]), CAST(:order_ids AS varchar[]), CAST(:sequence_numbers AS smallint[]),
              CAST(:quantities AS bigint[]), CAST(:scheduled_at AS timestamptz[]))
       AS planned (id, order_id, sequence_number, quantity, scheduled_at)
