"""flask-smorest with our parser and errors, where one statement both guards a view and describes it."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from typing import Any

import flask_smorest
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from api_contract import preconditions
from api_contract.body import MAX_BODY_BYTES, StrictParser, refuse_undeclared
from api_contract.error_answers import answer_http_exception
from api_contract.fields import described_more
from api_contract.idempotency import CODES as KEY_CODES
from api_contract.idempotency import KeyUse, given_key
from api_contract.openapi import CODES, TAKES_IF_MATCH, TAKES_KEY, Specification, in_order
from api_contract.preconditions import CODE as PRECONDITION_FAILED
from api_contract.preconditions import CODE_REQUIRED as PRECONDITION_REQUIRED
from api_contract.preconditions import note_expected
from api_contract.scopes import Scope, Standing
from api_contract.shapes.base import error_schema

View = Callable[..., Any]
Security = list[dict[str, Any]] | None


class Blueprint(flask_smorest.Blueprint):
    """Views that read their input strictly. A service says who may call them, and what that means for its errors."""

    ARGUMENTS_PARSER = StrictParser()
    SCHEME: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(self._prepare_refusals_doc)

    def check(self, needed: Scope | Standing) -> None:
        """Raise Forbidden unless the caller has what is needed."""
        raise NotImplementedError

    def check_enrolled(self) -> None:
        """Raise SecondFactorSetupRequired for a caller who may only set up a second factor."""
        raise NotImplementedError

    def codes_of(self, security: Security) -> list[str]:
        """The codes of the errors that follow from what opens a view."""
        raise NotImplementedError

    def answer_once(self, key: str, use: KeyUse, view: Callable[[], Any]) -> Any:
        """The answer of a view that takes an Idempotency-Key, to a call that has one."""
        raise NotImplementedError

    def needs(self, needed: Scope | Standing, *, before_enrolment: bool = False) -> Callable[[View], View]:
        """Run a view only for callers who have a scope, or a standing; the specification says which.

        `before_enrolment`: also for those who have yet to set up the second factor that their role asks for.
        """

        def guard(view: View) -> View:
            return _annotated(view, needs=needed, before_enrolment=before_enrolment)

        return guard

    def refuses(self, *codes: str) -> Callable[[View], View]:
        """State the codes of a view's errors, but those that follow from its input and from what it needs."""

        def state(view: View) -> View:
            return _annotated(view, refuses=codes)

        return state

    def takes_key(self, *, is_done_again: bool = True, aside: Iterable[str] = ()) -> Callable[[View], View]:
        """Let clients repeat a call by its Idempotency-Key. Never where an answer holds a secret: answers are kept."""

        def state(view: View) -> View:
            return _annotated(view, key_use=KeyUse(is_done_again, frozenset(aside)))

        return state

    def takes_if_match(self, *, is_needed: bool = False) -> Callable[[View], View]:
        """Let clients name the version that they mean, or make them; `preconditions.expected` tells the view which."""

        def state(view: View) -> View:
            return _annotated(view, takes_if_match=True, needs_if_match=is_needed)

        return state

    def add_url_rule(self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any) -> None:
        view = self._guarded(_annotated(view_func, operation_id=view_func.__name__))
        super().add_url_rule(rule, endpoint, view, **options)

    def _guarded(self, view: View) -> View:
        """A view as clients reach it: who may not call it, or asks what it does not declare, does not get there."""
        notes: dict[str, Any] = view._apidoc  # type: ignore[attr-defined]
        declared, use = _declared(notes), notes.get("key_use")

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if "needs" in notes:
                if _asks_for_enrolment(notes):
                    self.check_enrolled()
                self.check(notes["needs"])
            refuse_undeclared(declared)
            note_expected(is_taken="takes_if_match" in notes, is_needed=notes.get("needs_if_match", False))
            key = given_key(use)
            if key is None or use is None:
                return view(*args, **kwargs)
            return self.answer_once(key, use, partial(view, *args, **kwargs))

        return guarded

    def _prepare_refusals_doc(self, doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
        doc["operationId"] = doc_info["operation_id"]
        if "needs" in doc_info:
            doc["security"] = [{self.SCHEME: [str(doc_info["needs"])]}]
        security = doc_info.get("manual_doc", {}).get("security", doc.get("security"))
        found = ["INVALID_REQUEST", "PAYLOAD_TOO_LARGE", "INTERNAL_ERROR"]
        found += [*doc_info.get("refuses", ()), *self.codes_of(security)]
        if _asks_for_enrolment(doc_info):
            found += ["SECOND_FACTOR_SETUP_REQUIRED"]
        if "requestBody" in doc:
            found += ["UNSUPPORTED_MEDIA_TYPE"]
        if "key_use" in doc_info:
            found += KEY_CODES
        if "takes_if_match" in doc_info:
            found += [PRECONDITION_FAILED]
        if doc_info.get("needs_if_match"):
            found += [PRECONDITION_REQUIRED]
        doc[TAKES_KEY], doc[TAKES_IF_MATCH] = "key_use" in doc_info, _if_match_of(doc_info)
        doc[CODES] = in_order(found)
        return doc


class Api(flask_smorest.Api):
    """The registered views and their specification."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask, specification: Specification) -> None:
        self.ERROR_SCHEMA = error_schema(specification.codes)
        self._specification = specification
        super().__init__()
        self.init_app(app)
        self.ma_plugin.converter.add_attribute_function(described_more)

    def handle_http_exception(self, error: HTTPException) -> Response:
        return answer_http_exception(error)

    def specification(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return self._specification.complete(self.spec.to_dict())


def described_app(name: str, title: str, specification: Specification) -> tuple[Flask, Api]:
    """An app without views, and its API; needs no settings."""
    app = _App(name, static_folder=None)
    app.config.update(
        API_TITLE=title,
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS=specification.options,
        # One more: a body without a length is cut at the limit, not refused, and the parser must notice.
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES + 1,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.compact = True  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False
    return app, Api(app, specification)


class _App(Flask):
    def ensure_sync(self, func: View) -> View:
        # Flask would look at each function, for every request, whether it is a coroutine.
        return func


def _asks_for_enrolment(notes: Mapping[str, Any]) -> bool:
    """Whether a view is for people, and not for those among them who have yet to set up their second factor."""
    return notes.get("needs", Standing.GATEWAY) != Standing.GATEWAY and not notes["before_enrolment"]


def _if_match_of(notes: Mapping[str, Any]) -> str | None:
    """The parameter by which the specification tells of If-Match."""
    if "takes_if_match" not in notes:
        return None
    return preconditions.NEEDED if notes["needs_if_match"] else preconditions.HEADER


def _declared(notes: dict[str, Any]) -> frozenset[str]:
    """Where a view looks for what it is asked: in the query, in a body (`json`)."""
    declared = {one["in"] for one in notes.get("arguments", {}).get("parameters", ())}
    return frozenset(declared | ({"json"} if "requestBody" in notes.get("manual_doc", {}) else set()))


def _annotated(view: View, **notes: Any) -> View:
    view._apidoc = getattr(view, "_apidoc", {}) | notes  # type: ignore[attr-defined]
    return view
