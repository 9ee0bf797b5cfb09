"""The engine `dashscope`: what this deployment is asked for is made by a server elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ferrotype.engines.dashscope.errand import Errand
from ferrotype.engines.dashscope.options import Options
from ferrotype.engines.dashscope.posting import UPSTREAM
from ferrotype.engines.dashscope.regions import Regions
from ferrotype.media import Output
from ferrotype.ports.engine import Bench, EngineRefusal, Job


class Dashscope:
    """Hundreds of tasks at once, on one loop; each is sent once. Options: see `Options`."""

    def __init__(self, **options: Any) -> None:
        self._options = msgspec.convert(options, Options)
        self._regions = Regions(self._options)
        self.concurrency = self._options.concurrency

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why no task can be sent anywhere now."""
        return self._regions.unfit

    async def close(self) -> None:
        """End all calls; for who makes an engine in a process that goes on."""
        await self._regions.close()

    async def run(self, job: Job, bench: Bench) -> Sequence[Output]:
        """Have the upstream make it, and bring home what it made."""
        if job.posted is None:
            raise EngineRefusal(UPSTREAM, 'The recipe of this model must have label = "upstream".')
        return await Errand(job, job.posted, bench, self._regions, self._options).run()
