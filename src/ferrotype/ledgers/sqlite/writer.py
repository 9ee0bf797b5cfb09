"""The one writer thread: what arrived while the last commit ran is the next transaction.

take the batch lock -> BEGIN IMMEDIATE -> each command in its SAVEPOINT -> COMMIT -> unlock
-> all answers in one call to the event loop -> one ring
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import structlog

from ferrotype.errors import Broken, FerrotypeError, Unavailable
from ferrotype.ledgers.sqlite.locks import BatchLock

T = TypeVar("T")
LONGEST_BATCH = 256  # commands: what bounds how long another process waits for the lock
log = structlog.get_logger()


class Batch:
    """One transaction as its commands see it: a connection, one time, and the topics to ring."""

    __slots__ = ("conn", "expires", "now", "open_tasks", "topics", "urls")

    def __init__(self, conn: sqlite3.Connection, now: int, retention: int, urls: str) -> None:
        self.conn = conn
        self.urls = urls  # whom to tell of tasks that end in this batch: a JSON list, or ""
        self.now = now  # microseconds since the epoch
        self.expires = now + retention  # of a task that ends in this batch
        self.topics: set[str] = set()
        self.open_tasks: int | None = None  # counted once a batch, by the first `add`


Command = Callable[[Batch], Any]


class _Job:
    """A command and whoever waits for it. `bare` runs outside a transaction, alone."""

    __slots__ = ("answer", "bare", "command", "error", "future", "since")

    def __init__(self, command: Command, future: asyncio.Future[Any], bare: bool) -> None:
        self.command = command
        self.future = future
        self.bare = bare
        self.since = monotonic()
        self.answer: Any = None
        self.error: BaseException | None = None


class Writer:
    """Runs commands in batches on a thread of its own. Belongs to the loop that made it.

    `patience` seconds a command waits for the lock before it is refused, with nothing written;
    `limit` commands may wait at once.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        lock: BatchLock,
        *,
        clock: Callable[[sqlite3.Connection], int],
        retention: int,
        urls: str,
        ring: Callable[[Collection[str]], None],
        patience: float,
        limit: int,
    ) -> None:
        self._conn = conn
        self._lock = lock
        self._clock = clock
        self._retention = retention
        self._urls = urls
        self._ring = ring
        self._patience = patience
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Job] = deque()
        self._some = threading.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def do(self, command: Callable[[Batch], T], *, bare: bool = False) -> "asyncio.Future[T]":
        """Queue a command; its future holds the answer once that is durable.

        Raises `Unavailable` when too many wait already; the future raises it when the lock was
        not had in time or the commit failed, and whatever the command raised. What is wrong with
        the ledger is the error's cause, never in its message.
        """
        if self._closing or len(self._queue) >= self._limit:
            raise Unavailable() from queue.Full(f"{len(self._queue)} writes wait already")
        job = _Job(command, self._loop.create_future(), bare)
        self._queue.append(job)
        self._some.set()
        if self._alarm is None:
            self._alarm = self._loop.call_later(self._patience, self._refuse_late)
        return job.future

    async def close(self) -> bool:
        """Write what waits and end the thread; False when it hangs on the lock all the while."""
        self._closing = True
        self._some.set()
        await asyncio.to_thread(self._thread.join, self._patience)
        if self._alarm is not None:
            self._alarm.cancel()
        return not self._thread.is_alive()

    def _refuse_late(self) -> None:
        """Fail the commands that waited too long. Whoever pops a job from the queue owns it."""
        self._alarm = None
        oldest_allowed = monotonic() - self._patience
        late: list[_Job] = []
        while self._queue:
            job = self._queue.popleft()
            if job.since > oldest_allowed:
                self._queue.appendleft(job)
                self._some.set()
                wait = job.since - oldest_allowed
                self._alarm = self._loop.call_later(wait, self._refuse_late)
                break
            late.append(job)
        if late:
            holder = self._lock.holder()
            log.error("ledger busy", action="write", holder=holder, commands=len(late))
            _refuse(late, TimeoutError(f"process {holder} holds the ledger's lock"))
            _settle(late)

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            while self._queue:
                self._lock.acquire()
                topics: Collection[str] = ()
                try:
                    jobs = self._take()
                    topics = self._write(jobs)
                finally:
                    self._lock.release()
                self._loop.call_soon_threadsafe(_settle, jobs)
                if topics:
                    self._tell(topics)
            if self._closing:
                return

    def _tell(self, topics: Collection[str]) -> None:
        try:
            self._ring(topics)
        except Exception:  # losing a ring loses nothing; losing this thread would
            log.exception("bell failed", action="ring")

    def _take(self) -> list[_Job]:
        jobs: list[_Job] = []
        while len(jobs) < LONGEST_BATCH:
            try:
                job = self._queue.popleft()
            except IndexError:
                break
            if job.future.cancelled():
                continue
            if job.bare and jobs:
                self._queue.appendleft(job)
                break
            jobs.append(job)
            if job.bare:
                break
        return jobs

    def _write(self, jobs: list[_Job]) -> Collection[str]:
        """Run and commit the jobs, or fail them all; return what to ring."""
        if not jobs:
            return ()
        try:
            if self._conn.in_transaction:  # the last batch could not even be rolled back
                self._conn.execute("ROLLBACK")
            batch = Batch(self._conn, self._clock(self._conn), self._retention, self._urls)
            if jobs[0].bare:
                jobs[0].answer = jobs[0].command(batch)
                return ()
            self._conn.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._attempt(job, batch)
            self._conn.execute("COMMIT")
        except Exception as error:
            with suppress(sqlite3.Error):
                self._conn.execute("ROLLBACK")
            log.error("ledger not written", action="write", error=repr(error), commands=len(jobs))
            _refuse(jobs, error)
            return ()
        return batch.topics

    def _attempt(self, job: _Job, batch: Batch) -> None:
        """Run one command; what it wrote is undone when it raises, and the batch goes on."""
        conn = self._conn
        conn.execute("SAVEPOINT command")
        try:
            job.answer = job.command(batch)
        except Exception as error:
            if not conn.in_transaction:  # a full disk, say: SQLite undid the whole batch
                raise
            conn.execute("ROLLBACK TO command")
            if not isinstance(error, FerrotypeError):
                log.exception("ledger command failed", action="write")
                error = _because(Broken(), error)
            job.error = error
        conn.execute("RELEASE command")


def _because(error: FerrotypeError, cause: Exception) -> FerrotypeError:
    """Give an error its cause: for logs and operators, since the message goes to callers."""
    error.__cause__ = cause
    return error


def _refuse(jobs: list[_Job], cause: Exception) -> None:
    for job in jobs:
        job.error = _because(Unavailable(), cause)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.answer)
