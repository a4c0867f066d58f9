"""What Alpaca answers instead of doing what it was asked."""

from flask import Response, jsonify

from pulse_ops.paper_exchange.errors import WireError

_CODES = {401: 40110000, 403: 40310000, 404: 40410000, 422: 42210000, 429: 42910000}


class Refusal(Exception):
    """An answer of a status, a code and a message."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or _CODES.get(status, status * 100_000 + 10_000)


def unprocessable(message: str) -> Refusal:
    """A field that is not as it must be."""
    return Refusal(422, message, 40010001)


def answer(refusal: Refusal) -> tuple[Response, int]:
    return jsonify(code=refusal.code, message=refusal.message), refusal.status


def answer_to_wire_error(error: WireError) -> tuple[Response, int]:
    """What the exchange refuses by itself, or its scenario: bad input is unprocessable here."""
    status = 422 if error.status == 400 else error.status
    if error.error_type == "MarginException":
        return answer(Refusal(403, f"insufficient buying power: {error.message}"))
    if error.error_type == "HoldingException":
        return answer(Refusal(403, f"insufficient qty available: {error.message}"))
    return answer(Refusal(status, error.message))
