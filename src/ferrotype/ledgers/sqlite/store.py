"""What the four ports stand on: one writer, one connection for point reads, one reader thread."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any, TypeVar

from ferrotype.ledgers.limits import Limits
from ferrotype.ledgers.sqlite import moves
from ferrotype.ledgers.sqlite.locks import FileLock
from ferrotype.ledgers.sqlite.rows import SECOND, read_task
from ferrotype.ledgers.sqlite.writer import Batch, Writer
from ferrotype.task import Lease, Move, Task, Who

T = TypeVar("T")


@dataclass(slots=True)
class Store:
    """An open database and the locks that go with it."""

    data_dir: Path
    limits: Limits
    reader: sqlite3.Connection  # query_only, used on the event loop: point reads only
    scanner: sqlite3.Connection  # query_only, used by the reader thread
    writer: Writer
    thread: ThreadPoolExecutor
    incarnations: dict[str, FileLock] = field(default_factory=dict)
    janitor: FileLock | None = None
    courier: FileLock | None = None

    def now(self, conn: sqlite3.Connection) -> int:
        """Return the ledger's time in microseconds."""
        return clock(self.limits.test, conn)

    def seconds(self, seconds: float) -> int:
        """Return seconds as the ledger's microseconds."""
        return int(seconds * SECOND)

    async def scan(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query that may take long, away from the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.thread, query, self.scanner)

    async def move(self, move: Move, task_id: str, who: Who, **values: Any) -> Task:
        """Make one move and return the task as it is after it."""
        return await self.writer.do(partial(self._move, move, task_id, who, values))

    async def hold(self, move: Move, lease: Lease, **values: Any) -> Task:
        """Make a holder's move."""
        return await self.move(
            move, lease.task, Who.WORKER, attempt=lease.attempt, worker=lease.worker, **values
        )

    def _move(
        self, move: Move, task_id: str, who: Who, values: dict[str, Any], batch: Batch
    ) -> Task:
        moved = moves.apply(batch, move, task_id, who, **values)
        return read_task(batch.conn, moved.n)


def clock(test: bool, conn: sqlite3.Connection) -> int:
    """Return the host's time in microseconds, moved by the offset that a test asked for."""
    now = time_ns() // 1000
    if test:
        row = conn.execute("SELECT value FROM meta WHERE name = 'clock_offset'").fetchone()
        now += row[0] if row else 0
    return now
