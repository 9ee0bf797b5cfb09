"""Wakes those who wait, sooner. Losing a ring loses nothing: everybody also looks by himself."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Ear(Protocol):
    """A subscription to some topics, from its opening on."""

    async def wait(self, timeout: float) -> bool:
        """Return True once one of the topics rang since the last `wait`, False on time-out."""


class Bell(Protocol):
    """Topics: `work:<model>`, `task:<id>`, `stop:<worker>`, `events`."""

    def ring(self, topics: Collection[str]) -> None:
        """Wake every ear that listens to one of these, in all processes. Any thread may call."""

    def listen(self, topics: Collection[str]) -> AbstractAsyncContextManager[Ear]:
        """Open an ear. What rings after this is never missed by the ear's next `wait`."""
