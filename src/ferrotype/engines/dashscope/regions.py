"""The upstreams of a recipe, in the order in which they are tried."""

import asyncio
from collections.abc import Mapping
from time import monotonic

import httpx

from ferrotype.engines.dashscope.options import Options
from ferrotype.engines.dashscope.region import Region
from ferrotype.ports.engine import EngineUnfit


class Regions:
    """All upstreams of one recipe."""

    def __init__(self, options: Options) -> None:
        tls = httpx.create_ssl_context()
        self._all = tuple(Region(place, options, tls) for place in options.places())

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why no task can be sent to any of them now; nothing while one can."""
        if not all(region.trouble for region in self._all):
            return {}
        return {"*": "; ".join(f"{region.place.name}: {region.trouble}" for region in self._all)}

    async def close(self) -> None:
        """End all calls."""
        for region in self._all:
            await region.close()

    def at(self, base: str) -> Region | None:
        """Return the upstream with this base URL."""
        return next((region for region in self._all if region.place.base == base), None)

    async def choose(self) -> Region:
        """Return the first that takes tasks now, waiting out throttling. Raises `EngineUnfit`."""
        while True:
            open = [region for region in self._all if not region.trouble]
            if not open:
                raise EngineUnfit(self.unfit["*"])
            soonest = min(open, key=lambda region: max(0.0, region.throttled_until - monotonic()))
            if (left := soonest.throttled_until - monotonic()) <= 0:
                return soonest
            await asyncio.sleep(left)
