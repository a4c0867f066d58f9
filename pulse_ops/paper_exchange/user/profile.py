"""The user of the account."""

from typing import Any

from pulse_ops.paper_exchange.wire import USER_ID

EXCHANGES = ("NSE", "BSE", "NFO")
PRODUCTS = ("CNC", "NRML", "MIS", "MTF")
ORDER_TYPES = ("MARKET", "LIMIT", "SL", "SL-M")


def profile() -> dict[str, Any]:
    """The data of GET /user/profile."""
    return {
        "user_id": USER_ID,
        "user_type": "individual",
        "email": "paper@example.com",
        "user_name": "Paper Account",
        "user_shortname": "Paper",
        "broker": "ZERODHA",
        "exchanges": list(EXCHANGES),
        "products": list(PRODUCTS),
        "order_types": list(ORDER_TYPES),
        "avatar_url": None,
        "meta": {"demat_consent": "consent"},
    }
