"""Which recipes cannot be served now, why, and when they are to be tried again."""

import math
import threading
import time
from collections.abc import Callable

from msgspec import Struct

PAUSES = (30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)  # seconds between two tries to load


class Ailment(Struct, frozen=True):
    """Why a recipe is not served, until when (monotonic), and how often that was so."""

    why: str
    until: float
    times: int


class Health:
    """The recipes' states. Any thread may ask."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._ailing: dict[str, Ailment] = {}

    @property
    def unfit(self) -> dict[str, str]:
        """Why, by model. One whose pause is over is not named: its next task tries again."""
        with self._lock:
            now = self._now()
            return {model: it.why for model, it in self._ailing.items() if now < it.until}

    def ail(self, model: str, why: str, *, for_good: bool = False) -> None:
        """Say that a model cannot be served, for a while or as long as the process lives."""
        with self._lock:
            last = self._ailing.get(model)
            times = last.times + 1 if last else 1
            pause = math.inf if for_good else PAUSES[min(times, len(PAUSES)) - 1]
            self._ailing[model] = Ailment(why, self._now() + pause, times)

    def heal(self, model: str) -> None:
        """Say that a model is served."""
        with self._lock:
            self._ailing.pop(model, None)
