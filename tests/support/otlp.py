"""What processes export over OTLP to a receiver of a test."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.receiver import Delivery


@dataclass(frozen=True)
class Step:
    """A span. `parent` is the id of the one above it."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str


def steps(deliveries: Iterable[Delivery]) -> Iterator[Step]:
    """Every span that was delivered."""
    for delivery in deliveries:
        for of_process in ExportTraceServiceRequest.FromString(delivery.body).resource_spans:
            names = {one.key: one.value.string_value for one in of_process.resource.attributes}
            for group in of_process.scope_spans:
                yield from (_step(names["service.name"], span) for span in group.spans)


def _step(service: str, span: Span) -> Step:
    kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Step(service, span.name, kind, *ids)
