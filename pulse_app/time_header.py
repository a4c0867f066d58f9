"""The database's time on every answer: gateways use it, whatever their machines' clocks say."""

from flask import Flask, Response

from pulse_core import clock

HEADER = "Pulse-Time"


def tell_time(app: Flask) -> None:
    """Put milliseconds since the epoch on every answer, as far as they are known."""

    @app.after_request
    def tell(response: Response) -> Response:
        known = clock.last_known()
        if known is not None:
            response.headers[HEADER] = str(int(known * 1000))
        return response
