"""What /metrics tells of the ledger, asked for when somebody looks."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import structlog
from msgspec import Struct
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from ferrotype.ports.admin import WorkerSeen
from ferrotype.ports.clock import Clock
from ferrotype.ports.watch import VITALS, Backlog, Watch

FRESH = 5.0  # seconds that an answer of the ledger is good for, however often one looks
PATIENCE = 4.0  # seconds: a scrape should not wait longer

_log = structlog.get_logger(__name__)


class Watched(Watch, Protocol):
    """The part of a ledger that we look at."""

    async def workers(self) -> Sequence[WorkerSeen]:
        """Return the workers that are enrolled now."""


class Look(Struct, frozen=True, kw_only=True):
    """What one look at the ledger saw."""

    backlog: Sequence[Backlog] = ()
    workers: Sequence[WorkerSeen] = ()
    vitals: Mapping[str, float] = {}


class QueueGauges:
    """A collector. `look` before each scrape; without an answer there are no gauges but `up`."""

    def __init__(self, ledger: Watched, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._last: Look | None = None
        self._good_until = float("-inf")
        self._one = asyncio.Lock()  # scrapes that come together share a look

    async def look(self) -> None:
        """Ask the ledger, unless it was asked just now."""
        async with self._one:
            if self._clock.steady() < self._good_until:
                return
            try:
                async with asyncio.timeout(PATIENCE):
                    self._last = Look(
                        backlog=await self._ledger.backlog(),
                        workers=await self._ledger.workers(),
                        vitals=await self._ledger.vitals(),
                    )
            except Exception as error:
                _log.warning("no look", action="metrics.look", error=repr(error))
                self._last = None
            self._good_until = self._clock.steady() + FRESH

    def collect(self) -> Iterator[Metric]:
        """Return what the last look saw."""
        up, seen = float(self._last is not None), self._last or Look()
        yield GaugeMetricFamily("ferrotype_ledger_up", "Whether the ledger answers (1 or 0).", up)
        if self._last is None:
            return
        tasks = GaugeMetricFamily(
            "ferrotype_queue_tasks",
            "Open tasks: ready to be claimed, held (by a cap, a pause or their time), running.",
            labels=["model", "state"],
        )
        oldest = GaugeMetricFamily(
            "ferrotype_queue_oldest_seconds",
            "Time since the creation of the oldest task that waits.",
            labels=["model"],
        )
        serving = GaugeMetricFamily(
            "ferrotype_queue_workers",
            "Workers that serve a model which has open tasks.",
            labels=["model"],
        )
        by_model = Counter(model for worker in seen.workers for model in worker.models)
        for one in seen.backlog:
            for state in ("ready", "held", "running"):
                tasks.add_metric([one.model, state], getattr(one, state))
            oldest.add_metric([one.model], one.oldest)
            serving.add_metric([one.model], by_model[one.model])
        yield from (tasks, oldest, serving)
        yield GaugeMetricFamily(
            "ferrotype_workers", "Workers that are enrolled now.", len(seen.workers)
        )
        for name, value in seen.vitals.items():
            yield GaugeMetricFamily(f"ferrotype_ledger_{name}", VITALS[name], value)
