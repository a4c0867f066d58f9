-- Take the probe of a held account, if it is due: nobody else takes it before the next one, however long it takes. Those
-- that come to nothing lie further and further apart. Where nobody is logged in, or the login has ended, only the next
-- one helps. An account that has never worked has none planned, and is tried now.
UPDATE broker_accounts AS account
   SET probes = account.probes + 1,
       probe_at = moment.now + least(:first * power(2, least(account.probes + 1, 20)), :longest)
  FROM (SELECT clock_timestamp() AS now) AS moment
 WHERE account.name = :name
   AND account.state <> 'READY'
   AND (account.probe_at IS NULL OR account.probe_at <= moment.now)
   AND NOT EXISTS (SELECT FROM (SELECT token_sealed, valid_until FROM broker_credentials
                                 WHERE broker_account = account.name ORDER BY version DESC LIMIT 1) AS newest
                    WHERE newest.token_sealed IS NULL OR newest.valid_until <= moment.now)
RETURNING account.name, account.state, account.reason, account.state_since, account.is_read_refused,
          account.state_since > account.made_at AS has_worked
