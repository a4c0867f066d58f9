"""Steps of a trace as spans of OpenTelemetry. Needs the extra `otel`; where they go, its own OTEL_* variables say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from api_contract.log import TRACE_FIELDS, current_trace
from api_contract.spans import Kind, Step

_W3C = TraceContextTextMapPropagator()


class OpenTelemetry:
    """Records each step as a span, with the ids of the request as attributes and no word of what went wrong inside."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("pulse")

    @classmethod
    def exporting(cls, service: str) -> Self:
        """Send the spans of this process in the background, over OTLP."""
        provider = TracerProvider(resource=Resource.create({"service.name": f"pulse-{service}"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    @contextmanager
    def step(self, name: str, kind: Kind, parent: str | None) -> Iterator[Step]:
        """One span; an exception that leaves it is named by its kind only, for its words may hold a secret."""
        context = _W3C.extract({"traceparent": parent}, Context()) if parent else Context()
        ids = {f"pulse.{name}": value for name, value in current_trace().items() if name in TRACE_FIELDS[:2]}
        with self._tracer.start_as_current_span(
            name,
            context,
            SpanKind[kind.value],
            attributes=ids,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield _Recorded(span)
            except BaseException as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise


class _Recorded:
    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def rename(self, name: str) -> None:
        self._span.update_name(name)
