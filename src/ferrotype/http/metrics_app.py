"""/metrics, for a listener of its own that others need not reach."""

import asyncio
import http.client
from collections.abc import Iterable

import structlog
from prometheus_client import CollectorRegistry, Metric, make_asgi_app
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from ferrotype.http.queue_gauges import QueueGauges
from ferrotype.metrics import REGISTRY

PATIENCE = 2.0  # seconds

_log = structlog.get_logger(__name__)


class Colleague:
    """The counters of the worker that `ferrotype serve` started beside us, by its own /metrics."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._families: Iterable[Metric] = ()

    async def look(self) -> None:
        """Ask it. One that does not answer has no counters just now."""
        try:
            text = await asyncio.to_thread(self._read)
            self._families = list(text_string_to_metric_families(text))
        except (OSError, ValueError, http.client.HTTPException) as error:
            _log.warning("no answer", action="metrics.colleague", error=repr(error))
            self._families = ()

    def collect(self) -> Iterable[Metric]:
        """Return what it told."""
        return self._families

    def _read(self) -> str:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            line.request("GET", "/metrics")
            return line.getresponse().read().decode()
        finally:
            line.close()


class Together(Collector):
    """What several processes count, and what is known of the ledger, each family once."""

    def __init__(
        self, process: str, queue: QueueGauges | None = None, worker: Colleague | None = None
    ) -> None:
        self._process = process
        self._queue = queue
        self._worker = worker

    async def look(self) -> None:
        """Ask the others."""
        others = (self._queue, self._worker)
        await asyncio.gather(*(one.look() for one in others if one is not None))

    def collect(self) -> Iterable[Metric]:
        """Return every family. A process's samples say which one's they are, by a label."""
        families: dict[str, Metric] = {}
        self._add(families, REGISTRY.collect(), {"process": self._process})
        if self._worker:
            self._add(families, self._worker.collect(), {})
        if self._queue:
            self._add(families, self._queue.collect(), {})
        return families.values()

    def _add(
        self, families: dict[str, Metric], found: Iterable[Metric], more: dict[str, str]
    ) -> None:
        for one in found:
            family = families.setdefault(one.name, Metric(one.name, one.documentation, one.type))
            for sample in one.samples:
                if sample.name != f"{one.name}_created":  # nobody asks when a counter began
                    family.add_sample(sample.name, {**sample.labels, **more}, sample.value)


class MetricsApp:
    """An ASGI application that looks around, then shows everything to Prometheus."""

    def __init__(self, together: Together) -> None:
        self._together = together
        shown = CollectorRegistry()
        shown.register(together)
        self._app: ASGIApp = make_asgi_app(shown)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one scrape."""
        await self._together.look()
        await self._app(scope, receive, send)


def build_metrics(
    process: str, queue: QueueGauges | None = None, worker: Colleague | None = None
) -> ASGIApp:
    """Return the application: our counters (`process`: "api" or "worker"), the ledger's gauges,
    and the counters of a worker beside us.
    """
    return MetricsApp(Together(process, queue, worker))
