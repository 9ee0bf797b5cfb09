"""A job in the engine: who waits for it, and what it comes to."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from ferrotype.media import Output
from ferrotype.ports.engine import Bench, Job

TICK = 1.0  # seconds between two signs of life while nothing can be counted


class Seat:
    """One job. Made and awaited on the event loop; ended from the runner's thread."""

    def __init__(self, job: Job, bench: Bench) -> None:
        self.job = job
        self.bench = bench
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Sequence[Output]] = self._loop.create_future()
        self._left = threading.Event()
        self._fraction = 0.0

    @property
    def left(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._left.is_set() or self.bench.stopping.is_set()

    def move(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        """Tell how far the job is, which never becomes less; nothing once nobody waits for it."""
        if not self.left:
            self._fraction = max(self._fraction, fraction)
            self.bench.progress(self._fraction, step, steps)

    async def outcome(self) -> Sequence[Output]:
        """Wait for the outputs. Whoever is cancelled here has left; the work ends soon after."""
        try:
            return await self._ended
        except asyncio.CancelledError:
            self._left.set()
            raise

    def give(self, outputs: Sequence[Output]) -> None:
        """End the job with what was made."""
        self._end(lambda: self._ended.set_result(outputs))

    def fail(self, error: BaseException) -> None:
        """End the job with an error."""
        self._end(lambda: self._ended.set_exception(error))

    def _end(self, set_it: Callable[[], None]) -> None:
        def end() -> None:
            if not self._ended.done():
                set_it()

        self._loop.call_soon_threadsafe(end)


class Pulse:
    """Tells from now on that jobs are alive, though nothing can be counted: `within` seconds."""

    def __init__(self, seats: Sequence[Seat], within: float, fraction: float = 0.0) -> None:
        self._seats = seats
        self._fraction = fraction
        self._until = time.monotonic() + within
        self._over = threading.Event()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def __enter__(self) -> "Pulse":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Tell nothing more: from now on the work itself does."""
        self._over.set()

    def _beat(self) -> None:
        while not self._over.wait(TICK) and time.monotonic() < self._until:
            for seat in self._seats:
                seat.move(self._fraction)
