"""Sends traces to whatever speaks OpenTelemetry. Needs the extra `ferrotype[otel]`."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ferrotype import __version__
from ferrotype.traces import Listener, Span

FLUSH = 3.0  # seconds that the last spans may take to be sent, at the end of a process
HALF = (1 << 64) - 1
KINDS = {
    "attempt": SpanKind.CONSUMER,
    **dict.fromkeys(("cancel", "create", "file", "query", "repeat"), SpanKind.SERVER),
}


class Ids(RandomIdGenerator):
    """Random ids, but for the first span of a task: its ids follow from the task's."""

    def __init__(self) -> None:
        self.trace = 0  # the task's id as a number, while its first span is begun

    def generate_trace_id(self) -> int:
        """Return the id of a new trace."""
        return self.trace or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Return the id of a new span."""
        return self.trace & HALF or super().generate_span_id()


class Tracer:
    """Turns what is told of tasks into spans of their traces. For one thread."""

    def __init__(self, process: str, exporter: SpanExporter) -> None:
        self._ids = Ids()
        named = (
            {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": f"ferrotype-{process}"}
        )
        about = Resource.create({**named, "service.version": __version__})
        self.provider = TracerProvider(
            resource=about, id_generator=self._ids, shutdown_on_exit=False
        )
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("ferrotype", __version__)

    def listen(self, task: str, span: Span) -> None:
        """Begin and end a span, with all that is inside it. An id that is no UUID has no trace."""
        try:
            trace_id = UUID(task).int
        except ValueError:
            return
        if span.root:
            self._ids.trace = trace_id
            try:
                self._write(task, span, Context())
            finally:
                self._ids.trace = 0
        else:
            self._write(task, span, self._under(trace_id))

    def _under(self, trace_id: int) -> Context:
        """Return the first span of the task, wherever it was made: its ids are known.

        Whether it was sampled is known too: that depends on its ids alone.
        """
        sampled = self.provider.sampler.should_sample(None, trace_id, "create")
        kept = sampled.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if kept else 0)
        first = SpanContext(trace_id, trace_id & HALF, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(trace.NonRecordingSpan(first), Context())

    def _write(self, task: str, span: Span, context: Context) -> None:
        made = self._tracer.start_span(
            span.name,
            context,
            KINDS.get(span.name, SpanKind.INTERNAL),
            {"ferrotype.task": task, **span.facts},
            _links(span.parent),
            span.start,
        )
        self._ids.trace = 0
        if span.error:
            made.set_status(Status(StatusCode.ERROR, span.error))
        inside = trace.set_span_in_context(made, Context())
        for one in span.inner:
            self._write(task, one, inside)
        made.end(max(span.start, span.end))


def _links(parent: str) -> list[Link]:
    """Return a link to the caller's own trace, if it sent a `traceparent` that is one."""
    if not parent:
        return []
    found = TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())
    theirs = trace.get_current_span(found).get_span_context()
    return [Link(theirs)] if theirs.is_valid else []


@contextmanager
def sending(process: str) -> Iterator[Listener]:
    """Send traces to where the variables OTEL_EXPORTER_OTLP_... say, from a thread of their own."""
    tracer = Tracer(process, OTLPSpanExporter())
    try:
        yield tracer.listen
    finally:
        ending = threading.Thread(target=tracer.provider.shutdown, daemon=True)
        ending.start()  # it may wait for a receiver that does not answer: we do not
        ending.join(FLUSH)
