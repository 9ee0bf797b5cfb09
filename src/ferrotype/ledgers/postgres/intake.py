"""What the service asks: add, get, list, cancel."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from weakref import WeakValueDictionary

from ferrotype.errors import Conflict, InvalidParameter
from ferrotype.ledgers.postgres.adding import Adding
from ferrotype.ledgers.postgres.batches import Batches
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.moves import Step
from ferrotype.ledgers.postgres.rows import LIVING, NOW, READ, TASK, storable, task_of
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.ledger import Added, Listed, ListQuery, Page
from ferrotype.task import Event, Move, NewTask, Task, Who

_READ = f"{READ} WHERE t.id = ANY($1) AND {LIVING}"
_MATCHES = f"""t.account = $1 AND {LIVING}
    AND t.submit_at >= coalesce($2, {NOW} - interval '24 hours')
    AND t.submit_at < coalesce($3, 'infinity'::timestamptz)
    AND ($4::text IS NULL OR t.id = $4) AND ($5::text IS NULL OR t.model = $5)
    AND ($6::text IS NULL OR $6 = CASE WHEN t.status = 'PENDING' AND t.first_claim_at IS NOT NULL
        THEN 'RUNNING' ELSE t.status END)"""
_COUNT = f"SELECT count(*) FROM task t WHERE {_MATCHES}"
_PAGE = f"""SELECT {TASK}, b.request_id FROM task t JOIN body b USING (n) WHERE {_MATCHES}
    ORDER BY t.submit_at DESC, t.n DESC LIMIT $7 OFFSET $8"""
_SERVED_BY = f"""SELECT b.served_by FROM task t JOIN body b USING (n)
    WHERE t.id = $1 AND {LIVING}"""
_EVENTS = f"""SELECT e.attempt, e.move, e.at, e.who, e.why FROM task t JOIN event e USING (n)
    WHERE t.id = $1 AND t.account IS NOT DISTINCT FROM $2 AND {LIVING} ORDER BY e.i"""
_ATTEND = """UPDATE task SET attended_until = ledger_now() + $2::interval
    WHERE id = $1 AND attended_until IS NOT NULL AND status IN ('PENDING', 'RUNNING')"""


class PostgresIntake:
    """The port `Intake`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._adding = Batches(Adding(store).add_all, store.limits.queue)
        self._reading = Batches(self._read_all, store.limits.queue)
        self._listing = WeakValueDictionary[str, asyncio.Lock]()

    async def add(self, new: NewTask) -> Added:
        """Commit a task as PENDING, durably, with its idempotency key, lane and turn."""
        key, _ = new.idempotency or (None, b"")
        words = (new.account, new.key, new.model, new.route, new.request_id, new.shape, key)
        if not storable(*words, *(new.refusal or ())):
            raise InvalidParameter("A NUL character is not allowed.")  # its batch would fail
        return await self._adding.do(new)

    async def get(self, account: str, task_id: str) -> Task | None:
        """Return the account's task, or None: no such id, somebody else's, or expired."""
        if not storable(task_id):
            return None
        task = await self._reading.do(task_id)
        return task if task and task.account == account else None

    async def list(self, account: str, query: ListQuery) -> Page:
        """Return the account's tasks that the query matches, expired ones left out."""
        if not storable(query.task_id, query.model):
            return Page(0, ())
        asked = (account, query.start, query.end, query.task_id, query.model, query.status)

        async def work(conn: Connection, tries: int) -> Page:
            total = await conn.fetchval(_COUNT, *asked)
            skip = (query.page - 1) * query.page_size
            rows = await conn.fetch(_PAGE, *asked, query.page_size, skip)
            return Page(total, tuple(Listed(task_of(row), row["request_id"]) for row in rows))

        async with self._listing.setdefault(account, asyncio.Lock()):  # one keeps out no other
            return await self._store.database.run(work, lists=True)

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
        await self._store.database.fetch(_ATTEND, task_id, timedelta(seconds=seconds))

    async def served_by(self, task_id: str) -> str | None:
        """Return who serves a task, for the headers of its files; None when it is gone."""
        if not storable(task_id):
            return None
        row = await self._store.database.row(_SERVED_BY, task_id)
        return None if row is None else str(row[0])

    async def events(self, account: str, task_id: str) -> Sequence[Event]:
        """Return the moves of the account's task in order, as far as they were written."""
        if not storable(task_id):
            return []
        rows = await self._store.database.fetch(_EVENTS, task_id, account)
        return [
            Event(task=task_id, attempt=attempt, move=Move(move), at=at, who=who, why=why)
            for attempt, move, at, who, why in rows
        ]

    async def _read_all(self, ids: Sequence[str]) -> Sequence[Task | None]:
        rows = await self._store.database.fetch(_READ, list({*ids}))
        tasks = {row["id"]: task_of(row, row["made"], row["kid"]) for row in rows}
        return [tasks.get(id) for id in ids]

    async def _by_owner(self, move: Move, account: str, task_id: str) -> Task:
        if await self.get(account, task_id) is None:
            raise Conflict
        return await self._store.move(move, Step(task_id), Who.OWNER)
