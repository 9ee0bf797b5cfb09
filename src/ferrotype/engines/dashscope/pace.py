"""Turns at a door: one after the other, ever slower while who is inside says it is too fast."""

import asyncio
import random
from time import monotonic

SLOWEST = 10.0  # seconds between two turns
SLOW = 0.25  # seconds, at least, when one was refused
FASTER = 0.9
NOTHING = 0.02  # seconds
BURST = 1.0  # refusals within it are one: they answer what was sent before the first of them


class Pace:
    """Spaces calls to one upstream: `first` seconds apart, and in the end no less than `least`."""

    def __init__(self, first: float, least: float = 0.0) -> None:
        self.interval, self._least = first, least
        self._last = self._slowed_at = self._not_before = float("-inf")
        self._queue = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for a turn; who came first has it first."""
        async with self._queue:
            while (left := self._next() - monotonic()) > 0:  # it may have become slower meanwhile
                await asyncio.sleep(left)
            self._last = monotonic()

    def slower(self, wait: float | None = None) -> float:
        """Make turns rarer, and the next one not before `wait` seconds (None: choose). Return that.

        Refusals of one burst count once.
        """
        now = monotonic()
        if now - self._slowed_at > max(BURST, self.interval):
            self.interval = min(SLOWEST, max(SLOW, 2 * self.interval))
            self._slowed_at = now
        wait = self.interval * random.uniform(1, 2) if wait is None else wait
        self._not_before = max(self._not_before, now + wait)
        return wait

    def faster(self) -> None:
        """Make turns a little more frequent: one was well received."""
        shorter = FASTER * self.interval
        self.interval = shorter if shorter > max(self._least, NOTHING) else self._least

    def _next(self) -> float:
        return max(self._last + self.interval, self._not_before)
