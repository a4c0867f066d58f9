"""Steps of a trace: ids as W3C writes them, and spans of OpenTelemetry where that is wanted."""

import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from api_contract import spans
from api_contract.log import bound_trace, current_trace
from api_contract.otel import OpenTelemetry
from api_contract.spans import TRACEPARENT, Kind, continued, export_spans, span, trace_of

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """OpenTelemetry's SDK records the steps of this process, for as long as the test lasts."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_recorder", OpenTelemetry(provider))
    yield exporter
    provider.shutdown()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {one.name: one for one in exporter.get_finished_spans()}


def test_a_step_has_an_id_of_its_own_below_the_bound_one() -> None:
    with bound_trace({"traceparent": SENT}), span("one", Kind.SERVER) as one:
        assert current_trace()["traceparent"] == one.traceparent
        with span("two", Kind.CLIENT) as two:
            assert current_trace()["traceparent"] == two.traceparent
        assert current_trace()["traceparent"] == one.traceparent

    assert len({SENT, one.traceparent, two.traceparent}) == 3
    assert {trace_of(step.traceparent) for step in (one, two)} == {trace_of(SENT)}
    assert one.traceparent.endswith("-01"), "whether it is sampled was decided by the first"


def test_without_a_trace_one_begins() -> None:
    with span("first", Kind.SERVER) as step:
        assert TRACEPARENT.fullmatch(step.traceparent)
    assert current_trace() == {}


@pytest.mark.parametrize(
    "broken", ["", "00-0-0-00", f"ff{SENT[2:]}", SENT.upper(), f"{SENT}-x", f"00-{'0' * 32}{SENT[35:]}"]
)
def test_a_broken_one_is_not_continued(broken: str) -> None:
    assert trace_of(broken) is None
    with bound_trace({"traceparent": broken}), span("first", Kind.SERVER) as step:
        assert TRACEPARENT.fullmatch(step.traceparent)


def test_a_step_under_way_stays_the_last_one_of_its_trace_and_gives_way_to_another() -> None:
    order = {"request_id": "r-1", "traceparent": SENT}
    with bound_trace({"traceparent": SENT}), span("task", Kind.CONSUMER) as task, continued(order):
        assert current_trace() == {"request_id": "r-1", "traceparent": task.traceparent}
    with span("task of another", Kind.CONSUMER), continued(order):
        assert current_trace() == order
    with continued(order):
        assert current_trace() == order


def test_opentelemetry_is_given_each_step_with_its_kind_its_parent_and_the_ids(exporter: InMemorySpanExporter) -> None:
    with bound_trace({"request_id": "r-1", "traceparent": SENT}), span("request", Kind.SERVER) as outer:
        outer.rename("POST /api/orders")
        with span("pulse", Kind.CLIENT):
            pass

    found = by_name(exporter)
    request, call = found["POST /api/orders"], found["pulse"]
    assert (request.kind, call.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert request.parent
    assert request.context
    assert call.parent
    assert f"{request.parent.span_id:016x}" == SENT.split("-")[2]
    assert call.parent.span_id == request.context.span_id
    assert f"{request.context.trace_id:032x}" == trace_of(SENT)
    assert dict(request.attributes or {}) == {"pulse.request_id": "r-1"}


def test_a_step_that_fails_is_marked_without_what_the_error_said(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), span("broker place", Kind.CLIENT):
        raise ValueError("secret of a caller")

    failed = by_name(exporter)["broker place"]
    assert (failed.status.is_ok, failed.status.description, failed.events) == (False, "ValueError", ())


def test_what_the_client_left_out_of_its_sample_is_left_out(exporter: InMemorySpanExporter) -> None:
    with bound_trace({"traceparent": f"{SENT[:-2]}00"}), span("request", Kind.SERVER) as step:
        assert step.traceparent.endswith("-00")
    assert exporter.get_finished_spans() == ()


def test_export_without_the_package_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "api_contract.otel", None)
    with pytest.raises(SystemExit, match=r"gapi cannot start: .* pip install 'pulse-execution\[otel\]'"):
        export_spans("gapi", is_wanted=True)


def test_nothing_is_exported_that_nobody_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "api_contract.otel", None)
    before = spans._recorder
    export_spans("gapi", is_wanted=False)
    assert spans._recorder is before
