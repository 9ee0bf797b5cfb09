"""The pipelines that are loaded: the one that was longest unused goes when room is needed."""

import time
from collections import OrderedDict

import structlog
import torch

from ferrotype.engines.diffusers import loader, memory, tuning
from ferrotype.engines.diffusers.loader import Loaded
from ferrotype.engines.diffusers.memory import Bytes
from ferrotype.engines.diffusers.options import Options

_log = structlog.get_logger(__name__)


class Shelf:
    """Loaded pipelines of one device, within a budget. Used in one thread."""

    def __init__(self, device: torch.device, pulled: str, budget: Bytes) -> None:
        self._device = device
        self._pulled = pulled
        self._budget = budget
        self._loaded: OrderedDict[bytes, Loaded] = OrderedDict()

    def __contains__(self, options: Options) -> bool:
        return options.loading in self._loaded

    def take(self, options: Options) -> Loaded:
        """Return a recipe's pipeline, loaded if need be. Raises whatever keeps it from that."""
        key = options.loading
        if key not in self._loaded:
            for problem in options.problems(self._pulled):
                raise ValueError(problem)
            self._make_room(loader.estimate(options, self._pulled, self._device))
            self._loaded[key] = self._load(options)
        else:  # for another recipe, maybe
            tuning.check_call(self._loaded[key].pipe, options)
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def _load(self, options: Options) -> Loaded:
        began = time.monotonic()
        found = None
        try:
            found = loader.load(options, self._pulled, self._device)
        except Exception as error:
            if not (memory.ran_out(error) and self._loaded):
                raise
        if found is None:  # once more, alone on the device
            self.keep_only(None)
            found = loader.load(options, self._pulled, self._device)
        cost, seconds = found.cost, round(time.monotonic() - began, 2)
        _log.info("loaded", weights=options.weights, seconds=seconds, bytes=cost.device)
        return found

    def _make_room(self, needed: Bytes) -> None:
        """Drop pipelines until another one fits. One alone may be larger than the budget."""
        while self._loaded and not (self._sum() + needed).within(self._budget):
            self._drop(next(iter(self._loaded)))
        memory.free()

    def keep_only(self, kept: Loaded | None) -> int:
        """Drop every pipeline but one; return how many those were."""
        gone = [key for key, loaded in self._loaded.items() if loaded is not kept]
        for key in gone:
            self._drop(key)
        memory.free()
        return len(gone)

    def _sum(self) -> Bytes:
        return sum((loaded.cost for loaded in self._loaded.values()), Bytes())

    def _drop(self, key: bytes) -> None:
        dropped = self._loaded.pop(key)
        _log.info("dropped", weights=dropped.options.weights)
        if hasattr(dropped.pipe, "remove_all_hooks"):
            dropped.pipe.remove_all_hooks()
        if dropped.options.compile:
            torch.compiler.reset()  # what was compiled holds on to what it was compiled for
            for loaded in self._loaded.values():
                loaded.shapes.clear()  # those are compiled again
