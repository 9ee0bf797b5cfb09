"""How a process of ours is asked to end: once for soon, twice for now."""

import asyncio


class Stop:
    """Two events that signals set, one after the other."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.now = asyncio.Event()

    def ask(self) -> None:
        """Ask to finish what runs and end; asked again, to end at once."""
        if self.asked.is_set():
            self.now.set()
        self.asked.set()
