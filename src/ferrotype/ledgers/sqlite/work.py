"""What a worker asks: enrol, claim, renew, settle."""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from ferrotype.errors import (
    AlgorithmFailed,
    Conflict,
    FerrotypeError,
    TimedOut,
    default_message,
)
from ferrotype.ledgers.sqlite import moves
from ferrotype.ledgers.sqlite.locks import FileLock
from ferrotype.ledgers.sqlite.rows import LIVING, SECOND, order_of, read_task, text_of
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.ports.ledger import Claim, Ending, Renewal, WorkerCard
from ferrotype.task import Lease, Move, Result, Task, Who

NEXT = """SELECT t.id FROM json_each(:models) m JOIN task t ON t.n =
    (SELECT n FROM task WHERE model = m.value AND status = 'PENDING' AND turn IS NOT NULL
        AND (alone = 0 OR :alone) ORDER BY priority DESC, turn, n LIMIT 1)
    WHERE m.value NOT IN (SELECT model FROM paused)
    ORDER BY t.priority DESC, t.turn, t.n LIMIT 1"""
MATES = """SELECT id FROM (SELECT * FROM task
        WHERE model = :model AND status = 'PENDING' AND turn IS NOT NULL
        ORDER BY priority DESC, turn, n LIMIT 64)
    WHERE shape = :shape AND alone = 0 AND :model NOT IN (SELECT model FROM paused)
    ORDER BY priority DESC, turn, n LIMIT :limit"""
DUE = """SELECT id FROM task
    WHERE status = 'PENDING' AND not_before IS NOT NULL AND not_before <= ? LIMIT 100"""
NEXT_DUE = """SELECT not_before FROM task WHERE status = 'PENDING' AND not_before IS NOT NULL
    AND model IN (SELECT value FROM json_each(?)) ORDER BY not_before LIMIT 1"""
SETTLED = f"""SELECT t.n FROM task t WHERE t.id = :id AND t.status = 'SUCCEEDED'
    AND t.attempt = :attempt AND t.worker = :worker AND {LIVING}"""
SERVED = """INSERT INTO served (model, until_at) SELECT m.value, coalesce(:until, w.seen_at)
    FROM worker w, json_each(w.models) m
    WHERE w.id = :worker AND m.value NOT IN (SELECT value FROM json_each(:kept))
    ON CONFLICT DO UPDATE SET until_at = max(until_at, excluded.until_at)"""
_SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SqliteWork:
    """The port `Work`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def enrol(self, card: WorkerCard) -> None:
        """Make this incarnation known: its lock first, then its row."""
        if not _SAFE_NAME.fullmatch(card.id):
            raise ValueError(f"a worker's id is 1 to 64 letters, digits, - or _, not {card.id!r}")
        if card.id in self._store.incarnations:
            raise Conflict(f"Worker {card.id} runs already.")
        path = self._store.data_dir / "workers" / card.id
        lock = await asyncio.to_thread(FileLock, path, patience=self._store.limits.patience)
        while lock.taken and not lock.stands():
            lock.close()
            lock = await asyncio.to_thread(FileLock, path, patience=self._store.limits.patience)
        if not lock.taken:
            lock.close()
            raise Conflict(f"Worker {card.id} runs already.")
        row = (
            card.id,
            card.host,
            card.pid,
            card.version,
            msgspec.json.encode(card.models).decode(),
            msgspec.json.encode(card.devices).decode(),
        )

        def command(batch: Batch) -> None:
            batch.conn.execute(
                "INSERT INTO worker (id, host, pid, version, models, devices, seen_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, batch.now),
            )

        try:
            await self._store.writer.do(command)
        except BaseException:
            lock.close(unlink=True)
            raise
        self._store.incarnations[card.id] = lock

    async def announce(self, worker: str, models: Collection[str]) -> None:
        """Say which models a worker serves from now on: these, and no others."""
        names = msgspec.json.encode(sorted(models)).decode()

        def command(batch: Batch) -> None:
            _must_know(batch, worker)
            batch.conn.execute(SERVED, {"worker": worker, "kept": names, "until": batch.now})
            batch.conn.execute("UPDATE worker SET models = ? WHERE id = ?", (names, worker))

        await self._store.writer.do(command)

    async def retire(self, worker: str) -> None:
        """Take an incarnation's row away, at a clean end, after all its tasks are settled."""
        await self._store.writer.do(partial(dismiss, worker))
        lock = self._store.incarnations.pop(worker, None)
        if lock is not None:
            lock.close(unlink=True)

    async def claim(
        self, worker: str, models: Collection[str], *, alone: bool = True
    ) -> Claim | None:
        """Take the next ready task of these models: PENDING -> RUNNING, or None."""
        names = msgspec.json.encode(list(models)).decode()
        claims = await self._keep(partial(self._claim, worker, names, alone))
        return claims[0] if claims else None

    async def claim_mates(self, worker: str, head: Claim, limit: int) -> Sequence[Claim]:
        """Take up to `limit` ready tasks of the model and shape of a claim: PENDING -> RUNNING."""
        if not head.shape:
            return ()
        return await self._keep(partial(self._claim_mates, worker, head, limit))

    async def _keep(self, command: Callable[[Batch], list[Claim]]) -> list[Claim]:
        """Claim; when cancelled meanwhile give back what was claimed: nobody would run it."""
        claiming = self._store.writer.do(command)
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with suppress(FerrotypeError):  # a claim that failed keeps nothing
                for claim in await claiming:
                    await self.give_back(claim.lease, "the claim was cancelled")
            raise

    async def next_due(self, models: Collection[str]) -> float | None:
        """Return seconds until the next held task of these models becomes due, or None."""
        conn = self._store.reader
        row = conn.execute(NEXT_DUE, (msgspec.json.encode(list(models)).decode(),)).fetchone()
        return None if row is None else max(0.0, (row[0] - self._store.now(conn)) / SECOND)

    async def renew(self, worker: str, progress: Mapping[Lease, float]) -> Renewal:
        """Prove the worker alive and write new progress (0 to 1), in one write."""
        return await self._store.writer.do(partial(self._renew, worker, dict(progress)))

    async def settle(self, lease: Lease, ending: Ending) -> Task:
        """RUNNING -> SUCCEEDED or FAILED. Fixes `end_at`, `expires_at` and the signing key.

        The lease that made a task SUCCEEDED may say so again, should the first answer be lost:
        it gets the task as it was settled then, and nothing changes.
        """
        if ending.result is None:
            return await self._store.hold(
                Move.FAIL, lease, code=ending.code, message=ending.message
            )
        return await self._store.writer.do(partial(self._succeed, lease, ending.result))

    async def stopped(self, lease: Lease) -> Task:
        """RUNNING with a stop asked for -> CANCELED."""
        return await self._store.hold(Move.STOPPED, lease)

    async def time_out(self, lease: Lease) -> Task:
        """RUNNING -> FAILED `InternalError.Timeout`."""
        return await self._store.hold(
            Move.TIME_OUT, lease, code=TimedOut.code, message=default_message(TimedOut)
        )

    async def give_back(self, lease: Lease, why: str) -> Task:
        """RUNNING -> PENDING without a fault (a drain), or CANCELED if a stop was asked for."""
        return await self._store.hold(Move.GIVE_BACK, lease, why=why)

    async def fault(self, lease: Lease, why: str) -> Task:
        """RUNNING -> PENDING with one more fault and a pause; FAILED after the third."""
        return await self._store.hold(
            Move.FAULT,
            lease,
            why=why,
            code=AlgorithmFailed.code,
            message=default_message(AlgorithmFailed),
        )

    async def note(self, lease: Lease, memo: bytes) -> None:
        """Keep bytes that the task's next attempt will receive."""

        def command(batch: Batch) -> None:
            written = batch.conn.execute(
                "INSERT INTO note (n, attempt, memo) SELECT n, attempt, ? FROM task"
                " WHERE id = ? AND status = 'RUNNING' AND attempt = ? AND worker = ?"
                " ON CONFLICT DO UPDATE SET attempt = excluded.attempt, memo = excluded.memo",
                (memo, lease.task, lease.attempt, lease.worker),
            )
            if not written.rowcount:
                raise Conflict

        await self._store.writer.do(command)

    def _claim(self, worker: str, models: str, alone: bool, batch: Batch) -> list[Claim]:
        _must_know(batch, worker)
        admit_due(batch)
        rows = batch.conn.execute(NEXT, {"models": models, "alone": alone}).fetchall()
        return [self._take(batch, worker, task_id) for (task_id,) in rows]

    def _claim_mates(self, worker: str, head: Claim, limit: int, batch: Batch) -> list[Claim]:
        _must_know(batch, worker)
        alike = {"model": head.task.model, "shape": head.shape, "limit": limit}
        rows = batch.conn.execute(MATES, alike).fetchall()
        return [self._take(batch, worker, task_id) for (task_id,) in rows]

    def _take(self, batch: Batch, worker: str, task_id: str) -> Claim:
        conn = batch.conn
        moved = moves.apply(batch, Move.CLAIM, task_id, Who.WORKER, worker=worker)
        asked, code, message, memo, shape = conn.execute(
            "SELECT b.asked, b.refusal_code, b.refusal_message, o.memo, t.shape"
            " FROM body b JOIN task t USING (n) LEFT JOIN note o USING (n) WHERE b.n = ?",
            (moved.n,),
        ).fetchone()
        return Claim(
            task=read_task(conn, moved.n),
            lease=Lease(moved.id, moved.attempt, worker),
            order=order_of(asked),
            refusal=None if code is None else (code, message),
            memo=memo,
            shape=shape,
        )

    def _renew(self, worker: str, progress: dict[Lease, float], batch: Batch) -> Renewal:
        conn = batch.conn
        seen = conn.execute(
            "UPDATE worker SET seen_at = ? WHERE id = ? RETURNING id", (batch.now, worker)
        ).fetchone()
        if seen is None:
            raise Conflict(f"Worker {worker} is not enrolled (any more).")
        lost = set()
        for lease, fraction in progress.items():
            try:
                moves.apply(
                    batch,
                    Move.PROGRESS,
                    lease.task,
                    Who.WORKER,
                    attempt=lease.attempt,
                    worker=worker,
                    progress=fraction,
                )
            except Conflict:
                lost.add(lease.task)
        stop = conn.execute(
            "SELECT id FROM task WHERE worker = ? AND status = 'RUNNING' AND stop_at IS NOT NULL",
            (worker,),
        ).fetchall()
        return Renewal(frozenset(row[0] for row in stop), frozenset(lost))

    def _succeed(self, lease: Lease, result: Result, batch: Batch) -> Task:
        conn = batch.conn
        holder: dict[str, Any] = {"attempt": lease.attempt, "worker": lease.worker}
        try:
            moved = moves.apply(batch, Move.SUCCEED, lease.task, Who.WORKER, **holder)
        except Conflict:
            row = conn.execute(SETTLED, {"id": lease.task, "now": batch.now, **holder}).fetchone()
            if row is None:
                raise
            return read_task(conn, row[0])
        kid = conn.execute("SELECT kid FROM secret ORDER BY from_at DESC LIMIT 1").fetchone()[0]
        made = text_of(msgspec.structs.replace(result, kid=kid))
        used = msgspec.json.encode(result.numbers()).decode()
        conn.execute("INSERT INTO result (n, made, used) VALUES (?, ?, ?)", (moved.n, made, used))
        return read_task(conn, moved.n)


def _must_know(batch: Batch, worker: str) -> None:
    if batch.conn.execute("SELECT 1 FROM worker WHERE id = ?", (worker,)).fetchone() is None:
        raise Conflict(f"Worker {worker} is not enrolled (any more).")


def admit_due(batch: Batch) -> int:
    """Make held tasks ready whose time has come; a hundred at most."""
    rows = batch.conn.execute(DUE, (batch.now,)).fetchall()
    for (task_id,) in rows:
        moves.admit(batch, Move.DUE, task_id, Who.JANITOR)
    return len(rows)


def dismiss(worker: str, batch: Batch) -> None:
    """Make the tasks of a worker PENDING again and forget the worker."""
    conn = batch.conn
    held = conn.execute(
        "SELECT id FROM task WHERE worker = ? AND status = 'RUNNING'", (worker,)
    ).fetchall()
    for (task_id,) in held:
        moves.apply(batch, Move.LOSE, task_id, Who.JANITOR, why="its worker ended")
    conn.execute(SERVED, {"worker": worker, "kept": "[]", "until": None})
    conn.execute("DELETE FROM worker WHERE id = ?", (worker,))
