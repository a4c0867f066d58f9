"""How far the deliveries to webhooks are behind."""

from sqlalchemy import Float, Integer
from sqlalchemy.orm import Session

from pulse_core.postgres import sql


def webhook_lag(session: Session, most: int) -> tuple[int, float]:
    """How many of up to `most` live webhooks are failing, and for how many seconds an event has waited for one."""
    failing, lag_seconds = session.execute(_WEBHOOK_LAG, {"most": most}).one()
    return failing, lag_seconds


_WEBHOOK_LAG = sql.load(__package__, "webhook_lag", {"most": Integer()}).columns(failing=Integer(), lag_seconds=Float())
