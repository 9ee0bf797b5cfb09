"""Time, as the use cases ask for it. The ledger has its own."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A wall clock for showing and a steady one for waiting."""

    def now(self) -> datetime:
        """Return the current time in UTC, aware."""

    def steady(self) -> float:
        """Return seconds that never go backwards."""
