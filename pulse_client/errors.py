"""What can go wrong between a client and the gateway; each text is one sentence for the person who asked.

GatewayError            the gateway answered that it failed
    NotReachable        no gateway there, or none that gives an answer
    Refused             the gateway said no, and why
"""


class GatewayError(Exception):
    """`again_after`: seconds after which asking again may help; None when it will not."""

    def __init__(self, message: str, again_after: float | None = None) -> None:
        super().__init__(message)
        self.again_after = again_after


class NotReachable(GatewayError):
    pass


class Refused(GatewayError):
    """`code` and `status` are those of the API's error table."""

    def __init__(self, message: str, status: int, code: str, again_after: float | None = None) -> None:
        super().__init__(message, again_after)
        self.status = status
        self.code = code
