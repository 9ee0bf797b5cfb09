"""Where tasks are run: an engine room and the models that it serves."""

from collections.abc import Iterable
from dataclasses import dataclass

from ferrotype.ports.engine_room import EngineRoom


@dataclass(frozen=True, kw_only=True)
class Station:
    """One room of a worker. An attempt may take `deadline` seconds; it is not tried again then."""

    room: EngineRoom
    models: frozenset[str]
    deadline: float = 300.0


def models_of(stations: Iterable[Station]) -> tuple[str, ...]:
    """Return every model that some station serves, in order of name."""
    return tuple(sorted(frozenset().union(*(station.models for station in stations))))
