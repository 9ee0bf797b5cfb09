"""The engine: several recipes in one process, one pipeline call at a time."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import msgspec

from ferrotype.engines.diffusers.gathering import Gathering
from ferrotype.engines.diffusers.health import Health
from ferrotype.engines.diffusers.options import Options, read_options
from ferrotype.engines.diffusers.seat import Pulse, Seat
from ferrotype.engines.diffusers.wish import modes_of
from ferrotype.media import Output
from ferrotype.ports.engine import Bench, EngineUnfit, Job

ALONE = {  # before torch is imported: nothing is fetched, nothing is told
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

WARM_WITHIN = 540.0  # seconds; tasks of what is still loading then wait for it


class Diffusers:
    """Draws by diffusers. `device`: such as "cuda:0" ("": the best there is).

    `weights`: the folder of what was pulled. `recipes`: options by model, with `batch`.
    """

    def __init__(self, device: str, weights: str, recipes: Mapping[str, Mapping[str, Any]]) -> None:
        os.environ.update(ALONE)
        try:
            from ferrotype.engines.diffusers.runner import Runner  # imports torch: seconds
        except ImportError as error:
            raise ImportError(f"{error}; pip install 'ferrotype[diffusers]'") from error

        self._health = Health()
        self._wrong: dict[str, str] = {}
        self._menu = self._read(recipes)
        self.concurrency = max((one.batch for one in self._menu.values()), default=1)
        self._thread = ThreadPoolExecutor(1, "pipeline")  # the only one that calls pipelines
        self._runner = Runner(device, weights, self._health, list(self._menu.values()))
        self._gathering = Gathering(self._begin)
        self._warm()

    def _warm(self) -> None:
        """Load the recipes that are to be warm: before the first task, if that takes no hour."""
        warm = [
            self._thread.submit(self._runner.warm, model, options)
            for model, options in self._menu.items()
            if options.warm
        ]
        wait(warm, timeout=WARM_WITHIN)

    def _read(self, recipes: Mapping[str, Mapping[str, Any]]) -> dict[str, Options]:
        menu = {}
        for model, table in recipes.items():
            try:
                menu[model] = read_options(table)
            except msgspec.ValidationError as error:
                why = self._wrong[model] = f"its options are wrong: {error}."
                if model != "*" or len(recipes) == 1:
                    self._health.ail(model, why, for_good=True)
        return menu

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why, by model, it cannot be served now."""
        return self._health.unfit

    async def run(self, job: Job, bench: Bench) -> Sequence[Output]:
        """Draw with the job's mates. Raises `EngineRefusal`, `EngineUnfit`, `MemoryError`."""
        options = self._menu.get(job.model) or self._menu.get("*")
        if options is None:
            why = self._wrong.get("*", f"there is no recipe for {job.model}.")
            self._health.ail(job.model, self._wrong.get(job.model, why), for_good=True)
        elif not modes_of(job.kind):
            self._health.ail(job.model, f"diffusers does not serve {job.kind}.", for_good=True)
        if (unfit := self._health.unfit.get(job.model)) is not None:
            raise EngineUnfit(unfit)
        seat = Seat(job, bench)
        self._gathering.join(seat)
        return await seat.outcome()

    def _begin(self, party: list[Seat]) -> None:
        model = party[0].job.model
        options = self._menu.get(model) or self._menu["*"]
        waiting = Pulse(party, options.load_within)
        self._thread.submit(self._runner.serve, options, party, waiting)
