"""Which models a worker offers to serve: those whose engines run and say that they can."""

import asyncio

from ferrotype.ports.ledger import Work
from ferrotype.worker.station import Station


class Offer:
    """What one incarnation has announced. Stations tell it what they can do, again and again."""

    def __init__(self, worker: str, work: Work) -> None:
        self._worker = worker
        self._work = work
        self._fit: dict[int, frozenset[str]] = {}
        self._announced: frozenset[str] = frozenset()
        self._telling = asyncio.Lock()

    async def tell(self, station: Station, fit: frozenset[str]) -> None:
        """Announce what has changed: which models a station can serve now."""
        self._fit[id(station)] = fit
        if self._models() == self._announced:
            return
        async with self._telling:
            models = self._models()
            await self._work.announce(self._worker, models)
            self._announced = models

    def _models(self) -> frozenset[str]:
        return frozenset().union(*self._fit.values())
