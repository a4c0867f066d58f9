"""Advisory locks of a session, and whether a connection still leads to the session that holds them.

A connection whose lock is in doubt is given up: it must not return to the pool with the lock, nor work on without it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import ARRAY, Connection, String, bindparam, text
from sqlalchemy.exc import DBAPIError

from api_contract.log import get_logger

log = get_logger(__name__)

_FENCED = bindparam("fenced", type_=ARRAY(String))
_LOCK = text(
    "SELECT one.id, pg_try_advisory_lock(hashtextextended(one.id, 0)) AS is_held FROM unnest(:fenced) AS one (id)"
).bindparams(_FENCED)
_UNLOCK = text("SELECT pg_advisory_unlock(hashtextextended(one, 0)) FROM unnest(:fenced) AS one").bindparams(_FENCED)


def lock(connection: Connection, slice_ids: Iterable[str]) -> list[str]:
    """Lock those slices that no other session holds, and return them. Raises DBAPIError, with the connection given up.

    A session gets again what it holds already.
    """
    with _invalidated_on_error(connection), connection.begin():
        rows = connection.execute(_LOCK, {"fenced": list(slice_ids)})
        return [row.id for row in rows if row.is_held]


def unlock(connection: Connection, slice_ids: Sequence[str]) -> bool:
    """Let go of these slices; False when the session stands and had not held one of them. It is given up then."""
    if not stands(connection):
        return True
    were_held = False
    with suppress(DBAPIError), _invalidated_on_error(connection):
        connection.rollback()
        with connection.begin():
            were_held = all(connection.scalars(_UNLOCK, {"fenced": slice_ids}))
    if were_held or not stands(connection):
        return True
    log.error("fence was not held at its end", slice_ids=slice_ids)
    connection.invalidate()
    return False


def stands(connection: Connection) -> bool:
    """Whether it still leads to the session that it was made with; SQLAlchemy would quietly reconnect to another."""
    # A forked child finds the connections of its parent taken out of SQLAlchemy's.
    return not connection.invalidated and connection.connection.is_valid


@contextmanager
def _invalidated_on_error(connection: Connection) -> Iterator[None]:
    # The lock may be taken though its statement failed.
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise
