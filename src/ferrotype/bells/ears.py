"""Who listens in one process. Belongs to the event loop."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

EVERYTHING = "*"  # the topic that wakes everybody: something may have been lost


class Ear:
    """One subscription."""

    def __init__(self, topics: Collection[str]) -> None:
        self.topics = frozenset(topics)
        self._rung = asyncio.Event()

    def wake(self) -> None:
        """Let `wait` return."""
        self._rung.set()

    async def wait(self, timeout: float) -> bool:
        """Return True once a topic rang since the last `wait`, or may have; False on time-out."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class Ears:
    """The ears of one process, by topic."""

    def __init__(self) -> None:
        self._by_topic: dict[str, set[Ear]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_topic)

    @asynccontextmanager
    async def listen(self, topics: Collection[str]) -> AsyncIterator[Ear]:
        """Open an ear. What rings after this is never missed by the ear's next `wait`."""
        ear = Ear(topics)
        for topic in ear.topics:
            self._by_topic.setdefault(topic, set()).add(ear)
        try:
            yield ear
        finally:
            for topic in ear.topics:
                self._by_topic[topic].discard(ear)
                if not self._by_topic[topic]:
                    del self._by_topic[topic]

    def wake(self, topics: Collection[str]) -> None:
        """Wake those who listen to one of these topics."""
        if EVERYTHING in topics:
            topics = list(self._by_topic)
        for topic in topics:
            for ear in self._by_topic.get(topic, ()):
                ear.wake()
