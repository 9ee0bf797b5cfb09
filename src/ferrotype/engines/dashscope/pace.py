"""Turns at a door: one after the other, ever slower while who is inside says it is too fast."""

import asyncio
import random
from time import monotonic

SLOWEST = 10.0  # seconds between two turns
FIRST = 0.25
BURST = 1.0  # refusals within it are one: they answer what was sent before the first of them


class Pace:
    """Spaces calls to one upstream `interval` seconds apart, at first and at least."""

    def __init__(self, interval: float = 0.0) -> None:
        self._least = self._interval = interval
        self._next = self._slowed_at = float("-inf")

    @property
    def interval(self) -> float:
        """Seconds between two turns now."""
        return self._interval

    async def turn(self) -> None:
        """Wait for a turn."""
        now = monotonic()
        at = max(now, self._next)
        self._next = at + self._interval
        if at > now:
            await asyncio.sleep(at - now)

    def slower(self, wait: float | None = None) -> float:
        """Make turns rarer, and the next one not before `wait` seconds (None: choose). Return that.

        Refusals of one burst count once.
        """
        now = monotonic()
        if now - self._slowed_at > max(BURST, self._interval):
            self._interval = min(SLOWEST, max(FIRST, 2 * self._interval))
            self._slowed_at = now
        wait = self._interval * random.uniform(1, 2) if wait is None else wait
        self._next = max(self._next, now + wait)
        return wait

    def faster(self) -> None:
        """Make turns a little more frequent: one was well received."""
        shorter = 0.9 * self._interval
        self._interval = shorter if shorter > max(self._least, FIRST / 4) else self._least
