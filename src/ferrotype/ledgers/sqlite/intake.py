"""What the service asks: add, get, list, cancel."""

import sqlite3
from collections.abc import Sequence
from functools import partial

from ferrotype.errors import (
    AllocationQuotaExceeded,
    Conflict,
    FerrotypeError,
    InvalidParameter,
    Missing,
)
from ferrotype.ledgers.sqlite import lanes
from ferrotype.ledgers.sqlite.rows import LIVING, READ_ONE, TASK, micros, moment, task_of, text_of
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.ports.ledger import Added, Listed, ListQuery, Page
from ferrotype.task import Event, Move, NewTask, Task, Who, new_task_id

DAY = 86_400_000_000  # microseconds
READ = f"{READ_ONE} WHERE t.id = ? AND t.account = ? AND {LIVING}".replace(":now", "?")
ACCOUNT = f"""SELECT weight, max(finish, {lanes.VIRTUAL_TIME}), open, max_pending, {lanes.CAP}
    FROM account WHERE id = :account"""
_INSERT = """INSERT INTO task (id, account, key, model, status, priority, turn, not_before, shape,
    slot, total, attended_until, submit_at)
    VALUES (?, ?, ?, ?, 'PENDING', ?, ?, ?, ?, ?, ?, ?, ?)"""
_BODY = """INSERT INTO body (n, route, served_by, request_id, refusal_code, refusal_message, asked)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
FIRST = (
    """SELECT i.digest, t.id FROM idempotency i JOIN task t USING (n)
    WHERE i.account = :account AND i.key = :key AND """
    + LIVING
)
_MATCHES = f"""t.account = :account AND t.submit_at >= :start AND t.submit_at < :end AND {LIVING}
    AND (:id IS NULL OR t.id = :id) AND (:model IS NULL OR t.model = :model)
    AND (:status IS NULL OR :status = CASE WHEN t.status = 'PENDING' AND t.first_claim_at > 0
        THEN 'RUNNING' ELSE t.status END)"""


class SqliteIntake:
    """The port `Intake`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, new: NewTask) -> Added:
        """Commit a task as PENDING, durably, with its idempotency key, lane and turn."""
        asked = text_of(new.order)
        answer = await self._store.writer.do(partial(self._add, new, asked))
        if isinstance(answer, FerrotypeError):
            raise answer
        return answer

    async def get(self, account: str, task_id: str) -> Task | None:
        """Return the account's task, or None: no such id, somebody else's, or expired."""
        conn = self._store.reader
        row = conn.execute(READ, (task_id, account, self._store.now(conn))).fetchone()
        return row and task_of(row, row[19])

    async def list(self, account: str, query: ListQuery) -> Page:
        """Return the account's tasks that the query matches, expired ones left out."""
        return await self._store.scan(partial(self._list, account, query))

    async def cancel(self, account: str, task_id: str) -> Task:
        """PENDING and never claimed -> CANCELED; else (also for an unknown id) `Conflict`."""
        return await self._by_owner(Move.CANCEL, account, task_id)

    async def withdraw(self, account: str, task_id: str) -> Task:
        """PENDING after a claim -> CANCELED; else `Conflict`."""
        return await self._by_owner(Move.WITHDRAW, account, task_id)

    async def ask_stop(self, account: str, task_id: str) -> Task:
        """RUNNING: ask its worker to stop it; else `Conflict`."""
        return await self._by_owner(Move.ASK_STOP, account, task_id)

    async def attend(self, task_id: str, seconds: float) -> None:
        """Say that the caller of an attended task is still there, for so many seconds."""
        length = self._store.seconds(seconds)

        def command(batch: Batch) -> None:
            batch.conn.execute(
                "UPDATE task SET attended_until = ? WHERE id = ? AND attended_until IS NOT NULL"
                " AND status IN ('PENDING', 'RUNNING')",
                (batch.now + length, task_id),
            )

        await self._store.writer.do(command)

    async def served_by(self, task_id: str) -> str | None:
        """Return who serves a task, for the headers of its files; None when it is gone."""
        conn = self._store.reader
        row = conn.execute(
            f"SELECT b.served_by FROM task t JOIN body b USING (n) WHERE t.id = :id AND {LIVING}",
            {"id": task_id, "now": self._store.now(conn)},
        ).fetchone()
        return None if row is None else str(row[0])

    async def events(self, account: str, task_id: str) -> Sequence[Event]:
        """Return the moves of the account's task in order, as far as they were written."""
        conn = self._store.reader
        rows = conn.execute(
            "SELECT e.attempt, e.move, e.at, e.who, e.why FROM task t JOIN event e USING (n)"
            f" WHERE t.id = :id AND t.account = :account AND {LIVING} ORDER BY e.i",
            {"id": task_id, "account": account, "now": self._store.now(conn)},
        ).fetchall()
        return [
            Event(task=task_id, attempt=attempt, move=Move(move), at=moment(at), who=who, why=why)
            for attempt, move, at, who, why in rows
        ]

    async def _by_owner(self, move: Move, account: str, task_id: str) -> Task:
        if await self.get(account, task_id) is None:
            raise Conflict
        return await self._store.move(move, task_id, Who.OWNER)

    def _add(self, new: NewTask, asked: str, batch: Batch) -> Added | FerrotypeError:
        if new.idempotency and (first := self._first(new, batch)):
            return first
        task_id = new.id or new_task_id()
        n = self._insert(new, task_id, batch)
        code, message = new.refusal or (None, None)
        body = (n, new.route, new.served_by, new.request_id, code, message, asked)
        batch.conn.execute(_BODY, body)
        if new.idempotency:
            key, digest = new.idempotency
            batch.conn.execute(
                "INSERT OR REPLACE INTO idempotency (account, key, digest, n) VALUES (?, ?, ?, ?)",
                (new.account, key, digest, n),
            )
        return Added(task_id)

    def _first(self, new: NewTask, batch: Batch) -> Added | None:
        """Return the task that an idempotency key made before, as long as it lives."""
        assert new.idempotency
        key, digest = new.idempotency
        given = {"account": new.account, "key": key, "now": batch.now}
        row = batch.conn.execute(FIRST, given).fetchone()
        if row is None:
            return None
        if row[0] != digest:
            raise InvalidParameter("The Idempotency-Key was used with another request body.")
        return Added(row[1], fresh=False)

    def _insert(self, new: NewTask, task_id: str, batch: Batch) -> int:
        """Write the task row, ready or held, and charge its account."""
        conn = batch.conn
        given = {"account": new.account, "model": new.model}
        row = conn.execute(ACCOUNT, given).fetchone()
        if row is None:
            raise Missing("There is no such account.")
        weight, start, open_tasks, max_pending, cap = row
        most = self._store.limits.max_pending if max_pending is None else max_pending
        if open_tasks >= most or self._open_of_all(batch) >= self._store.limits.max_open:
            raise AllocationQuotaExceeded
        later = batch.now + self._store.seconds(new.delay) if new.delay > 0 else None
        ready = later is None and (cap is None or lanes.enter(conn, new.account, new.model, cap))
        attended = new.attended_for
        cursor = conn.execute(
            _INSERT,
            (
                task_id,
                new.account,
                new.key,
                new.model,
                new.priority,
                start if ready else None,
                later,
                new.shape,
                int(ready and cap is not None),
                new.total,
                None if attended is None else batch.now + self._store.seconds(attended),
                batch.now,
            ),
        )
        conn.execute(
            "UPDATE account SET open = open + 1, finish = CASE WHEN ? THEN ? ELSE finish END"
            " WHERE id = ?",
            (ready, start + 1 / weight, new.account),
        )
        batch.open_tasks = self._open_of_all(batch) + 1
        batch.topics.add(f"work:{new.model}")
        assert cursor.lastrowid
        return cursor.lastrowid

    def _open_of_all(self, batch: Batch) -> int:
        """Return how many tasks are open, asking the database once a batch."""
        if batch.open_tasks is None:
            total = batch.conn.execute("SELECT total(open) FROM account").fetchone()[0]
            batch.open_tasks = int(total)
        return batch.open_tasks

    def _list(self, account: str, query: ListQuery, conn: sqlite3.Connection) -> Page:
        now = self._store.now(conn)
        given = {
            "account": account,
            "start": now - DAY if query.start is None else micros(query.start),
            "end": now + 1 if query.end is None else micros(query.end),
            "now": now,
            "id": query.task_id,
            "model": query.model,
            "status": query.status,
            "limit": query.page_size,
            "skip": (query.page - 1) * query.page_size,
        }
        total = conn.execute(f"SELECT count(*) FROM task t WHERE {_MATCHES}", given).fetchone()[0]
        rows = conn.execute(
            f"SELECT {TASK}, b.request_id FROM task t JOIN body b USING (n) WHERE {_MATCHES}"
            " ORDER BY t.submit_at DESC, t.n DESC LIMIT :limit OFFSET :skip",
            given,
        ).fetchall()
        return Page(total, tuple(Listed(task_of(row), row[19]) for row in rows))
