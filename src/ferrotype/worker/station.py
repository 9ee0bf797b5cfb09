"""Where tasks are run: an engine room and the models that it serves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ferrotype.ports.engine_room import EngineRoom


@dataclass(frozen=True, kw_only=True)
class Station:
    """One room of a worker, on a `device` if its recipes name one.

    An attempt may take `deadline` seconds; it is not tried again then.
    `deadlines` and `batches` (tasks of one shape that run in one call; else 1) by model.
    """

    room: EngineRoom
    models: frozenset[str]
    device: str = ""
    deadline: float = 300.0
    deadlines: Mapping[str, float] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)

    @property
    def fit(self) -> frozenset[str]:
        """The models that its engine can serve now."""
        unfit = self.room.unfit
        return frozenset() if "*" in unfit else self.models - unfit.keys()

    def patience(self, model: str) -> float:
        """Return how long an attempt at a model may take, in seconds."""
        return self.deadlines.get(model, self.deadline)


def models_of(stations: Iterable[Station]) -> tuple[str, ...]:
    """Return every model that some station serves, in order of name."""
    return tuple(sorted(frozenset().union(*(station.models for station in stations))))
