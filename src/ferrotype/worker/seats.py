"""The seats of a station: how many jobs may be with its engine, and which must be alone there."""

import asyncio
from collections.abc import Callable


class Seats:
    """Counts the jobs in a room.

    After a crash that several jobs shared, and for a task that must run alone, the next jobs
    go in one by one.
    """

    def __init__(self, concurrency: Callable[[], int]) -> None:
        self._concurrency = concurrency
        self._taken = 0
        self._singles = 0  # jobs that are still to run alone
        self._changed = asyncio.Event()

    @property
    def empty(self) -> bool:
        """True while no job is in the room."""
        return not self._taken

    async def one_free(self) -> None:
        """Wait until another job may go in."""
        while self._taken >= (1 if self._singles else self._concurrency()):
            self._changed.clear()
            await self._changed.wait()

    def take(self, *, alone: bool = False) -> "Seat":
        """Take a seat, for a job that must be `alone` or any other."""
        self._taken += 1
        self._singles += alone
        return Seat(self, single=self._singles > 0)

    def give_back(self, *, single: bool) -> None:
        """Free a seat."""
        self._taken -= 1
        self._singles -= single
        self._changed.set()

    def mind_one(self) -> None:
        """Have one more of the next jobs run alone."""
        self._singles += 1


class Seat:
    """One job's place, left once."""

    def __init__(self, seats: Seats, *, single: bool) -> None:
        self._seats = seats
        self._single = single
        self._left = False

    def share_blame(self) -> None:
        """Say that this job was in a crash with others: it is to run alone next."""
        self._seats.mind_one()

    def leave(self) -> None:
        """Free the seat, unless that was done."""
        if not self._left:
            self._left = True
            self._seats.give_back(single=self._single)
