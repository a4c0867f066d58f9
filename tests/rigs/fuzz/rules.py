"""What must hold of every answer, beyond what schemathesis knows."""

import re
from collections.abc import Mapping
from typing import Any

import requests
from schemathesis import Case

from api_contract.preconditions import HEADER, PARAMETER
from gapi_app.cells.naming import HEADER as CELL
from tests.contract.client import check_answer

# Rules that no schema can state: they tie fields together, to the time, to the installation or to what is there.
_WORTHS = {"order_worth", "day_worth", "price_collar_percent", "volume_share_percent", "instruments"}
BEYOND_SCHEMAS = {
    "show_market": {"day"},
    "place_order": {
        *("split_config", "total_quantity", "limit_price", "instrument", "start_at", "client_note", "plan_token")
    },
    "preview_order": {"split_config", "total_quantity", "limit_price", "instrument", "start_at", "client_note"},
    "amend_order": {"body", "total_quantity", "end_at", "duration_minutes", "limit_price", "client_note", "status"},
    "settle_slice": {"filled", "price", "reason"},
    "halt_trading": {"reason"},
    "list_halts": {"cursor"},
    "list_halted_slices": {"cursor"},
    "set_user_limits": _WORTHS,
    "set_account_limits": _WORTHS,
    "list_orders": {"cursor", "changed_after", "search"},
    "list_instruments": {"cursor"},
    "list_fills": {"cursor"},
    "list_users": {"cursor"},
    "list_accounts": {"cursor"},
    "list_alarms": {"cursor"},
    "note_alarm": {"note"},
    "list_keys": {"after", "cursor"},
    "list_all_keys": {"after", "cursor"},
    "add_key": {"scopes", "name", "networks", "recovery_code"},
    "log_in": {"recovery_code"},
    "enrol": {"recovery_code"},
    "renew_recovery_codes": {"recovery_code"},
    "disable_second_factor": {"recovery_code"},
    "add_broker_account": {"name", "broker"},
    "add_user": {"username", "password"},
    "add_account": {"username", "password"},
    "change_user": {"password"},
    "change_account": {"password"},
    "change_password": {"new_password", "recovery_code"},
    "add_webhook": {"url"},
    "redeliver_event": {"event_id"},
    "list_deliveries": {"cursor"},
    "list_all_webhooks": {"cursor"},
    "follow_account": {"last_event_id"},
    "follow_order": {"last_event_id"},
    "follow_alarms": {"last_event_id"},
    "follow_all_accounts": {"last_event_id"},
    "revoke": {"jti", "account_id"},
    "log_broker_account_in": {"request_token", "user"},
    "take_zerodha_postback": {"body", "order_id", "order_timestamp", "checksum", "JSON"},
}


def check(case: Case, answer: requests.Response, operation_id: str, refusal: int | None) -> None:
    """`refusal`: the status that the caller must get, whatever was sent."""
    check_answer(answer)
    assert answer.status_code < 500, answer.text
    if refusal is not None and answer.request.method == case.operation.method.upper():
        fitting = (refusal, 405, 413, 404) if is_no_address(case) else (refusal, 405, 413)
        assert answer.status_code in fitting, (
            f"{answer.status_code} for one who must get {refusal}: {case.formatted_path}"
        )
    meta = case.meta
    if meta is not None and meta.generation.mode.is_positive and answer.status_code == 400:
        # No schema knows which cells there are.
        beyond = BEYOND_SCHEMAS.get(operation_id, set()) | {CELL}
        broken = broken_by(answer.json()["error"])
        # To JSON Schema 5.0 is an integer.
        is_beyond = broken & beyond or "an integer" in answer.text or (HEADER in broken and not fits(case.headers))
        assert is_beyond, f"valid by the specification, and refused: {answer.text}"


def is_no_address(case: Case) -> bool:
    """Whether a parameter cannot stand in a path, as a key such as "/a" or one of two lines: it is nobody's then."""
    values = map(str, (case.path_parameters or {}).values())
    return any(value in (".", "..") or not re.fullmatch("[^/].*", value) for value in values)


def fits(headers: Mapping[str, str] | None) -> bool:
    """Whether If-Match is as its specification has it: at the boundaries "0" is drawn for its pattern."""
    return re.search(PARAMETER["schema"]["pattern"], (headers or {}).get(HEADER, "*")) is not None


def broken_by(error: dict[str, Any]) -> set[str]:
    """Fields and rules that an error names."""
    details = error["details"]
    fields = filter(None, (details.get("field"), *details.get("fields", ())))
    # One of a list is named by its place.
    return {name.partition(".")[0] for name in fields} | ({details["rule"]} if "rule" in details else set())
