"""What a worker holds, and the one renewal that keeps all of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from ferrotype.errors import Conflict
from ferrotype.worker.attempt import Attempt, Fate
from ferrotype.worker.toolbox import Toolbox

TICK = 1.0  # seconds: new progress is written so often at most

_log = structlog.get_logger(__name__)


class Lapsed(Exception):
    """This incarnation holds nothing any more: the ledger did not answer, or said so."""


class Leases:
    """All attempts of one incarnation."""

    def __init__(self, worker: str, tools: Toolbox) -> None:
        self._worker = worker
        self._tools = tools
        self._held: dict[str, Attempt] = {}
        self._fate: Fate | None = None
        self._answered_at = tools.clock.steady()
        self._failed = False

    @contextmanager
    def held(self, attempt: Attempt) -> Iterator[None]:
        """Renew an attempt's lease meanwhile.

        Its task's last attempt may be here still, clearing up, or unaware that its task was taken
        away: whoever claims a task has ended every lease on it before.
        """
        task = attempt.lease.task
        if former := self._held.get(task):
            former.interrupt(Fate.LOST)
        self._held[task] = attempt
        if self._fate is not None:
            attempt.interrupt(self._fate)
        try:
            yield
        finally:
            if self._held.get(task) is attempt:
                del self._held[task]

    def end_all(self, fate: Fate) -> None:
        """Interrupt every attempt, and every one that is still to come."""
        self._fate = fate
        for attempt in self._held.values():
            attempt.interrupt(fate)

    async def keep(self) -> None:
        """Renew for as long as there are answers. Raises `Lapsed`."""
        tick = min(TICK, self._tools.options.renew)
        async with self._tools.bell.listen({f"stop:{self._worker}"}) as ear:
            while True:
                rung = await ear.wait(tick)
                if rung or self._due():
                    await self._renew()

    def _due(self) -> bool:
        since = self._tools.clock.steady() - self._answered_at
        news = self._failed or any(attempt.moved for attempt in self._held.values())
        return news or since + TICK > self._tools.options.renew

    async def _renew(self) -> None:
        sent_at = self._tools.clock.steady()
        left = self._answered_at + self._tools.options.lapse - sent_at
        told = list(self._held.values())
        for attempt in told:
            attempt.moved = False
        try:
            async with asyncio.timeout(left):
                renewal = await self._tools.work.renew(
                    self._worker, {attempt.lease: attempt.progress for attempt in told}
                )
        except TimeoutError:
            raise Lapsed("the ledger gave no answer") from None
        except Conflict as error:
            raise Lapsed(error.message) from error
        except Exception as error:
            self._failed = True
            _log.warning("not renewed", action="worker.renew", error=repr(error))
            return
        self._answered_at, self._failed = sent_at, False
        self._tell(told, renewal.stop, renewal.lost)

    def _tell(self, told: list[Attempt], stop: frozenset[str], lost: frozenset[str]) -> None:
        for attempt in told:
            if attempt.lease.task in lost:
                attempt.interrupt(Fate.LOST)
            elif attempt.lease.task in stop:
                attempt.interrupt(Fate.STOPPED)
