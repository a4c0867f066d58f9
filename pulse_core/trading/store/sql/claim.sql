-- Take due slices for one worker, each by its own right: the slice becomes SENDING, the attempt is recorded, and an event
-- tells of it. Returns no row for a slice that may not be claimed, nor for one that somebody else has locked: it must not
-- hold up the others. All instants are the database's unless one is given.
WITH moment AS (
    SELECT coalesce(:now, clock_timestamp()) AS now
),
wanted AS (
    SELECT one.slice_id, one.attempts_before, one.client_order_id
      FROM unnest(:slice_ids, :attempts_before, :client_order_ids) AS one (slice_id, attempts_before, client_order_id)
),
free AS (
    SELECT slice.id, wanted.client_order_id, moment.now,
           -- As it was read for all, a few seconds ago at most.
           (SELECT last.price FROM last_prices AS last
             WHERE last.broker = :broker_account AND last.instrument = orders.instrument
               AND last.read_at >= moment.now - interval '5 seconds') AS last_price
      FROM moment, wanted
      JOIN order_slices AS slice ON slice.id = wanted.slice_id
      JOIN orders ON orders.id = slice.order_id
       -- Joined with nothing, so that no partial index is taken for the primary key (see conditions.py).
     WHERE slice.status || '' = :from_status
       AND slice.attempts = wanted.attempts_before
       AND slice.due_at <= moment.now
       -- Under the broker's limits it has a turn, and this is the time.
       AND (:turn_lasts IS NULL
            OR (slice.turn_at <= moment.now AND slice.turn_at + :turn_lasts >= moment.now))
       AND slice.filled_quantity < slice.quantity
       -- No earlier attempt may have an order at the broker that can still trade.
       AND NOT EXISTS (
           SELECT 1 FROM placements
            WHERE placements.slice_id = slice.id
              AND (placements.outcome IS NULL
                   OR placements.outcome = 'UNKNOWN'
                   OR (placements.outcome = 'ACKNOWLEDGED' AND placements.ended_at IS NULL)))
       AND orders.status || '' = 'IN_PROGRESS'
       AND orders.broker = :broker_account
       AND orders.end_at >= moment.now - :late_grace
       -- Where its exchange has hours, it takes such an order now.
       AND (split_part(orders.instrument, ':', 1) <> ALL (:with_hours)
            OR EXISTS (
                SELECT 1
                  FROM unnest(:exchanges, :order_types, :products, :opens, :closes)
                       AS open_now (exchange, order_type, product, opens_at, closes_at)
                 WHERE open_now.exchange = split_part(orders.instrument, ':', 1)
                   AND open_now.order_type = orders.order_type
                   AND open_now.product = coalesce(orders.product, :default_product)
                   AND open_now.opens_at <= moment.now
                   AND open_now.closes_at > moment.now))
       -- No more of it goes out in an interval than may: what went out lately, and what is due now, whoever takes it. A
       -- claim may have been late by a quarter of an interval, and holds up nothing that was planned after it.
       AND (orders.most_per_interval IS NULL
            OR orders.most_per_interval >= (
               SELECT sum(CASE WHEN part.status <> 'SCHEDULED' THEN part.quantity
                               WHEN part.id = slice.id OR part.due_at <= moment.now
                               THEN part.quantity - part.filled_quantity ELSE 0 END
                          -- What was filled before an attempt was rejected has gone out as well.
                          + CASE WHEN part.status = 'SCHEDULED' AND part.filled_quantity > 0 THEN (
                                SELECT coalesce(sum(fill.quantity), 0)
                                  FROM placements AS attempt
                                  JOIN fills AS fill ON fill.broker = attempt.broker
                                                    AND fill.broker_order_id = attempt.broker_order_id
                                 WHERE attempt.slice_id = part.id
                                   AND attempt.claimed_at > moment.now - orders.pace_interval * 0.75)
                            ELSE 0 END)
                 FROM order_slices AS part
                WHERE part.order_id = slice.order_id
                  AND (part.id = slice.id
                       OR (part.status = 'SCHEDULED' AND (part.due_at <= moment.now OR part.filled_quantity > 0))
                       OR (part.status <> 'SCHEDULED' AND part.sent_at > moment.now - orders.pace_interval * 0.75)))
            -- What is alone and larger than that cannot be helped.
            OR (slice.quantity > orders.most_per_interval AND NOT EXISTS (
               SELECT 1 FROM order_slices AS part
                WHERE part.order_id = slice.order_id
                  AND part.id <> slice.id
                  AND part.sent_at > moment.now - orders.pace_interval * 0.75)))
       -- Nor what is late, where it is not to be sent as it is.
       AND (orders.pace_interval IS NULL
            OR orders.catch_up IN ('spread', 'burst')
            OR orders.end_at < moment.now
            OR slice.due_at >= moment.now - greatest(orders.pace_interval, interval '2 seconds'))
       -- Nothing of it is sent while it is held, or its account at the broker.
       AND orders.hold IS NULL
       AND NOT EXISTS (SELECT 1 FROM broker_accounts AS account
                        WHERE account.name = orders.broker AND account.state <> 'READY')
       -- Nor while somebody has halted it.
       AND NOT EXISTS (SELECT 1 FROM halts AS halt
                        WHERE halt.released_at IS NULL
                          AND coalesce(halt.account_id, orders.account_id) = orders.account_id
                          AND coalesce(halt.broker, orders.broker) = orders.broker
                          AND coalesce(halt.instrument, orders.instrument) = orders.instrument)
       -- Nothing is sent while sending is held.
       AND NOT EXISTS (SELECT 1 FROM installation WHERE installation.held_since IS NOT NULL)
       FOR NO KEY UPDATE OF slice SKIP LOCKED
),
claimed AS (
    UPDATE order_slices AS slice
       SET status = :to_status,
           attempts = slice.attempts + 1,
           client_order_id = free.client_order_id,
           broker_order_id = NULL,
           lease_expires_at = free.now + :lease,
           sent_at = free.now,
           -- Used up: it is good for one call.
           turn_at = NULL,
           admitted_at = slice.turn_at,
           absent_since = NULL,
           cancel_reason = NULL,
           cancel_asked_at = NULL,
           cancel_asks = 0,
           last_price = free.last_price,
           updated_at = free.now
      FROM free, orders
     WHERE slice.id = free.id
       AND orders.id = slice.order_id
 RETURNING slice.id, slice.order_id, orders.account_id, slice.attempts, slice.client_order_id,
           slice.quantity - slice.filled_quantity AS lacking,
           orders.instrument, orders.side, CASE WHEN NOT slice.is_last THEN orders.limit_price END AS limit_price,
           orders.product, orders.slice_timeout_seconds,
           orders.trace, slice.updated_at AS claimed_at, orders.total_quantity,
           slice.scheduled_at, slice.due_at, slice.admitted_at, slice.last_price, orders.reckoned_price
),
placed AS (
    INSERT INTO placements (client_order_id, slice_id, attempt, quantity, broker, claimed_at)
    SELECT client_order_id, id, attempts, lacking, :broker_account, claimed_at
      FROM claimed
),
told AS (
    INSERT INTO slice_events (account_id, order_id, slice_id, at, kind, from_status, to_status, detail)
    SELECT account_id, order_id, id, claimed_at, 'MOVE', :from_status, :to_status,
           jsonb_build_object('attempt', attempts, 'client_order_id', client_order_id)
      FROM claimed
)
SELECT claimed.*, whole.exposed
  FROM claimed
  -- Once for each order, however many of its slices were claimed.
  JOIN (SELECT DISTINCT order_id FROM claimed) AS touched ON touched.order_id = claimed.order_id
 CROSS JOIN LATERAL (
       -- All shares of the order that are filled, live or unsent, as they stood before this statement.
       SELECT CAST(sum(part.filled_quantity)
                   + coalesce(sum(greatest(part.quantity - part.filled_quantity, 0))
                              FILTER (WHERE part.status = ANY (:open_statuses)), 0) AS bigint) AS exposed
         FROM order_slices AS part
        WHERE part.order_id = touched.order_id) AS whole
