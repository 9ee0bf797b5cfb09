"""Joins calls (creates, ends, polls): what arrived while the last batch ran is the next one."""

import asyncio
import queue
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from ferrotype.errors import Unavailable

A = TypeVar("A")
R = TypeVar("R")

LONGEST = 256  # calls in a batch: what bounds how long its locks are held


class Batches(Generic[A, R]):
    """One kind of call. `make` gets the arguments of a batch and returns an answer for each.

    An answer that is an exception is raised to its caller; what `make` raises, to all of them.
    """

    def __init__(
        self, make: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]], limit: int
    ) -> None:
        self._make = make
        self._limit = limit
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def do(self, call: A) -> R:
        """Make a call in the next batch. Raises `Unavailable` when too many wait already."""
        if len(self._waiting) >= self._limit:
            raise Unavailable() from queue.Full(f"{len(self._waiting)} writes wait already")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Wait until all that was asked for is made."""
        while self._running is not None:
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), LONGEST)
                await self._make_one([self._waiting.popleft() for _ in range(count)])
        finally:
            self._running = None

    async def _make_one(self, batch: Sequence[tuple[A, "asyncio.Future[R]"]]) -> None:
        answers: Sequence[R | Exception]
        try:
            answers = await self._make([call for call, _ in batch])
        except Exception as error:
            answers = [error] * len(batch)
        except BaseException:  # who waits must not wait forever
            for _, future in batch:
                if not future.done():
                    future.set_exception(Unavailable())
            raise
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
