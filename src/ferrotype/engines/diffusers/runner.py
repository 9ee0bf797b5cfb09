"""The thread that loads pipelines and calls them, one party of jobs after the other."""

import logging
from collections.abc import Sequence

import diffusers
import structlog
import torch
import transformers

from ferrotype.engines.diffusers import abilities, memory
from ferrotype.engines.diffusers.call import Call
from ferrotype.engines.diffusers.health import Health
from ferrotype.engines.diffusers.loader import Loaded
from ferrotype.engines.diffusers.options import Options
from ferrotype.engines.diffusers.seat import Pulse, Seat
from ferrotype.engines.diffusers.shelf import Shelf
from ferrotype.engines.diffusers.steps import Stopped
from ferrotype.engines.diffusers.wish import Mode, modes_of
from ferrotype.ports.engine import EngineRefusal, EngineUnfit, Job

_log = structlog.get_logger(__name__)


class Runner:
    """Serves parties. Whatever goes wrong there is told to the jobs; nothing is raised."""

    def __init__(self, device: str, pulled: str, health: Health, menu: Sequence[Options]) -> None:
        _hush()
        self._device = memory.choose_device(device)
        asked = [own for options in menu if (own := options.device_bytes)]
        budget = memory.budget(self._device, min(asked, default=None))
        self._shelf = Shelf(self._device, pulled, budget)
        self._health = health

    def warm(self, model: str, options: Options) -> None:
        """Load a recipe before its first task; one that cannot be loaded is unfit."""
        try:
            self._load(model, options)
        except EngineUnfit:
            return

    def serve(self, options: Options, party: Sequence[Seat], waiting: Pulse) -> None:
        """Make what a party asks for, and end each of its jobs. `waiting` ends once it is begun."""
        party = [seat for seat in party if not seat.left]
        try:
            with waiting:
                if not party:
                    return
                loaded = self._load(party[0].job.model, options)
            self._check(loaded, party[0].job)
            self._make(loaded, options, party)
        except BaseException as error:
            for seat in party:
                seat.fail(error)

    def _load(self, model: str, options: Options) -> Loaded:
        """Return a recipe's pipeline. Raises `EngineUnfit`, and then the model is."""
        try:
            loaded = self._shelf.take(options)
        except Exception as error:
            why = f"its pipeline cannot be loaded: {_sentence(error)}"
            _log.warning("not loaded", model=model, why=why)
            self._health.ail(model, why)
        else:
            self._health.heal(model)
            return loaded
        memory.free()
        raise EngineUnfit(why)

    def _check(self, loaded: Loaded, job: Job) -> None:
        """Raise `EngineUnfit` when no job of this kind can ever be made with these weights.

        Models that draw may be sent a picture to edit: that is the one job's trouble.
        """
        drawn = job.kind == "image-edit" and Mode.DRAW in abilities.modes(loaded.pipe)
        if not drawn and not any(loaded.serves(mode) for mode in modes_of(job.kind)):
            name = type(loaded.pipe).__name__
            why = f"{name} cannot do {job.kind}: give this model other weights."
            self._health.ail(job.model, why, for_good=True)
            raise EngineUnfit(why)

    def _make(
        self,
        loaded: Loaded,
        options: Options,
        party: Sequence[Seat],
        waiting: Sequence[Seat] = (),
    ) -> None:
        def make_room() -> None:
            self._shelf.keep_only(loaded)

        try:
            made = Call(party, loaded, options, self._device, make_room, waiting).make()
        except (Stopped, EngineRefusal, MemoryError):
            raise
        except Exception as error:
            if memory.broke(error):
                raise MemoryError(f"the device is of no use any more: {error}") from error
            if len(party) == 1:
                raise
            _log.warning("party broke", why=_sentence(error))
        else:
            for seat in party:
                seat.give(made[seat.job.task])
            return
        for i, seat in enumerate(party):  # whose fault it was shows when each is alone
            self._alone(loaded, options, seat, party[i + 1 :])

    def _alone(self, loaded: Loaded, options: Options, seat: Seat, waiting: Sequence[Seat]) -> None:
        try:
            self._make(loaded, options, [seat], waiting)
        except MemoryError:
            raise
        except Exception as error:
            seat.fail(error)


def _sentence(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:600]


def _hush() -> None:
    """Keep libraries from printing prompts and progress bars."""
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("torchao").setLevel(logging.ERROR)
    torch.set_grad_enabled(False)
