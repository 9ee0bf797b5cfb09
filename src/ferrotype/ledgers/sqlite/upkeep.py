"""What the janitor asks: the dead, the due, the unserved, the overdue, the expired."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, time

import msgspec

from ferrotype.errors import Conflict, TimedOut, Unavailable, default_message
from ferrotype.ledgers.guards import guard_of
from ferrotype.ledgers.sqlite import caps, moves
from ferrotype.ledgers.sqlite.locks import FileLock
from ferrotype.ledgers.sqlite.operate import keep_used
from ferrotype.ledgers.sqlite.rows import SECOND, moment
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ledgers.sqlite.work import admit_due, dismiss
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.ports.ledger import MARK, Swept
from ferrotype.task import RULES, Move, Status, Who

CHUNK = 200  # rows that one janitor's write touches, at most
_GRACE = 60.0  # seconds after its deadline that a task's worker has for timing it out itself
_JUMP = 5.0  # seconds that the wall clock may gain on the steady one between two rounds
_FOLD = 4 << 20  # bytes of write-ahead log worth folding back
_READY = "status = 'PENDING' AND turn IS NOT NULL"
UNSERVED_MODELS = f"""WITH RECURSIVE ready(model) AS (
        SELECT min(model) FROM task WHERE {_READY}
        UNION ALL
        SELECT (SELECT min(model) FROM task WHERE {_READY} AND model > ready.model)
        FROM ready WHERE ready.model IS NOT NULL)
    SELECT model FROM ready WHERE model IS NOT NULL
        AND model NOT IN (SELECT m.value FROM worker w, json_each(w.models) m)
        AND model NOT IN (SELECT model FROM paused)
        AND coalesce((SELECT until_at FROM served s WHERE s.model = ready.model), 0) <= :before"""
UNSERVED = f"SELECT id FROM task WHERE model = ? AND {_READY} AND submit_at <= ? LIMIT {CHUNK}"
LEFT = f"""SELECT id, status FROM task WHERE attended_until IS NOT NULL AND stop_at IS NULL
    AND status IN ('PENDING', 'RUNNING') AND attended_until <= ? LIMIT {CHUNK}"""
RUNNING = "SELECT id, model, attempt, worker, claim_at FROM task WHERE status = 'RUNNING'"
ORPHANS = """SELECT DISTINCT worker FROM task
    WHERE status = 'RUNNING' AND worker NOT IN (SELECT id FROM worker)"""
# `swept` is when a task was marked, or 0
EXPIRED = """UPDATE task SET swept = :now WHERE n IN (SELECT n FROM task
    WHERE expires_at IS NOT NULL AND expires_at <= :now AND swept <= :again
    ORDER BY expires_at LIMIT :limit)
    RETURNING id, submit_at"""
FORGETTABLE = f"""SELECT n FROM task WHERE id IN (SELECT value FROM json_each(?)) AND swept
    AND {guard_of(RULES[Move.EXPIRE])}"""


class SqliteUpkeep:
    """The port `Upkeep`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._workers = store.data_dir / "workers"
        self._round = (time(), monotonic())  # of the last look at the leases
        self._trusted_from = 0.0  # steady time from which stale leases count again

    async def lead(self) -> bool:
        """Try to be the one janitor; once True it stays so until `close`."""
        if self._store.janitor is None:
            lock = FileLock(self._store.data_dir / "janitor.lock")
            if not lock.taken:
                lock.close()
                return False
            self._store.janitor = lock
        return True

    async def reap(self) -> Sequence[str]:
        """Make every task of every dead worker PENDING again (or CANCELED); return the workers.

        Whoever can take a worker's lock knows it dead. One that keeps its lock but did not renew
        is dead too, except just after the clock was put forward.
        """
        dead = {path.name: lock for path in self._files() if (lock := _unlocked(path))}
        stale = self._stale_after()
        try:
            gone = self._gone(frozenset(dead), stale, self._store.reader)
            if gone:
                await self._store.writer.do(partial(self._bury, frozenset(dead), stale))
        except BaseException:
            for lock in dead.values():
                lock.close()
            raise
        for lock in dead.values():
            lock.close(unlink=True)
        return gone

    async def admit_due(self) -> int:
        """Make held tasks ready whose time has come, and apply changed caps."""
        admitted = 0
        while (admitted_now := await self._store.writer.do(admit_due)) > 0:
            admitted += admitted_now
        while caps.changed(self._store.reader):
            admitted += await self._store.writer.do(caps.sweep)
        return admitted

    async def end_unserved(self, after: float) -> int:
        """FAIL ready tasks for whose model no worker lived during the last `after` seconds."""
        wait = self._store.seconds(after)
        found = await self._store.scan(partial(self._unserved, wait))
        if not found:
            return 0
        return await self._store.writer.do(partial(_end_unserved, found))

    async def abandon(self) -> int:
        """Cancel or ask to stop attended tasks whose caller went away."""
        return await self._store.writer.do(_abandon)

    async def end_overdue(self, deadlines: Mapping[str, float], default: float) -> int:
        """Time out tasks that ran longer than their model's deadline (seconds) plus 60."""

        def command(batch: Batch) -> int:
            ended = 0
            rows = batch.conn.execute(RUNNING).fetchall()
            for task_id, model, attempt, worker, claim_at in rows:
                longest = deadlines.get(model, default) + _GRACE
                if claim_at + self._store.seconds(longest) <= batch.now:
                    holder = {"attempt": attempt, "worker": worker}
                    told = {"code": TimedOut.code, "message": default_message(TimedOut)}
                    moves.apply(batch, Move.TIME_OUT, task_id, Who.JANITOR, **holder, **told)
                    ended += 1
            return ended

        return await self._store.writer.do(command)

    async def expired(self, limit: int) -> Sequence[Swept]:
        """Mark up to `limit` expired tasks and return them, without those marked lately (`MARK`).

        So one whose files cannot go stands in the way of no other.
        """

        def command(batch: Batch) -> list[Swept]:
            given = {"now": batch.now, "again": batch.now - int(MARK * SECOND), "limit": limit}
            rows = batch.conn.execute(EXPIRED, given).fetchall()
            return [Swept(task_id, f"{moment(at):%Y%m%d}") for task_id, at in rows]

        return await self._store.writer.do(command)

    async def forget(self, task_ids: Collection[str]) -> None:
        """Remove marked tasks with their body, result, events and idempotency keys."""

        def command(batch: Batch) -> None:
            names = msgspec.json.encode(list(task_ids)).decode()
            ns = [row[0] for row in batch.conn.execute(FORGETTABLE, (names,)).fetchall()]
            keep_used(batch, ns)
            for n in ns:
                for table in ("task", "body", "result", "note", "event", "idempotency"):
                    batch.conn.execute(f"DELETE FROM {table} WHERE n = ?", (n,))

        await self._store.writer.do(command)

    async def known(self, task_ids: Collection[str]) -> frozenset[str]:
        """Return those ids that the ledger still holds."""
        names = msgspec.json.encode(list(task_ids)).decode()

        def query(conn: sqlite3.Connection) -> frozenset[str]:
            rows = conn.execute(
                "SELECT t.id FROM json_each(?) j JOIN task t ON t.id = j.value", (names,)
            )
            return frozenset(row[0] for row in rows)

        return await self._store.scan(query)

    async def checkpoint(self) -> None:
        """Fold the write-ahead log back once it is worth it."""
        log = self._store.data_dir / "ledger.db-wal"
        if log.exists() and log.stat().st_size >= _FOLD:
            await self._store.writer.do(
                lambda batch: batch.conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone(),
                bare=True,
            )

    def _files(self) -> list[Path]:
        own = self._store.incarnations
        return [path for path in self._workers.iterdir() if path.name not in own]

    def _stale_after(self) -> float | None:
        """Return after how many seconds without renewal a worker is dead, None for "not now"."""
        wall, steady = self._round
        self._round = (time(), monotonic())
        if self._round[0] - wall > self._round[1] - steady + _JUMP:
            self._trusted_from = self._round[1] + self._store.limits.lease
        return self._store.limits.lease if self._round[1] >= self._trusted_from else None

    def _gone(
        self, dead: frozenset[str], stale: float | None, conn: sqlite3.Connection
    ) -> list[str]:
        """Return the workers that are dead: unlocked, silent for too long, or without a row."""
        since = -1.0 if stale is None else self._store.now(conn) - stale * SECOND
        rows = conn.execute("SELECT id, seen_at FROM worker").fetchall()
        gone = {row[0] for row in conn.execute(ORPHANS)}
        for worker, seen_at in rows:
            if worker in dead or seen_at < since or not (self._workers / worker).exists():
                gone.add(worker)
        return sorted(gone)

    def _bury(self, dead: frozenset[str], stale: float | None, batch: Batch) -> None:
        for worker in self._gone(dead, stale, batch.conn):
            dismiss(worker, batch)

    def _unserved(self, wait: int, conn: sqlite3.Connection) -> list[tuple[str, str]]:
        before = self._store.now(conn) - wait
        models = conn.execute(UNSERVED_MODELS, {"before": before}).fetchall()
        return [
            (task_id, model)
            for (model,) in models
            for (task_id,) in conn.execute(UNSERVED, (model, before))
        ]


def _unlocked(path: Path) -> FileLock | None:
    """Return the lock of a worker that is dead, or None: it lives."""
    lock = FileLock(path)
    if lock.taken and lock.stands():
        return lock
    lock.close()
    return None


def _end_unserved(found: list[tuple[str, str]], batch: Batch) -> int:
    """FAIL tasks that a scan found, unless somebody moved or a worker came meanwhile."""
    ended = 0
    served = {
        row[0] for row in batch.conn.execute("SELECT m.value FROM worker w, json_each(w.models) m")
    }
    for task_id, model in found:
        if model in served:
            continue
        told = {"code": Unavailable.code, "message": f"No worker serves the model {model} now."}
        with suppress(Conflict):
            moves.apply(batch, Move.UNSERVED, task_id, Who.JANITOR, **told)
            ended += 1
    return ended


def _abandon(batch: Batch) -> int:
    rows = batch.conn.execute(LEFT, (batch.now,)).fetchall()
    for task_id, status in rows:
        move = Move.ABANDON if status == Status.PENDING else Move.ASK_STOP
        moves.apply(batch, move, task_id, Who.JANITOR, why="its caller went away")
    return len(rows)
