"""What an answer of Alpaca, or none, says about an order: by HTTP status, then by its code and words."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from pulse_core.brokers.port import (
    ACCOUNT_BLOCKED,
    RATE_LIMITED,
    TOKEN_ENDED,
    AlreadyThere,
    BrokerError,
    NotSent,
    OutcomeUnknown,
    Refused,
    Scope,
)
from pulse_core.brokers.transport import Call, proves_refusal, unanswered

_MESSAGE_LENGTH = 200
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_IN_USE = re.compile(r"client_order_id\b.*\b(unique|exists|in use|duplicate)", re.IGNORECASE)
# The first that its words fit.
_SCOPES = (
    (re.compile(r"buying power|insufficient (funds|balance)|not enough (funds|cash)", re.IGNORECASE), Scope.FUNDS),
    (re.compile(r"insufficient qty|not enough shares|short (selling|sell)|shortable", re.IGNORECASE), Scope.HOLDINGS),
    (re.compile(r"market is (closed|not open)|halted|trading hours", re.IGNORECASE), Scope.MARKET),
    (re.compile(r"account (is )?(blocked|restricted|not (active|allowed|eligible))", re.IGNORECASE), Scope.ACCOUNT),
    (re.compile(r"price band|limit.?up|limit.?down|too far from", re.IGNORECASE), Scope.PRICE),
)


def failure(call: Call, error: Exception | None, secrets: Collection[str]) -> BrokerError:
    """Why `call` did not succeed, told without any of the `secrets`.

    `error` is what was raised meanwhile, if anything; only its class name is used, for the message.
    """
    if call.status is None:
        return unanswered(call, error)
    body = _body(call)
    code, message = _code(body) or f"HTTP_{call.status}", _message(call, body, secrets)
    if call.status == 429:
        return NotSent(RATE_LIMITED, message, Scope.BUDGET)
    if 400 <= call.status < 500 and _IN_USE.search(message):
        return AlreadyThere(message)
    if proves_refusal(call.status):
        scope = _scope(call.status, message)
        return Refused(_code_of_account(call.status) if scope is Scope.ACCOUNT else code, message, scope)
    return OutcomeUnknown(code, message)


def _code_of_account(status: int) -> str:
    # Keys that were revoked work again when somebody brings others.
    return TOKEN_ENDED if status == 401 else ACCOUNT_BLOCKED


def _scope(status: int, message: str) -> Scope:
    if status == 401:
        return Scope.ACCOUNT
    by_words = next((scope for words, scope in _SCOPES if words.search(message)), None)
    # What it forbids without a word about the order, it forbids to the account.
    return by_words or (Scope.ACCOUNT if status == 403 and message.lower().startswith("forbidden") else Scope.ORDER)


def _body(call: Call) -> Mapping[str, Any]:
    try:
        body = msgspec.json.decode(call.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _code(body: Mapping[str, Any]) -> str | None:
    code = body.get("code")
    return f"ALPACA_{code}" if isinstance(code, int) and not isinstance(code, bool) and 0 < code < 10**9 else None


def _message(call: Call, body: Mapping[str, Any], secrets: Collection[str]) -> str:
    message = body.get("message")
    if not isinstance(message, str) or not message:
        return f"HTTP {call.status} without a readable message"
    for secret in secrets:
        message = message.replace(secret, "***")
    return _UNSTORABLE.sub("?", message[:_MESSAGE_LENGTH])
