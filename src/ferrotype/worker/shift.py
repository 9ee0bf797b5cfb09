"""A station's work during one incarnation of its worker."""

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import chain, repeat
from typing import Any, TypeVar

import structlog

from ferrotype.ports.bell import Ear
from ferrotype.ports.engine_room import EngineDied
from ferrotype.ports.ledger import Claim
from ferrotype.task import LONELY_AFTER
from ferrotype.worker.attempt import Attempt
from ferrotype.worker.leases import Leases
from ferrotype.worker.offer import Offer
from ferrotype.worker.seats import Seat, Seats
from ferrotype.worker.station import Station
from ferrotype.worker.toolbox import Toolbox

T = TypeVar("T")

PAUSES = (1.0, 2.0, 5.0, 15.0)  # seconds between two starts of an engine that does not start

_log = structlog.get_logger(__name__)


class Shift:
    """Claims tasks for a station while it is open, and sees each of them through."""

    def __init__(
        self, worker: str, station: Station, leases: Leases, offer: Offer, tools: Toolbox
    ) -> None:
        self._worker = worker
        self._station = station
        self._leases = leases
        self._tools = tools
        self._topics = {f"work:{model}" for model in station.models}
        self._seats = Seats(lambda: station.room.concurrency)
        self._desk = asyncio.Semaphore(tools.options.undelivered)
        self._attempts: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        self._offer = offer

    def close(self) -> None:
        """Claim nothing more."""
        self._closed.set()

    async def work(self) -> None:
        """Claim and run until closed; return when the last attempt has ended."""
        try:
            async with self._tools.bell.listen(self._topics) as ear:
                while not self._closed.is_set():
                    await self._serve_one_safely(ear)
            if self._attempts:
                await asyncio.wait(self._attempts)
        finally:
            for attempt in self._attempts:
                attempt.cancel()

    async def _serve_one_safely(self, ear: Ear) -> None:
        try:
            await self._serve_one(ear)
        except Exception:
            _log.exception("station broke", action="worker.claim")
            await self._unless_closed(asyncio.sleep(self._tools.options.poll))

    async def _serve_one(self, ear: Ear) -> None:
        await self._unless_closed(self._ready())
        if self._closed.is_set() or not self._seats.free:  # one came back to its seat
            return
        empty = self._seats.empty
        seat = self._seats.take()
        claim = await self._claim(alone=empty)
        if claim is not None:
            await self._begin(claim, seat)
        else:
            seat.leave()
            await self._unless_closed(ear.wait(await self._rest()))

    async def _ready(self) -> None:
        """Wait for an engine, a seat there and a place for the result.

        Where tasks run in one call, for an empty room: who came later would only wait inside.
        """
        await self._start()
        await self._seats.one_free(alone=bool(self._station.batches))
        async with self._desk:
            return

    async def _start(self) -> None:
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            try:
                await self._station.room.start()
            except EngineDied as error:
                _log.error("engine does not start", action="engine.start", why=str(error))
                await self._offer.tell(self._station, frozenset())
                await asyncio.sleep(pause)
            else:
                return await self._offer.tell(self._station, self._station.fit)
        return None

    async def _claim(self, *, alone: bool) -> Claim | None:
        if not (models := self._station.fit):
            return None
        try:
            async with asyncio.timeout(self._tools.options.lapse):
                return await self._tools.work.claim(self._worker, models, alone=alone)
        except Exception as error:
            _log.warning("no claim", action="worker.claim", error=repr(error))
            return None

    async def _claim_mates(self, head: Claim) -> Sequence[Claim]:
        """Take more tasks of the same shape, as many as may run in one call."""
        limit = min(self._station.batches.get(head.task.model, 1) - 1, self._seats.left)
        if limit < 1 or not head.shape:
            return ()
        try:
            async with asyncio.timeout(self._tools.options.lapse):
                return await self._tools.work.claim_mates(self._worker, head, limit)
        except Exception as error:
            _log.warning("no mates", action="worker.claim", error=repr(error))
            return ()

    async def _rest(self) -> float:
        """Return how long to wait for a ring: not beyond the time when a held task is due."""
        try:
            due = await self._tools.work.next_due(self._station.models)
        except Exception as error:
            _log.warning("no due time", action="worker.claim", error=repr(error))
            due = None
        poll = self._tools.options.poll
        return poll if due is None else min(due, poll)

    async def _begin(self, head: Claim, seat: Seat) -> None:
        if head.lease.attempt > LONELY_AFTER:
            seat.stay_alone()
        claims = (head, *await self._claim_mates(head))
        tasks = tuple(claim.task.id for claim in claims)
        for claim in claims:
            mates = tuple(task for task in tasks if task != claim.task.id)
            taken = seat if claim is head else self._seats.take()
            self._start_attempt(Attempt(claim, self._station, taken, self._tools, mates))

    def _start_attempt(self, attempt: Attempt) -> None:
        doing = asyncio.create_task(self._see_through(attempt))
        self._attempts.add(doing)
        doing.add_done_callback(self._attempts.discard)

    async def _see_through(self, attempt: Attempt) -> None:
        async with self._desk:
            with self._leases.held(attempt):
                await attempt.see_through()

    async def _unless_closed(self, work: Coroutine[Any, Any, T]) -> None:
        """Do something that may take long, but not beyond the close."""
        doing, closed = asyncio.ensure_future(work), asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({doing, closed}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
        finally:
            doing.cancel()
            closed.cancel()
