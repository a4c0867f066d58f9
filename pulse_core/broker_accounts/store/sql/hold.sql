-- The broker refuses an account: it is held, unless it is already, or was released after the refused call began, or so
-- shortly before that a process may have made it with the login of before. One that is held soon after it was released is
-- probed ever less often, as if it had been held all along.
INSERT INTO broker_accounts AS account
       (name, broker, is_live, options, state, reason, state_since, probes, probe_at, is_read_refused, made_by, made_at)
SELECT :name, :name, :name <> 'paper', CAST('{}' AS jsonb), :state, :reason, moment.now, 0, moment.now + :first, :is_read, 'pulse',
       moment.now
  FROM (SELECT clock_timestamp() AS now) AS moment
    ON CONFLICT (name) DO UPDATE
   SET state = excluded.state,
       reason = excluded.reason,
       state_since = excluded.state_since,
       probes = CASE WHEN account.state_since > excluded.state_since - :soon THEN account.probes ELSE 0 END,
       probe_at = excluded.state_since
                  + least(:first * power(2, CASE WHEN account.state_since > excluded.state_since - :soon
                                                 THEN account.probes ELSE 0 END), :longest),
       is_read_refused = excluded.is_read_refused
 WHERE account.state = 'READY'
   AND account.state_since + CASE WHEN account.probes > 0 THEN :noticed ELSE interval '0' END <= :began_at
RETURNING account.state_since
