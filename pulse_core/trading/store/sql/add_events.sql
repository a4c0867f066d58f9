-- Record events of any number of orders, numbered in the order in which they are given.
INSERT INTO slice_events (account_id, order_id, slice_id, at, kind, from_status, to_status, detail)
SELECT orders.account_id, told.order_id, told.slice_id, :now, told.kind, told.from_status, told.to_status,
       CAST(told.detail AS jsonb)
  FROM unnest(CAST(:kinds AS varchar[]), CAST(:order_ids AS varchar[]), CAST(:slice_ids AS varchar[]),
              CAST(:from_statuses AS varchar[]), CAST(:to_statuses AS varchar[]), CAST(:details AS text[]))
       WITH ORDINALITY AS told (kind, order_id, slice_id, from_status, to_status, detail, place)
  LEFT JOIN orders ON orders.id = told.order_id
 ORDER BY told.place
