"""Whether tasks are traced, as the variables of OpenTelemetry say."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from ferrotype import traces

WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_log = structlog.get_logger(__name__)


@contextmanager
def tracing(process: str) -> Iterator[None]:
    """Trace what this process ("api" or "worker") does for tasks, if somebody takes traces."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or not any(os.environ.get(name) for name in WANTED):
        yield
        return
    try:
        from ferrotype.tracers.otel import sending  # an extra, and slow to import
    except ImportError as error:
        fix = "pip install 'ferrotype[otel]'"
        _log.warning("no traces", action="traces.open", missing=error.name, fix=fix)
        yield
        return
    with sending(process) as listener, traces.listened_to(listener):
        _log.info("tracing", action="traces.open")
        yield
