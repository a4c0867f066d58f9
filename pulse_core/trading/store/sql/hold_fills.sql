-- Write down what slices hold, however many at once; their statuses stay.
UPDATE order_slices AS slice
   SET filled_quantity = holding.filled_quantity,
       average_price = holding.average_price,
       updated_at = :now
  FROM unnest(CAST(:ids AS varchar[]), CAST(:filled AS bigint[]), CAST(:prices AS numeric[]))
       AS holding (id, filled_quantity, average_price)
 WHERE slice.id = holding.id
