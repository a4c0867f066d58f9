"""What the exchange answers instead of doing what it was asked."""


class WireError(Exception):
    """An error answer of the Kite Connect protocol."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message


class ConnectionDropped(Exception):
    """No answer at all: the connection is reset."""


def bad_input(message: str) -> WireError:
    """A field that Kite would not accept."""
    return WireError(400, "InputException", message)


def not_here(message: str) -> WireError:
    """What Kite has, and the paper exchange has not."""
    return WireError(501, "GeneralException", message)


def unknown_order() -> WireError:
    """An order id that is not in the book."""
    return WireError(404, "OrderException", "Couldn't find that `order_id`.")
