"""Keeps a deployment tidy: the dead, the due, the unserved, the overdue, the expired.

Every api and worker process runs one; the one that leads the ledger does the work. All of them
look for dead workers, and those that know every recipe for attempts that take too long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

import structlog
from msgspec import Struct

from ferrotype import metrics
from ferrotype.ports.clock import Clock
from ferrotype.ports.ledger import Swept, Upkeep
from ferrotype.ports.media_store import MediaStore
from ferrotype.task import day_of
from ferrotype.uploads import Uploads

TURN = 0.5  # seconds between two rounds: half of what a dead worker's task may wait at most
CHUNK = 100  # expired tasks that are removed in one go
LONGEST = 1.0  # seconds of removing, after which the other chores have their turn
SWEEP_CHUNK = 500  # tasks asked for in one go
YOUNG = timedelta(hours=24)  # nothing younger than this is ever swept
MARGIN = timedelta(days=3)  # beyond the retention

_log = structlog.get_logger(__name__)


class Options(Struct, frozen=True, kw_only=True):
    """Times in seconds.

    `unserved_after`: how long a task waits for a worker of its model. `deadlines` by model, and
    `deadline` for all others: how long an attempt may take, where this process knows the recipes
    of all workers (`knows_deadlines`). `retention`: how long a task and its
    files live after its end.
    """

    unserved_after: float = 3600.0
    knows_deadlines: bool = True
    deadlines: Mapping[str, float] = {}
    deadline: float = 300.0
    retention: float = 86_400.0


class Chore(Struct, frozen=True):
    """One thing to do, every so many seconds; it may return how much it did."""

    name: str
    every: float
    do: Callable[[], Awaitable[int | None]]


class Janitor:
    """One process's janitor. An error is logged, and the chore's next turn comes."""

    def __init__(
        self,
        upkeep: Upkeep,
        store: MediaStore,
        uploads: Uploads,
        clock: Clock,
        options: Options,
    ) -> None:
        self._upkeep = upkeep
        self._store = store
        self._uploads = uploads
        self._clock = clock
        self._options = options
        self._due: dict[str, float] = {}
        self._begun = clock.steady()

    async def run(self, stop: asyncio.Event) -> None:
        """Do what is due, twice a second, until the event is set."""
        while not stop.is_set():
            await self.round()
            try:
                async with asyncio.timeout(TURN):
                    await stop.wait()
            except TimeoutError:
                continue

    async def round(self) -> None:
        """Do once what is due now. A starting worker does this first."""
        await self._do(self._chores_of_all())
        try:
            leads = await self._upkeep.lead()
        except Exception:
            _log.exception("chore failed", action="janitor.lead")
            return
        if leads:
            await self._do(self._chores_of_leader())

    def _chores_of_all(self) -> Sequence[Chore]:
        upkeep, options = self._upkeep, self._options
        reap = Chore("reap", TURN, self._reap)
        if not options.knows_deadlines:
            return (reap,)
        overdue = Chore(
            "overdue", 5, lambda: upkeep.end_overdue(options.deadlines, options.deadline)
        )
        return (reap, overdue)

    def _chores_of_leader(self) -> Sequence[Chore]:
        upkeep = self._upkeep
        return (
            Chore("admit_due", 1, upkeep.admit_due),
            Chore("abandon", 1, upkeep.abandon),
            Chore("unserved", 5, self._end_unserved),
            Chore("expire", 1, self._expire),
            Chore("checkpoint", 5, upkeep.checkpoint),
            Chore("uploads", 300, self._uploads.sweep),
            Chore("sweep", 3600, self._sweep),
        )

    async def _do(self, chores: Sequence[Chore]) -> None:
        for chore in chores:
            now = self._clock.steady()
            if now < self._due.get(chore.name, now):
                continue
            self._due[chore.name] = now + chore.every - 0.1  # a turn that comes a little early
            try:
                metrics.chores(chore.name).inc(await chore.do() or 0)
            except Exception:
                metrics.chore_faults(chore.name).inc()
                _log.exception("chore failed", action=f"janitor.{chore.name}")

    async def _reap(self) -> int:
        dead = await self._upkeep.reap()
        for worker in dead:
            _log.warning("worker dead", action="janitor.reap", worker=worker)
        return len(dead)

    async def _end_unserved(self) -> int:
        """End what nobody served for long, once we have looked on for as long.

        After a night when all was off, the workers come back as we do: a moment later.
        """
        after = self._options.unserved_after
        if self._clock.steady() - self._begun >= after:
            return await self._upkeep.end_unserved(after)
        return 0

    async def _expire(self) -> int:
        """Remove expired tasks: first their files, then their rows; return how many."""
        end, done = self._clock.steady() + LONGEST, 0
        while swept := await self._upkeep.expired(CHUNK):
            gone = await self._drop(swept)
            await self._upkeep.forget(gone)
            done += len(gone)
            if len(swept) < CHUNK or self._clock.steady() >= end:
                break
        return done

    async def _drop(self, swept: Sequence[Swept]) -> Sequence[str]:
        """Remove files side by side; return the tasks that have none any more."""
        drops = (self._drop_one(one) for one in swept)
        answers = await asyncio.gather(*drops, return_exceptions=True)
        stay = {
            one.task_id: error
            for one, error in zip(swept, answers, strict=True)
            if isinstance(error, BaseException)
        }
        if stay:
            task, error = next(iter(stay.items()))
            told = {"task": task, "tasks": len(stay), "exc_info": error}
            _log.error("files stay", action="janitor.expire", **told)
        return [one.task_id for one in swept if one.task_id not in stay]

    async def _drop_one(self, one: Swept) -> None:
        """Remove a task's results and inputs, which may lie on both sides of a midnight."""
        for day in sorted({one.day, day_of(one.task_id) or one.day}):
            await self._store.drop(f"{day}/{one.task_id}")

    async def _sweep(self) -> int:
        """Remove files that no task knows, from days when none of today's tasks was young."""
        done = 0
        age = max(YOUNG, timedelta(seconds=self._options.retention) + MARGIN)
        before = f"{self._clock.now() - age:%Y%m%d}"
        for day in await self._store.days():
            if day >= before:
                break
            tasks = sorted(await self._store.tasks(day))
            for start in range(0, len(tasks), SWEEP_CHUNK):
                some = tasks[start : start + SWEEP_CHUNK]
                for task in set(some) - await self._upkeep.known(some):
                    await self._store.drop(f"{day}/{task}")
                    done += 1
                    _log.info("swept", action="janitor.sweep", task=task)
        return done
