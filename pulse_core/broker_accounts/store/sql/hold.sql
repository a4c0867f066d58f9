-- The broker refuses an account: it is held, unless it is already, or was released after the refused call began, or so
-- shortly before that a process may have made it with the login of before. One that is held soon after it was released is
-- probed ever less often, as if it had been held all along.
UPDATE broker_accounts AS account
   SET state = :state,
       reason = :reason,
       state_since = moment.now,
       probes = CASE WHEN account.state_since > moment.now - :soon THEN account.probes ELSE 0 END,
       probe_at = moment.now + least(:first * power(2, CASE WHEN account.state_since > moment.now - :soon
                                                            THEN least(account.probes, 20) ELSE 0 END), :longest),
       is_read_refused = :is_read
  FROM (SELECT clock_timestamp() AS now) AS moment
 WHERE account.name = :name
   AND account.state = 'READY'
   AND account.state_since + CASE WHEN account.probes > 0 THEN :noticed ELSE interval '0' END <= :began_at
RETURNING account.state_since
