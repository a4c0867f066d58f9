-- What an account at a broker has been asked of late and will be, with the instant that this is true of. Instants of
-- calls are in microseconds from there.
WITH moment AS (
    SELECT coalesce(:now, clock_timestamp()) AS now
)
SELECT moment.now,
       budget.version,
       budget.day,
       budget.calls_of_day,
       budget.full_until,
       EXISTS (SELECT 1 FROM installation WHERE held_since IS NOT NULL)
       OR EXISTS (SELECT 1 FROM broker_accounts WHERE name = :broker_account AND state <> 'READY') AS is_held,
       ARRAY(
           SELECT CAST(extract(epoch FROM turn.at - moment.now) * 1000000 AS bigint)
             FROM broker_turns AS turn
            WHERE turn.broker = :broker_account AND turn.at > moment.now - :kept
            ORDER BY turn.at) AS taken
  FROM moment
  LEFT JOIN broker_budgets AS budget ON budget.broker = :broker_account
