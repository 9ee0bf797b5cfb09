"""One life of a worker, under one id: enrol, work, and leave or lapse."""

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from typing import Any

import structlog

from ferrotype import __version__
from ferrotype.errors import Busy
from ferrotype.ports.ledger import WorkerCard
from ferrotype.worker.attempt import Fate
from ferrotype.worker.leases import Lapsed, Leases
from ferrotype.worker.offer import Offer
from ferrotype.worker.patience import persist
from ferrotype.worker.shift import Shift
from ferrotype.worker.station import Station
from ferrotype.worker.stop import Stop
from ferrotype.worker.toolbox import Toolbox


class Incarnation:
    """Lives until it is asked to stop, or until the ledger lets it go."""

    def __init__(self, stations: Sequence[Station], tools: Toolbox) -> None:
        self.id = f"w-{os.getpid()}-{secrets.token_hex(6)}"
        self._stations = stations
        self._tools = tools
        self._log = structlog.get_logger(__name__).bind(worker=self.id)

    async def live(self, stop: Stop) -> None:
        """Enrol, work until the end of this life, and retire."""
        card = WorkerCard(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            models=(),  # each station announces its own once its engine has started
            devices=tuple(sorted({each.device for each in self._stations if each.device})),
        )
        try:
            await persist(lambda: self._tools.work.enrol(card), lambda: not stop.asked.is_set())
        except (Busy, OSError):
            return
        self._log.info("enrolled", action="worker.enrol")
        await self._work(stop)
        await self._retire(stop)

    async def _work(self, stop: Stop) -> None:
        """Run every station's shift; close them when asked, cut them off when the lease lapsed."""
        leases = Leases(self.id, self._tools)
        offer = Offer(self.id, self._tools.work)
        shifts = [Shift(self.id, each, leases, offer, self._tools) for each in self._stations]
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._keep(leases))
            working = group.create_task(_work_all(shifts))
            asked = group.create_task(stop.asked.wait())
            await _first_of(keeping, asked, working)
            for shift in shifts:
                shift.close()
            if not keeping.done():
                await self._drain(stop, leases, keeping, working)
            if keeping.done():
                leases.end_all(Fate.LOST)
            await working
            keeping.cancel()
            asked.cancel()

    async def _keep(self, leases: Leases) -> None:
        try:
            await leases.keep()
        except Lapsed as lapsed:
            self._log.error("lease lapsed", action="worker.lapse", why=str(lapsed))

    async def _drain(
        self,
        stop: Stop,
        leases: Leases,
        keeping: asyncio.Task[None],
        working: asyncio.Task[None],
    ) -> None:
        """Let what runs come to its end for a while, then have it given back."""
        self._log.info("draining", action="worker.drain", seconds=self._tools.options.drain)
        now = asyncio.create_task(stop.now.wait())
        await _first_of(now, keeping, working, timeout=self._tools.options.drain)
        now.cancel()
        leases.end_all(Fate.RETURNED)
        await _first_of(keeping, working)

    async def _retire(self, stop: Stop) -> None:
        """Take our row away, and with it all that we may still hold.

        An ending worker asks once: the janitor finds the row soon enough.
        """
        try:
            await persist(self._ask_to_retire, lambda: not stop.asked.is_set())
        except Exception as error:
            self._log.warning("not retired", action="worker.retire", error=repr(error))
        else:
            self._log.info("retired", action="worker.retire")

    async def _ask_to_retire(self) -> None:
        async with asyncio.timeout(self._tools.options.lapse):
            await self._tools.work.retire(self.id)


async def _work_all(shifts: Sequence[Shift]) -> None:
    async with asyncio.TaskGroup() as group:
        for shift in shifts:
            group.create_task(shift.work())


async def _first_of(*ends: asyncio.Task[Any], timeout: float | None = None) -> None:
    await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
