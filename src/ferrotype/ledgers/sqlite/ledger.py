"""The SQLite ledger: all seven ports over one data folder."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path

import msgspec

from ferrotype.errors import Unavailable
from ferrotype.ledgers.limits import Limits
from ferrotype.ledgers.sqlite.admin import SqliteAdmin, ensure_secret
from ferrotype.ledgers.sqlite.intake import SqliteIntake
from ferrotype.ledgers.sqlite.locks import BatchLock, FileLock
from ferrotype.ledgers.sqlite.operate import SqliteOperate
from ferrotype.ledgers.sqlite.outbox import SqliteOutbox
from ferrotype.ledgers.sqlite.rehearsal import SqliteBook
from ferrotype.ledgers.sqlite.schema import connect, prepare
from ferrotype.ledgers.sqlite.store import Store, clock
from ferrotype.ledgers.sqlite.upkeep import SqliteUpkeep
from ferrotype.ledgers.sqlite.watch import SqliteWatch
from ferrotype.ledgers.sqlite.work import SqliteWork
from ferrotype.ledgers.sqlite.writer import Writer
from ferrotype.ports.bell import Bell

DATABASE = "ledger.db"


class SqliteLedger(
    SqliteIntake,
    SqliteWork,
    SqliteUpkeep,
    SqliteAdmin,
    SqliteOutbox,
    SqliteBook,
    SqliteWatch,
    SqliteOperate,
):
    """The ports `Intake`, `Work`, `Upkeep`, `Admin`, `Outbox`, `Book`, `Watch`, `Operate`.

    `async with SqliteLedger.open(data_dir, bell=bell, migrate=True) as ledger:`
    """

    def __init__(self, store: Store) -> None:
        SqliteUpkeep.__init__(self, store)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, data_dir: Path, *, bell: Bell, migrate: bool = False, limits: Limits | None = None
    ) -> AsyncIterator["SqliteLedger"]:
        """Open the ledger of a data folder for the running event loop.

        With `migrate`, a missing or older database is brought to our schema first; without it,
        such a one is refused. Raises `Broken` with one sentence for a database that is not for
        us, `Unavailable` when another process does not let its lock go.
        """
        limits = limits or Limits()
        with ExitStack() as stack:
            lock, conns = await asyncio.to_thread(_open, data_dir, migrate, limits, stack)
            writer = Writer(
                conns[0],
                lock,
                clock=partial(clock, limits.test),
                retention=int(limits.retention * 1_000_000),
                urls=msgspec.json.encode(limits.events).decode() if limits.events else "",
                ring=bell.ring,
                patience=limits.patience,
                limit=limits.queue,
            )
            thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-reader")
            store = Store(data_dir, limits, conns[1], conns[2], writer, thread)
            try:
                await writer.do(ensure_secret)
                yield cls(store)
            finally:
                ended = await writer.close()
                thread.shutdown(wait=True)
                for worker in store.incarnations.values():
                    worker.close()
                for lead in (store.janitor, store.courier):
                    if lead is not None:
                        lead.close()
                if ended:
                    await asyncio.to_thread(_close, lock, conns, limits.patience)
                else:
                    stack.pop_all()  # the thread still waits on them: they go with the process

    async def backup(self, to: Path) -> None:
        """Write a consistent copy of the database while the service runs, without its workers."""
        store = self._store

        def copy(conn: sqlite3.Connection) -> None:
            os.close(os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(to, isolation_level=None)) as target:
                conn.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
                target.execute("DELETE FROM worker")

        await store.scan(copy)


def _open(
    data_dir: Path, migrate: bool, limits: Limits, stack: ExitStack
) -> tuple[BatchLock, list[sqlite3.Connection]]:
    """Take the locks and open the connections: writer, reader, scanner."""
    for folder in (data_dir, data_dir / "workers"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    schema = FileLock(data_dir / "schema.lock", shared=True, patience=limits.patience)
    stack.callback(schema.close)
    lock = BatchLock(data_dir / "ledger.lock")
    stack.callback(lock.close)
    if not schema.taken:
        raise Unavailable("The ledger is being migrated by another process.")
    path = data_dir / DATABASE
    prepare(path, schema, lock, migrate=migrate, patience=limits.patience)
    with lock.held(limits.patience):
        modes = (False, True, True)
        conns = [connect(path, read_only=mode, patience=limits.patience) for mode in modes]
    return lock, conns


def _close(lock: BatchLock, conns: list[sqlite3.Connection], patience: float) -> None:
    """Close the connections under the lock: the last one folds the log back."""
    with lock.held(patience):
        for conn in conns:
            conn.close()
