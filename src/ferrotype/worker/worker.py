"""Claims tasks and runs them, until it is asked to stop."""

import asyncio
from collections.abc import Sequence

from ferrotype.worker.incarnation import Incarnation
from ferrotype.worker.station import Station, models_of
from ferrotype.worker.stop import Stop
from ferrotype.worker.toolbox import Toolbox


class Worker:
    """Stations that work side by side under one lease. Raises `ValueError` for unknown models."""

    def __init__(self, stations: Sequence[Station], tools: Toolbox) -> None:
        unknown = set(models_of(stations)) - set(tools.catalogue.models)
        if not stations or unknown:
            raise ValueError(f"no station, or models unknown to the catalogue: {sorted(unknown)}")
        self._stations = stations
        self._tools = tools

    async def run(self, stop: Stop) -> None:
        """Work until `stop` is asked; then drain, and return with every engine ended.

        A life ends when the ledger did not answer for too long; the next one begins as soon as
        it does.
        """
        try:
            while not stop.asked.is_set():
                await Incarnation(self._stations, self._tools).live(stop)
        finally:
            await asyncio.gather(*(station.room.close() for station in self._stations))
