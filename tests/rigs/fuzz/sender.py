"""Sends a case as somebody, and checks the answer."""

import secrets
import zlib
from dataclasses import dataclass, field
from typing import Any

import requests
from requests import PreparedRequest, Response
from schemathesis import Case
from schemathesis.checks import CHECKS

from tests.contract.client import Service
from tests.rigs.fuzz import objects, rules
from tests.rigs.fuzz.callers import caller, expected_refusal
from tests.rigs.fuzz.documents import needed

# Ours are stricter: each operation has callers who must be refused, and rules that no schema can state are named.
REPLACED = ("ignored_auth", "positive_data_acceptance")
# `/internal/keys/holder` can be deleted, as any `/internal/keys/{key_id}`: it is one that is not there.
NOT_OF_PULSE = ("allow_header_conformance", "unsupported_method")
# So can `/api/orders/preview` be changed, as any `/api/orders/{order_id}`.
BESIDE_IDS = frozenset({"preview_order", "find_order_by_query", "cancel_order_by_query"})


class Cutting(requests.Session):
    """A client that leaves a stream of events after its first frames. `latest` is the answer that came last."""

    latest: Response

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        answer = super().send(request, **options | {"stream": True})
        if answer.headers.get("Content-Type") == "text/event-stream" and request.method != "HEAD":
            answer._content = next(answer.iter_content(None))
            answer._content_consumed = True
            answer.close()
        answer.content  # noqa: B018  reads it
        self.latest = answer
        return answer


@dataclass
class Sender:
    """Sends cases to one service."""

    service: Service
    session: Cutting = field(default_factory=Cutting)
    _answered: list[tuple[str, int]] = field(default_factory=list, repr=False)

    def try_case(self, case: Case) -> None:
        operation: dict[str, Any] = case.operation.definition.raw
        turn = _turn(case)
        who = caller(self.service, needed(operation), turn)
        is_positive = case.meta is not None and case.meta.generation.mode.is_positive
        if is_positive and turn % 5:
            objects.put_real_things_in(case, operation["operationId"], who.account)
        transport = {"auth": who, "session": self.session, "timeout": 20, "allow_redirects": False}
        address = {"X-Forwarded-For": f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}
        answer = case.call(base_url=self.service.url, headers=address, **transport)
        self._answered.append((case.operation.label, answer.status_code))
        rules.check(case, self.session.latest, operation["operationId"], expected_refusal(who, operation))
        names = REPLACED + (NOT_OF_PULSE if self.service.name == "pulse" else ())
        if operation["operationId"] in BESIDE_IDS:
            names += NOT_OF_PULSE
        # Whoever names no version is answered 428.
        names += ("missing_required_header",) if operation["operationId"] == "amend_order" else ()
        excluded = [CHECKS.get_one(name) for name in names]
        case.validate_response(answer, excluded_checks=excluded, headers=address, transport_kwargs=transport)

    def take_answered(self) -> list[tuple[str, int]]:
        """Operation and status of each answer since the last time."""
        taken, self._answered = self._answered, []
        return taken


def _turn(case: Case) -> int:
    # From the case itself, so that one that is tried again has the same caller.
    parts = (case.method, case.path_parameters, case.query, case.headers, case.body)
    return zlib.crc32(repr(parts).encode(errors="replace"))
