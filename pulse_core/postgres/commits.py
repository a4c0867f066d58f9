"""Whether commits get through: a primary lets each one wait for as long as its synchronous standby is away.

No time limit of a session ends such a wait: the commit stands on the primary already, and nobody may be told so yet.
"""

from sqlalchemy import Connection, text

PATIENCE_SECONDS = 5.0
# What sessions of other roles wait for is not told, and need not be: every process of ours commits all the time.
LONGEST_WAIT = """
    SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8
      FROM pg_stat_activity
     WHERE datname = current_database() AND state = 'active' AND wait_event = 'SyncRep'
"""

_LONGEST_WAIT = text(LONGEST_WAIT)


def wait_for_a_standby(connection: Connection) -> bool:
    """Whether a commit has waited for a standby for longer than one that is there ever takes."""
    _, seconds = connection.execute(_LONGEST_WAIT).one()
    return bool(seconds > PATIENCE_SECONDS)
