"""Tracing, if an endpoint is set. The context travels as the CloudEvents `traceparent` attribute."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def setup(service: str, endpoint: str) -> None:
    """Export spans to an OTLP/HTTP endpoint; without one, do nothing."""
    if endpoint:
        provider = TracerProvider(resource=Resource.create({"service.name": f"jointly-{service}"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        trace.set_tracer_provider(provider)


@contextmanager
def span(name: str, parent: str | None = None, **attributes: str | int) -> Iterator[str | None]:
    """Open a span under `parent` (a W3C traceparent). Yields the traceparent to pass on, or the parent's own."""
    context = extract({"traceparent": parent}) if parent else None
    with trace.get_tracer("jointly").start_as_current_span(name, context=context, attributes=attributes):
        carrier: dict[str, str] = {}
        inject(carrier)
        yield carrier.get("traceparent", parent)
