"""Jobs that are to run in one call, until all of them have come."""

import asyncio
from collections.abc import Callable

from ferrotype.engines.diffusers.seat import Seat

WINDOW = 0.05  # seconds that the first waits for its mates


class Gathering:
    """Collects mates. `begin` is called, on the event loop, with each party that is complete."""

    def __init__(self, begin: Callable[[list[Seat]], None]) -> None:
        self._begin = begin
        self._parties: dict[frozenset[str], list[Seat]] = {}

    def join(self, seat: Seat) -> None:
        """Add a job to the party that it was claimed with."""
        names = frozenset((seat.job.task, *seat.job.mates))
        party = self._parties.setdefault(names, [])
        party.append(seat)
        if len(party) == len(names):
            self._go(names)
        elif len(party) == 1:
            asyncio.get_running_loop().call_later(WINDOW, self._go, names)

    def _go(self, names: frozenset[str]) -> None:
        party = [seat for seat in self._parties.pop(names, []) if not seat.left]
        if party:
            self._begin(party)
