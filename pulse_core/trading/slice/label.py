"""How a slice is named to people who look at its task."""


def label(order_id: str, side: str, instrument: str, num_splits: int, quantity: int, sequence_number: int) -> str:
    """One line for one slice, such as `BUY 20 NSE:SBIN · ord_... · 3/20`."""
    return f"{side} {quantity} {instrument} · {order_id} · {sequence_number}/{num_splits}"
