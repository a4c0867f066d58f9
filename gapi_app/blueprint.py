"""Views of the gateway: opened by an access token, and counted."""

from collections.abc import Callable
from typing import Any

from flask import g

from api_contract import blueprint
from api_contract.blueprint import Security
from api_contract.idempotency import KeyUse
from api_contract.scopes import Scope, Standing, check_access, check_enrolled
from gapi_app.access.auth import caller
from gapi_app.cells.naming import note_named_cell
from gapi_app.identity.client import identity
from gapi_app.openapi import ACCESS_TOKEN, IS_LIMITED
from gapi_app.refusals import UPSTREAM


class Blueprint(blueprint.Blueprint):
    """`is_limited`: its views count against the limits of requests."""

    SCHEME = ACCESS_TOKEN

    def __init__(self, *args: Any, is_limited: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_limited = is_limited

    def check(self, needed: Scope | Standing) -> None:
        check_access(caller(), needed)
        note_named_cell(identity().router.cells, caller())

    def check_enrolled(self) -> None:
        check_enrolled(caller())

    def answer_once(self, key: str, use: KeyUse, view: Callable[[], Any]) -> Any:
        # The call to pulse takes it along: what was answered is kept there.
        g.idempotency_key = key
        return view()

    def codes_of(self, security: Security) -> list[str]:
        found = ["RATE_LIMITED"] if self._is_limited else []
        if security:
            # Even to know a caller, pulse may have to be asked.
            found += ["UNAUTHORIZED", *UPSTREAM]
        if security and ACCESS_TOKEN in security[0]:
            found += ["FORBIDDEN"]
        return found

    def _prepare_refusals_doc(self, doc: dict[str, Any], doc_info: dict[str, Any], **more: Any) -> dict[str, Any]:
        return super()._prepare_refusals_doc(doc, doc_info, **more) | {IS_LIMITED: self._is_limited}
