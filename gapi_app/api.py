"""flask-smorest with our parser and errors, where one statement both guards a view and describes it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import flask_smorest
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from gapi_app import specification
from gapi_app.auth import Standing, check
from gapi_app.body import StrictParser
from gapi_app.errors import answer_http_exception
from gapi_app.fields import described_more
from gapi_app.roles import Scope
from gapi_app.schemas import ErrorSchema

View = Callable[..., Any]


class Blueprint(flask_smorest.Blueprint):
    """Views that read their input strictly. `is_limited`: they count against the limits of requests."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, is_limited: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_limited = is_limited
        self._prepare_doc_cbks.append(self._prepare_refusals_doc)

    def needs(self, needed: Scope | Standing) -> Callable[[View], View]:
        """Run a view only for callers who have a scope, or a standing; the specification says which."""

        def guard(view: View) -> View:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                check(needed)
                return view(*args, **kwargs)

            return _noted(guarded, needs=needed)

        return guard

    def refuses(self, *codes: str) -> Callable[[View], View]:
        """State the codes of a view's errors, but those that follow from its input and from what it needs."""

        def state(view: View) -> View:
            return _noted(view, refuses=codes)

        return state

    def add_url_rule(self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any) -> None:
        super().add_url_rule(rule, endpoint, _noted(view_func, operation_id=view_func.__name__), **options)

    def _prepare_refusals_doc(self, doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
        doc["operationId"] = doc_info["operation_id"]
        if "needs" in doc_info:
            doc["security"] = [{specification.ACCESS_TOKEN: [str(doc_info["needs"])]}]
        security = doc_info.get("manual_doc", {}).get("security", doc.get("security"))
        doc[specification.IS_LIMITED] = self._is_limited
        doc[specification.CODES] = specification.codes(doc, doc_info.get("refuses", ()), security, self._is_limited)
        return doc


class Api(flask_smorest.Api):
    """The registered views and their specification."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.init_app(app)
        self.ma_plugin.converter.add_attribute_function(described_more)

    def handle_http_exception(self, error: HTTPException) -> Response:
        return answer_http_exception(error)

    def specification(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return specification.complete(self.spec.to_dict())


def _noted(view: View, **notes: Any) -> View:
    view._apidoc = getattr(view, "_apidoc", {}) | notes  # type: ignore[attr-defined]
    return view
