"""Answers that are kept by the Idempotency-Key of their request."""

import hmac
import json
from collections.abc import Callable, Collection
from typing import Any

from flask import Response, make_response, request

from api_contract.body import read_object
from api_contract.error_answers import error_answer
from api_contract.errors import PulseError
from api_contract.idempotency import REPLAYED, KeyUse
from pulse_app.auth import account_id
from pulse_core.config import key_of
from pulse_core.idempotency import answers
from pulse_core.idempotency.answers import Answer, Call

# Refusals that a repeat would meet again: what the client asked for was looked at.
_KEPT_REFUSALS = (404, 409, 422)


def answer_once(key: str, use: KeyUse, view: Callable[[], Any]) -> Response:
    """The answer of the view, or what it answered to the first call with this key."""
    begun = answers.begin(account_id(), key, _request_hash(use.aside), is_done_again=use.is_done_again)
    if isinstance(begun, Answer):
        return _replayed(begun)
    try:
        answer = make_response(view())
    except PulseError as refused:
        _end_refused(begun, refused, use)
        raise
    answers.remember(begun, _kept(answer))
    return answer


def _end_refused(call: Call, refused: PulseError, use: KeyUse) -> None:
    if refused.status in _KEPT_REFUSALS:
        answers.remember(call, _kept(error_answer(refused)))
    elif refused.status < 500 or use.is_done_again:
        answers.release(call)


def _kept(answer: Response) -> Answer:
    return Answer(answer.status_code, answer.get_data(as_text=True), answer.headers.get("Location"))


def _replayed(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, mimetype="application/json")
    response.headers[REPLAYED] = "true"
    if answer.location is not None:
        response.headers["Location"] = answer.location
    return response


def _request_hash(aside: Collection[str]) -> str:
    """What tells this request from others. Keyed: a body may hold a password, which a plain hash would give away."""
    body = request.get_data()
    stated = {name: value for name, value in read_object(body).items() if name not in aside} if body else {}
    asked = sorted(request.args.items(multi=True))
    told = json.dumps([request.method, request.path, stated, *([asked] if asked else [])], sort_keys=True)
    return hmac.digest(key_of("idempotency"), f"request {told}".encode(), "sha256").hex()
