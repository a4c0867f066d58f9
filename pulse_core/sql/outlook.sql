-- What sweeps may find now: each column asks for a little more than the sweeps that it stands for, of one index.
SELECT EXISTS (SELECT FROM order_slices WHERE status = 'SCHEDULED' AND due_at <= clock_timestamp() + :horizon) AS is_due,
       EXISTS (SELECT FROM order_slices
                WHERE status = 'SENDING' AND lease_expires_at <= clock_timestamp() + :margin) AS is_expired,
       EXISTS (SELECT FROM order_slices WHERE status = 'UNKNOWN') AS is_unknown,
       EXISTS (SELECT FROM order_slices WHERE status = 'WORKING') AS is_working,
       EXISTS (SELECT FROM orders WHERE status = 'PENDING') AS is_unsplit,
       EXISTS (SELECT FROM orders WHERE status IN ('IN_PROGRESS', 'PAUSED', 'CANCELLING')) AS is_live,
       EXISTS (SELECT FROM orders WHERE status = 'PAUSED') AS is_paused,
       EXISTS (SELECT FROM orders WHERE hold IS NOT NULL)
       OR EXISTS (SELECT FROM broker_accounts WHERE state <> 'READY') AS is_held,
       EXISTS (SELECT FROM alarms WHERE status <> 'RESOLVED') AS is_alarmed,
       EXISTS (SELECT FROM webhooks WHERE disabled_at IS NULL) AS has_webhooks,
       EXISTS (SELECT FROM broker_accounts account,
                      LATERAL (SELECT valid_until FROM broker_credentials
                                WHERE broker_account = account.name ORDER BY version DESC LIMIT 1) newest
                WHERE account.state = 'READY' AND newest.valid_until <= clock_timestamp() + interval '1 hour')
         AS is_ending,
       EXISTS (SELECT FROM orders WHERE id >= :least_id)
       OR EXISTS (SELECT FROM order_slices
                   WHERE status = 'SCHEDULED'
                     AND due_at BETWEEN clock_timestamp() - interval '1 minute'
                                    AND clock_timestamp() + interval '3 seconds' + :margin) AS is_priced
