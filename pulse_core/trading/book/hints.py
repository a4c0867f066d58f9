"""What postbacks hint at: taken for all that reads, and believed by nothing."""

from pulse_core.trading.book import look_ups, pace


def take_hint(broker_order_ids: str) -> None:
    """Take a postback's hint at orders, whose ids are joined by commas."""
    hinted = broker_order_ids.split(",")
    look_ups.looks.hint(hinted)
    pace.paces.hint(hinted)
