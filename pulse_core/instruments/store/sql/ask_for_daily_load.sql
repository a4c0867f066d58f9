-- Ask for a broker's list of the day: none was loaded since the last hour at which brokers have it ready, by the clock
-- of its market. After a load that came to nothing the next one waits half as long as they have been failing, within
-- limits.
INSERT INTO instrument_loads (broker, asked_by, asked_at, accepts_smaller)
SELECT :broker, :asked_by, moment.now, false
  FROM (SELECT clock_timestamp() AS now) AS moment,
       LATERAL (SELECT (date_trunc('day', moment.now AT TIME ZONE :time_zone - :ready_after) + :ready_after)
                       AT TIME ZONE :time_zone AS ready_at) AS day,
       LATERAL (SELECT max(ended_at) AS last_at, min(asked_at) AS since
                  FROM instrument_loads
                 WHERE broker = :broker
                   AND id > coalesce((SELECT max(id) FROM instrument_loads
                                       WHERE broker = :broker AND outcome = 'LOADED'), 0)) AS failing
 WHERE NOT EXISTS (SELECT FROM instrument_loads
                    WHERE broker = :broker AND outcome = 'LOADED' AND begun_at >= day.ready_at)
   AND (failing.last_at IS NULL
        OR failing.last_at <= moment.now - greatest(:least_rest, least(:most_rest, (moment.now - failing.since) / 2)))
    ON CONFLICT (broker) WHERE ended_at IS NULL DO NOTHING
