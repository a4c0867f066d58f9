"""Whose fault a refusal of Zerodha's is, by the answers that it is known to give."""

import json

import pytest

from pulse_core.broker_accounts.state import reason_for, state_after
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.brokers.port import (
    ACCOUNT_BLOCKED,
    ADDRESS_NOT_REGISTERED,
    RATE_LIMITED,
    TOKEN_ENDED,
    NotSent,
    OutcomeUnknown,
    Refused,
    Scope,
)
from pulse_core.brokers.transport import Call
from pulse_core.brokers.zerodha.errors import failure

ANSWERS = [
    (403, "TokenException", "Incorrect `api_key` or `access_token`.", Scope.ACCOUNT, TOKEN_ENDED),
    (
        403,
        "PermissionException",
        "No IPs configured for this app. Add allowed IPs on the developer console.",
        Scope.ACCOUNT,
        ADDRESS_NOT_REGISTERED,
    ),
    (403, "PermissionException", "Insufficient permission for that call.", Scope.ACCOUNT, ACCOUNT_BLOCKED),
    (403, "UserException", "Your account is blocked for trading.", Scope.ACCOUNT, ACCOUNT_BLOCKED),
    (400, "MarginException", "anything", Scope.FUNDS, "MarginException"),
    (
        400,
        "InputException",
        "Insufficient funds. Required margin is 95417.84 but available margin is 74251.80.",
        Scope.FUNDS,
        "InputException",
    ),
    (400, "HoldingException", "anything", Scope.HOLDINGS, "HoldingException"),
    (400, "OrderException", "Insufficient stock holding: 5 of 10.", Scope.HOLDINGS, "OrderException"),
    (
        400,
        "OrderException",
        "Markets are closed right now. Use GTT for placing long standing orders instead.",
        Scope.MARKET,
        "OrderException",
    ),
    (
        400,
        "InputException",
        "MIS (intraday) are blocked as the markets are not open for trading today. Try placing an AMO order.",
        Scope.MARKET,
        "InputException",
    ),
    (
        400,
        "InputException",
        "Your order could not be converted to a After Market Order (AMO).",
        Scope.MARKET,
        "InputException",
    ),
    (
        400,
        "InputException",
        "Your order price is lower than the current lower circuit limit of 70.65.",
        Scope.PRICE,
        "InputException",
    ),
    (400, "OrderException", "The price is out of the current execution range.", Scope.PRICE, "OrderException"),
    (400, "InputException", "Invalid `tradingsymbol`.", Scope.ORDER, "InputException"),
    (400, "UserException", "The quantity is too large.", Scope.ORDER, "UserException"),
]


def answered(status: int, error_type: str, message: str) -> Call:
    body = {"status": "error", "error_type": error_type, "message": message}
    return Call(has_left=True, status=status, body=json.dumps(body).encode())


@pytest.mark.parametrize(("status", "error_type", "message", "scope", "code"), ANSWERS)
def test_an_answer_says_whose_fault_it_is(status: int, error_type: str, message: str, scope: Scope, code: str) -> None:
    found = failure(answered(status, error_type, message), None, ())

    assert (type(found), found.scope, found.code) == (Refused, scope, code)


@pytest.mark.parametrize(
    ("status", "error_type", "message"),
    [(429, "NetworkException", "Too many requests"), (400, "InputException", "Too many orders in a second.")],
)
def test_who_asks_too_often_may_ask_again(status: int, error_type: str, message: str) -> None:
    found = failure(answered(status, error_type, message), None, ())

    assert (type(found), found.scope, found.code) == (NotSent, Scope.BUDGET, RATE_LIMITED)


@pytest.mark.parametrize(
    ("status", "error_type"), [(503, "NetworkException"), (500, "MarginException"), (400, "DataException")]
)
def test_words_never_make_a_doubt_a_refusal(status: int, error_type: str) -> None:
    found = failure(answered(status, error_type, "Insufficient funds. Markets are closed."), None, ())

    assert type(found) is OutcomeUnknown


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (TOKEN_ENDED, BrokerAccountState.AWAITING_TOKEN),
        (ADDRESS_NOT_REGISTERED, BrokerAccountState.BLOCKED),
        (ACCOUNT_BLOCKED, BrokerAccountState.BLOCKED),
    ],
)
def test_a_login_is_told_from_a_block(code: str, state: BrokerAccountState) -> None:
    assert state_after(code) is state


def test_an_address_that_is_not_registered_is_named() -> None:
    said = reason_for(ADDRESS_NOT_REGISTERED, "No IPs configured")

    assert (
        said == "the broker does not know the address that Pulse calls from: ADDRESS_NOT_REGISTERED: No IPs configured"
    )
