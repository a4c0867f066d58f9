"""What a broker's refusal says of the account that it was given to."""

from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.brokers.port import ADDRESS_NOT_REGISTERED, TOKEN_ENDED

_ADDRESS = "the broker does not know the address that Pulse calls from"


def state_after(code: str) -> BrokerAccountState:
    """The state of an account that was refused with this code."""
    return BrokerAccountState.AWAITING_TOKEN if code == TOKEN_ENDED else BrokerAccountState.BLOCKED


def reason_for(code: str, message: str | None) -> str:
    """Why, for people: the code and the broker's words, and what they come to where that is known."""
    said = ": ".join(filter(None, (code, message)))
    return f"{_ADDRESS}: {said}" if code == ADDRESS_NOT_REGISTERED else said
