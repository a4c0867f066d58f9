"""What an answer says about an order: by HTTP status and raw error_type. Whose fault a refusal is: `refusals`."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from pulse_core.brokers.port import BrokerError, NotSent, OutcomeUnknown, Refused, Scope
from pulse_core.brokers.transport import Call, proves_refusal, unanswered
from pulse_core.brokers.zerodha.refusals import rule_for
from pulse_core.brokers.zerodha.rows import storable

# Raised between Kite and the exchange's order system: the order may have got through, whatever the status.
_AMBIGUOUS_ERROR_TYPES = frozenset({"NetworkException", "DataException"})
_ERROR_TYPE = re.compile(r"[A-Za-z]{1,40}")
_MESSAGE_LENGTH = 200


def failure(call: Call, error: Exception | None, secrets: Collection[str]) -> BrokerError:
    """Why `call` did not succeed, told without any of the `secrets`.

    `error` is what the client raised, if anything; only its class name is used, for the message.
    """
    if call.status is None:
        return unanswered(call, error)
    body = _body(call)
    error_type = _error_type(body)
    code = error_type or f"HTTP_{call.status}"
    message = _message(call, body, secrets)
    if not _is_refusal(call.status, code):
        return OutcomeUnknown(code, message)
    rule = rule_for(call.status, error_type, message)
    # Whoever asked too often may ask again.
    kind = NotSent if rule.scope is Scope.BUDGET else Refused
    return kind(rule.code or code, message, rule.scope)


def _is_refusal(status: int, code: str) -> bool:
    """Whether nothing was placed, for certain. A 429 says so whatever else it says."""
    if status == 429:
        return True
    return proves_refusal(status) and code not in _AMBIGUOUS_ERROR_TYPES


def _body(call: Call) -> Mapping[str, Any]:
    try:
        body = json.loads(call.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _error_type(body: Mapping[str, Any]) -> str | None:
    error_type = body.get("error_type")
    return error_type if isinstance(error_type, str) and _ERROR_TYPE.fullmatch(error_type) else None


def _message(call: Call, body: Mapping[str, Any], secrets: Collection[str]) -> str:
    message = body.get("message")
    if not isinstance(message, str) or not message:
        return f"HTTP {call.status} without a readable message"
    for secret in secrets:
        message = message.replace(secret, "***")
    return storable(message[:_MESSAGE_LENGTH])
