"""What a database looks like that was restored from a backup, or was a standby that lacked the last commits."""

from sqlalchemy import text

from pulse_core import db
from pulse_core.postgres.lineage import lineage
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.store import installation
from tests.support.servers import as_owner

_FORGET = """
    DELETE FROM fills WHERE slice_id = :slice_id;
    DELETE FROM slice_events WHERE slice_id = :slice_id;
    DELETE FROM placements WHERE slice_id = :slice_id AND attempt > :attempts;
    UPDATE order_slices SET status = :status, attempts = :attempts, client_order_id = NULL, broker_order_id = NULL,
        filled_quantity = 0, lease_expires_at = NULL, sent_at = NULL, deadline_at = NULL, resolve_at = NULL,
        due_at = least(due_at, now())
     WHERE id = :slice_id
"""


def forget(slice_id: str, status: str = "SCHEDULED", attempts: int = 0) -> None:
    """Put a slice back to how it was before its later attempts."""
    with as_owner() as connection:
        connection.execute(text(_FORGET), {"slice_id": slice_id, "status": status, "attempts": attempts})


def forget_order(order_id: str) -> None:
    """Lose an order that was accepted after the backup."""
    with as_owner() as connection:
        for table, column in (("fills", "slice_id"), ("placements", "slice_id")):
            connection.execute(
                text(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM order_slices WHERE order_id = :id)"),
                {"id": order_id},
            )
        for table in ("slice_events", "order_slices"):
            connection.execute(text(f"DELETE FROM {table} WHERE order_id = :id"), {"id": order_id})
        connection.execute(text("DELETE FROM orders WHERE id = :id"), {"id": order_id})


def start_again() -> None:
    """Let this process be one that has just been started."""
    lineage.cache_clear()
    sending_hold._clearance.cache_clear()
    sending_hold._quiet_of("paper").interrupt()
    installation.forget_key()


def move_to(database: str | None) -> None:
    """Let the book have been last compared with this database; None: never."""
    with db.transaction() as session:
        session.execute(text("UPDATE installation SET known_database = :database"), {"database": database})
