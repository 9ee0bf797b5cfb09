"""The seats of a station: how many jobs may be with its engine, and which must be alone there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

AWAY = 32  # jobs of a station that may wait for their inputs without a seat


class Seats:
    """Counts the jobs in a room.

    After a crash that several jobs shared, and for a task that must run alone, the next jobs
    go in one by one.
    """

    def __init__(self, concurrency: Callable[[], int]) -> None:
        self._concurrency = concurrency
        self._taken = 0
        self._singles = 0  # jobs that are still to run alone
        self._away = 0
        self._changed = asyncio.Event()

    @property
    def free(self) -> bool:
        """True while another job may go in."""
        return self.left > 0

    @property
    def empty(self) -> bool:
        """True while no job is in the room."""
        return not self._taken

    @property
    def left(self) -> int:
        """How many more jobs may go in."""
        return (1 if self._singles else self._concurrency()) - self._taken

    async def one_free(self, *, alone: bool = False) -> None:
        """Wait until another job may go in; with `alone`, until nobody is there any more."""
        while not self.free or (alone and self._taken):
            self._changed.clear()
            await self._changed.wait()

    def take(self) -> "Seat":
        """Take a seat."""
        self._taken += 1
        return Seat(self, single=self._singles > 0)

    def give_back(self, *, single: bool) -> None:
        """Free a seat."""
        self._taken -= 1
        self._singles -= single
        self._changed.set()

    async def lend(self, work: Awaitable[T], *, single: bool) -> T:
        """Free a seat until some work elsewhere is done, then take one again.

        No more than `AWAY` are lent at a time: who comes back must not wait in too long a line.
        """
        if self._away >= AWAY:
            return await work
        self._away += 1
        self.give_back(single=single)
        try:
            done = await work
            while not self.free or (single and self._taken):
                self._changed.clear()
                await self._changed.wait()
            return done
        finally:
            self._away -= 1
            self._taken += 1
            self._singles += single

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

    def stay_alone(self) -> None:
        """Say that no other job may be in the room with this one."""
        self._seats.mind_one()
        self._single = True

    async def lend(self, work: Awaitable[T]) -> T:
        """Let others have the seat until the work is done; then have it again."""
        return await self._seats.lend(work, single=self._single)

    def leave(self) -> None:
        """Free the seat, unless that was done."""
        if not self._left:
            self._left = True
            self._seats.give_back(single=self._single)
