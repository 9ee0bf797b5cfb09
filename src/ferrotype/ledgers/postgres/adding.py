"""Creates, many in one transaction: account and lane rows are touched once a batch, in order."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

from ferrotype.errors import AllocationQuotaExceeded, InvalidParameter, Missing
from ferrotype.ledgers.postgres import lanes
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.rows import LIVING, columns, text_of
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.ledger import Added
from ferrotype.task import NewTask, new_task_id

COUNTED = 0.5  # seconds for which the number of all open tasks is believed
_ACCOUNTS = f"""SELECT id, weight, greatest(finish, {lanes.FRONT}) AS start, open, max_pending
    FROM account WHERE id = ANY($1) ORDER BY id FOR UPDATE"""
FOLD = """WITH gone AS (DELETE FROM freed WHERE account = ANY($1) RETURNING account, n)
    SELECT account, sum(n)::bigint AS n FROM gone GROUP BY account"""
OPEN = """SELECT ((SELECT coalesce(sum(open), 0) FROM account)
    - (SELECT coalesce(sum(n), 0) FROM freed))::bigint"""
_CAPS = f"""SELECT g.account, g.model, {lanes.CAP.format(account="g.account", model="g.model")} AS n
    FROM unnest($1::text[], $2::text[]) AS g(account, model)"""
_FIRST = f"""SELECT i.account, i.key, i.digest, t.id FROM idempotency i JOIN task t USING (n)
    WHERE (i.account, i.key) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND {LIVING}"""
_THERE = "SELECT id FROM task WHERE id = ANY($1)"
_INSERT = """WITH k AS MATERIALIZED (SELECT ledger_now() AS now),
    g AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[],
        $6::float8[], $7::interval[], $8::text[], $9::bool[], $10::int[], $11::interval[],
        $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
        $19::bytea[]) WITH ORDINALITY AS g(id, account, key, model, priority,
        turn, delay, shape, slot, total, attended_for,
        route, served_by, request_id, refusal_code, refusal_message, asked, repeat, digest, i)),
    t AS (INSERT INTO task (id, account, key, model, status, priority, turn, not_before, shape,
            slot, total, attended_until, submit_at)
        SELECT g.id, g.account, g.key, g.model, 'PENDING', g.priority, g.turn, k.now + g.delay,
            g.shape, g.slot, g.total, k.now + g.attended_for, k.now FROM g, k ORDER BY g.i
        RETURNING n, id),
    b AS (INSERT INTO body (n, route, served_by, request_id, refusal_code, refusal_message, asked)
        SELECT t.n, g.route, g.served_by, g.request_id, g.refusal_code, g.refusal_message, g.asked
        FROM t JOIN g USING (id)),
    d AS (INSERT INTO idempotency (account, key, digest, n)
        SELECT g.account, g.repeat, g.digest, t.n FROM t JOIN g USING (id)
        WHERE g.repeat IS NOT NULL
        ON CONFLICT (account, key) DO UPDATE SET digest = excluded.digest, n = excluded.n)
    UPDATE account SET open = account.open + paid.open, finish = paid.finish
        FROM unnest($20::text[], $21::bigint[], $22::float8[]) AS paid(id, open, finish)
        WHERE account.id = paid.id"""

Pair = tuple[str, str]


class _Till:
    """What one batch does to its accounts and lanes, before it is written."""

    def __init__(
        self,
        accounts: Mapping[str, Any],
        freed: Mapping[str, int],
        room: Mapping[Pair, int],
        total: int,
    ) -> None:
        self.accounts = accounts
        self.room = dict(room)  # free slots of the lanes
        self.total = total  # open tasks of all accounts
        self.start = {name: row["start"] for name, row in accounts.items()}
        self.added = {name: -freed.get(name, 0) for name in accounts}
        self.first: dict[Pair, tuple[bytes, str]] = {}  # of idempotency keys
        self.rows: list[tuple[Any, ...]] = []

    def turn(self, account: str) -> float:
        """Return the account's next turn (start-time fair queueing), and move its finish on."""
        start: float = self.start[account]
        self.start[account] = start + 1 / self.accounts[account]["weight"]
        return start

    def enter(self, lane: Pair) -> bool:
        """Take a slot of a lane, or return False: it is full."""
        if self.room[lane] <= 0:
            return False
        self.room[lane] -= 1
        return True


class Adding:
    """Writes batches of new tasks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: tuple[float, int] | None = None  # when, how many open tasks there were

    async def add_all(self, new: Sequence[NewTask]) -> Sequence[Added | Exception]:
        """Write a batch; an answer for each."""
        named = [(each.id or new_task_id(), each) for each in new]

        async def work(conn: Connection, tries: int) -> Sequence[Added | Exception]:
            async with conn.transaction():
                return await self._add(conn, named, again=tries > 0)

        answers = await self._store.database.run(work)
        self._store.ring({f"work:{each.model}" for each in new})
        return answers

    async def _add(
        self, conn: Connection, named: Sequence[tuple[str, NewTask]], *, again: bool
    ) -> Sequence[Added | Exception]:
        """Write a batch. `again`: a try that broke may have been committed, or may be yet."""
        pairs = sorted({(new.account, new.model) for _, new in named})
        caps = {
            (row["account"], row["model"]): row["n"]
            for row in await conn.fetch(_CAPS, *columns(pairs, 2))
            if row["n"] is not None
        }
        taken = {lane: await lanes.lock(conn, *lane) for lane in sorted(caps) if caps[lane] > 0}
        room = {lane: cap - taken.get(lane, 0) for lane, cap in caps.items()}
        names = sorted({account for account, _ in pairs})
        accounts = {row["id"]: row for row in await conn.fetch(_ACCOUNTS, names)}
        total = await self._total(conn, len(named))  # before the next line takes rows away
        freed = {row["account"]: row["n"] for row in await conn.fetch(FOLD, names)}
        till = _Till(accounts, freed, room, total)
        till.first = await _known(conn, named)
        there = await _there(conn, named) if again else frozenset()  # whose commit we waited for
        answers = [
            Added(task_id) if task_id in there else self._one(till, task_id, new)
            for task_id, new in named
        ]
        for lane in taken:
            await lanes.take(conn, *lane, room[lane] - till.room[lane])
        if till.rows or freed:
            paid = [
                (name, till.added[name], till.start[name]) for name in names if name in accounts
            ]
            await conn.execute(_INSERT, *columns(till.rows, 19), *columns(paid, 3))
        self._count(till.total)
        return answers

    def _one(self, till: _Till, task_id: str, new: NewTask) -> Added | Exception:
        """Take a task into the batch, or say why not."""
        account = till.accounts.get(new.account)
        if account is None:
            return Missing("There is no such account.")
        key, digest = new.idempotency or (None, None)
        if key is not None and (first := till.first.get((new.account, key))):
            if first[0] == digest:
                return Added(first[1], fresh=False)
            return InvalidParameter("The Idempotency-Key was used with another request body.")
        limits, most = self._store.limits, account["max_pending"]
        most = limits.max_pending if most is None else most
        if account["open"] + till.added[new.account] >= most or till.total >= limits.max_open:
            return AllocationQuotaExceeded()
        lane = (new.account, new.model)
        ready = new.delay <= 0 and (lane not in till.room or till.enter(lane))
        turn = till.turn(new.account) if ready else None
        till.rows.append(_row(task_id, new, turn, slot=ready and lane in till.room))
        till.added[new.account] += 1
        till.total += 1
        if key is not None and digest is not None:
            till.first[new.account, key] = (digest, task_id)
        return Added(task_id)

    async def _total(self, conn: Connection, more: int) -> int:
        """Return how many tasks are open, counted lately, or now where that may decide."""
        if self._counted is not None:
            at, known = self._counted
            if monotonic() < at + COUNTED and known + more < self._store.limits.max_open:
                return known
        total: int = await conn.fetchval(OPEN)
        self._counted = (monotonic(), total)
        return total

    def _count(self, total: int) -> None:
        assert self._counted is not None
        self._counted = (self._counted[0], total)


async def _there(conn: Connection, named: Sequence[tuple[str, NewTask]]) -> frozenset[str]:
    """Return those ids that are in the ledger already."""
    return frozenset(row[0] for row in await conn.fetch(_THERE, [task_id for task_id, _ in named]))


async def _known(
    conn: Connection, named: Sequence[tuple[str, NewTask]]
) -> dict[Pair, tuple[bytes, str]]:
    """Return (digest, task) of the idempotency keys that live, by account and key."""
    keys = [(new.account, new.idempotency[0]) for _, new in named if new.idempotency]
    if not keys:
        return {}
    rows = await conn.fetch(_FIRST, *columns(keys, 2))
    return {(row["account"], row["key"]): (row["digest"], row["id"]) for row in rows}


def _row(task_id: str, new: NewTask, turn: float | None, *, slot: bool) -> tuple[Any, ...]:
    code, message = new.refusal or (None, None)
    key, digest = new.idempotency or (None, None)
    return (
        task_id,
        new.account,
        new.key,
        new.model,
        new.priority,
        turn,
        timedelta(seconds=new.delay) if new.delay > 0 else None,
        new.shape,
        slot,
        new.total,
        None if new.attended_for is None else timedelta(seconds=new.attended_for),
        new.route,
        new.served_by,
        new.request_id,
        code,
        message,
        text_of(new.order),
        key,
        digest,
    )
