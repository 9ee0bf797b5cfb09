"""What a worker asks: enrol, claim, renew, settle."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg

from ferrotype.errors import AlgorithmFailed, Conflict, FerrotypeError, TimedOut, default_message
from ferrotype.ledgers.guards import guard_of
from ferrotype.ledgers.postgres import lives, moves
from ferrotype.ledgers.postgres.batches import Batches
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.due import admit_due
from ferrotype.ledgers.postgres.moves import Step
from ferrotype.ledgers.postgres.rows import (
    LIVING,
    NOW,
    READ,
    TASK,
    columns,
    numbers_of,
    order_of,
    task_of,
    text_of,
)
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.ledger import Claim, Ending, Renewal, WorkerCard
from ferrotype.task import RULES, Lease, Move, Result, Task, Who

STRAY = timedelta(seconds=60)  # after a claim, when its worker must know of it
RACES = 5  # times that others may take the task which a claim has chosen
_READY = """model = {model} AND status = 'PENDING' AND turn IS NOT NULL AND (NOT alone OR $4)
    ORDER BY priority DESC, turn, n LIMIT 1"""
_TAKEN = f"""k AS MATERIALIZED (SELECT ledger_now() AS now FROM (SELECT count(*) FROM c) AS locked),
    u AS (UPDATE task t SET status = 'RUNNING', attempt = t.attempt + 1, worker = $1, ticket = $2,
            claim_at = k.now, progress = 0, first_claim_at = coalesce(t.first_claim_at, k.now),
            turn = NULL
        FROM c, k, body b WHERE t.n = c.n AND b.n = c.n AND t.turn IS NOT NULL
            AND {guard_of(RULES[Move.CLAIM], row="t.")}
        RETURNING {TASK}, t.n, t.shape, b.asked, b.refusal_code, b.refusal_message),
    e AS (INSERT INTO event (n, attempt, move, at, who, why)
        SELECT u.n, u.attempt, '{Move.CLAIM}', k.now, '{Who.WORKER}', '' FROM u, k)"""
CLAIM = f"""WITH w AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM worker WHERE id = $1) AS known),
    due AS MATERIALIZED (SELECT $5 AND EXISTS (SELECT 1 FROM task WHERE status = 'PENDING'
        AND not_before IS NOT NULL AND not_before <= {NOW}) AS any),
    m AS MATERIALIZED (SELECT asked.model FROM w, due, unnest($3::text[]) AS asked(model)
        CROSS JOIN LATERAL (SELECT n, priority, turn FROM task
            WHERE {_READY.format(model="asked.model")}) AS head
        WHERE w.known AND NOT due.any
            AND NOT EXISTS (SELECT 1 FROM paused p WHERE p.model = asked.model)
        ORDER BY head.priority DESC, head.turn, head.n LIMIT 1),
    c AS MATERIALIZED (SELECT n FROM task WHERE {_READY.format(model="(SELECT model FROM m)")}
        FOR UPDATE SKIP LOCKED),
    {_TAKEN}
    SELECT u.*, o.memo, w.known, due.any AS due, (SELECT model FROM m) AS chosen
    FROM w CROSS JOIN due LEFT JOIN u ON true LEFT JOIN note o ON o.n = u.n"""
MATES = f"""WITH h AS MATERIALIZED (SELECT n, priority, turn, shape, alone FROM task
        WHERE model = $3 AND status = 'PENDING' AND turn IS NOT NULL
        ORDER BY priority DESC, turn, n LIMIT 64),
    c AS MATERIALIZED (SELECT t.n FROM h JOIN task t USING (n)
        WHERE h.shape = $4 AND NOT h.alone AND EXISTS (SELECT 1 FROM worker WHERE id = $1)
            AND NOT EXISTS (SELECT 1 FROM paused WHERE model = $3)
        ORDER BY h.priority DESC, h.turn, h.n LIMIT $5 FOR UPDATE OF t SKIP LOCKED),
    {_TAKEN}
    SELECT u.*, o.memo FROM u LEFT JOIN note o USING (n) ORDER BY u.n"""
AGAIN = f"""SELECT {TASK}, t.n, t.shape, b.asked, b.refusal_code, b.refusal_message, o.memo
    FROM task t JOIN body b USING (n) LEFT JOIN note o USING (n)
    WHERE t.worker = $1 AND t.ticket = $2 AND t.status = 'RUNNING'"""
NEXT_DUE = """SELECT greatest(0, extract(epoch FROM not_before - ledger_now()))::float8 FROM task
    WHERE status = 'PENDING' AND not_before IS NOT NULL AND model = ANY($1)
    ORDER BY not_before LIMIT 1"""
RENEW = f"""WITH w AS (UPDATE worker SET seen_at = ledger_now() WHERE id = $1 RETURNING id),
    g AS (SELECT * FROM unnest($2::text[], $3::int[], $4::text[], $5::float8[])
        AS g(id, attempt, worker, progress)),
    p AS (UPDATE task t SET progress = g.progress FROM g, w WHERE t.id = g.id
        AND t.progress <> g.progress AND {guard_of(RULES[Move.PROGRESS], row="t.", given="g.")})
    SELECT (SELECT count(*) FROM w) AS known,
        array(SELECT id FROM task WHERE worker = $1 AND status = 'RUNNING' AND stop_at IS NOT NULL)
            AS stop,
        array(SELECT g.id FROM g WHERE NOT EXISTS (SELECT 1 FROM task t WHERE t.id = g.id
            AND {guard_of(RULES[Move.PROGRESS], row="t.", given="g.")})) AS lost,
        array(SELECT (t.id, t.attempt) FROM task t WHERE t.worker = $1 AND t.status = 'RUNNING'
            AND t.claim_at < {NOW} - $6::interval AND NOT EXISTS (SELECT 1 FROM g
                WHERE g.id = t.id AND g.attempt = t.attempt)) AS strays"""
SETTLED = f"""{READ} WHERE t.id = $1 AND t.status = 'SUCCEEDED' AND t.attempt = $2
    AND t.worker = $3 AND {LIVING}"""
NOTE = f"""INSERT INTO note (n, attempt, memo) SELECT t.n, t.attempt, $4 FROM task t,
    (SELECT $1::text AS id, $2::int AS attempt, $3::text AS worker) AS g
    WHERE t.id = g.id AND {guard_of(RULES[Move.PROGRESS], row="t.", given="g.")} FOR UPDATE OF t
    ON CONFLICT (n) DO UPDATE SET attempt = excluded.attempt, memo = excluded.memo RETURNING n"""
ANNOUNCE = """WITH w AS (SELECT id, models FROM worker WHERE id = $1 FOR UPDATE),
    s AS (INSERT INTO served (model, until_at)
        SELECT m.model, ledger_now() FROM w, unnest(w.models) AS m(model)
        WHERE m.model <> ALL($2::text[]) GROUP BY 1 ORDER BY 1
        ON CONFLICT (model) DO UPDATE SET until_at = greatest(served.until_at, excluded.until_at))
    UPDATE worker SET models = $2 FROM w WHERE worker.id = w.id RETURNING worker.id"""
ORPHAN = """t.status = 'RUNNING'
    AND NOT EXISTS (SELECT 1 FROM worker w WHERE w.id = t.worker)"""
DISMISS = """WITH w AS (DELETE FROM worker WHERE {which} RETURNING id, models, seen_at),
    s AS (INSERT INTO served (model, until_at)
        SELECT m.model, max(w.seen_at) FROM w, unnest(w.models) AS m(model) GROUP BY 1 ORDER BY 1
        ON CONFLICT (model) DO UPDATE SET until_at = greatest(served.until_at, excluded.until_at))
    SELECT id FROM w ORDER BY id"""


Take = Callable[[Connection, tuple[str, str]], Awaitable[Sequence[Any]]]  # (worker, ticket)


class PostgresWork:
    """The port `Work`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._succeeding = Batches(self._succeed_all, store.limits.queue)
        self._unsure: list[tuple[str, str]] = []  # (worker, ticket) of claims without an answer

    async def enrol(self, card: WorkerCard) -> None:
        """Make this incarnation known; from now on it lives by `renew`."""
        names = (list(card.models), list(card.devices))
        row = (card.id, card.host, card.pid, card.version, *names, lives.of(card.pid))

        async def work(conn: Connection, tries: int) -> None:
            try:
                await conn.execute(
                    "INSERT INTO worker (id, host, pid, version, models, devices, life, seen_at)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, ledger_now())",
                    *row,
                )
            except asyncpg.UniqueViolationError:
                if not tries:  # else a try that broke was made all the same
                    raise Conflict(f"Worker {card.id} runs already.") from None

        await self._store.database.run(work)

    async def announce(self, worker: str, models: Collection[str]) -> None:
        """Say which models a worker serves from now on: these, and no others."""
        known = await self._store.database.value(ANNOUNCE, worker, sorted(models))
        if known is None:
            raise Conflict(f"Worker {worker} is not enrolled (any more).")

    async def retire(self, worker: str) -> None:
        """Take an incarnation's row away, at a clean end, after all its tasks are settled."""
        await self._store.database.fetch(DISMISS.format(which="id = $1"), worker)
        await lose_all(self._store)

    async def claim(
        self, worker: str, models: Collection[str], *, alone: bool = True
    ) -> Claim | None:
        """Take the next ready task of these models: PENDING -> RUNNING, or None."""
        asked = sorted(models)
        claims = await self._keep(
            worker, lambda conn, told: self._take(conn, (*told, asked, alone))
        )
        return claims[0] if claims else None

    async def claim_mates(self, worker: str, head: Claim, limit: int) -> Sequence[Claim]:
        """Take up to `limit` ready tasks of the model and shape of a claim: PENDING -> RUNNING."""
        if not head.shape:
            return ()
        alike = (head.task.model, head.shape, limit)
        return await self._keep(worker, lambda conn, told: conn.fetch(MATES, *told, *alike))

    async def _keep(self, worker: str, take: Take) -> list[Claim]:
        """Claim; when cancelled meanwhile give back what was claimed: nobody would run it."""
        claiming = asyncio.ensure_future(self._claim(worker, take))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with suppress(FerrotypeError):  # a claim that failed keeps nothing
                for claim in await claiming:
                    await self.give_back(claim.lease, "the claim was cancelled")
            raise

    async def next_due(self, models: Collection[str]) -> float | None:
        """Return seconds until the next held task of these models becomes due, or None."""
        due: float | None = await self._store.database.value(NEXT_DUE, list(models))
        return due

    async def renew(self, worker: str, progress: Mapping[Lease, float]) -> Renewal:
        """Prove the worker alive and write new progress (0 to 1), in one write."""
        told = sorted(progress.items(), key=lambda item: item[0].task)
        steps = [(lease.task, lease.attempt, worker, value) for lease, value in told]
        row = await self._store.database.row(RENEW, worker, *columns(steps, 4), STRAY)
        if not row["known"]:
            raise Conflict(f"Worker {worker} is not enrolled (any more).")
        for task, attempt in row["strays"]:  # of a claim that was made after we had given it up
            with suppress(FerrotypeError):
                await self.give_back(Lease(task, attempt, worker), "its worker knows nothing of it")
        return Renewal(frozenset(row["stop"]), frozenset(row["lost"]))

    async def settle(self, lease: Lease, ending: Ending) -> Task:
        """RUNNING -> SUCCEEDED or FAILED. Fixes `end_at`, `expires_at` and the signing key.

        The lease that made a task SUCCEEDED may say so again, should the first answer be lost:
        it gets the task as it was settled then, and nothing changes.
        """
        if ending.result is not None:
            return await self._succeeding.do((lease, ending.result))
        told = {"code": ending.code, "message": ending.message.replace("\0", "")}
        return await self._store.hold(Move.FAIL, lease, **told)

    async def stopped(self, lease: Lease) -> Task:
        """RUNNING with a stop asked for -> CANCELED."""
        return await self._store.hold(Move.STOPPED, lease)

    async def time_out(self, lease: Lease) -> Task:
        """RUNNING -> FAILED `InternalError.Timeout`."""
        told = {"code": TimedOut.code, "message": default_message(TimedOut)}
        return await self._store.hold(Move.TIME_OUT, lease, **told)

    async def give_back(self, lease: Lease, why: str) -> Task:
        """RUNNING -> PENDING without a fault (a drain), or CANCELED if a stop was asked for."""
        return await self._store.hold(Move.GIVE_BACK, lease, why=why)

    async def fault(self, lease: Lease, why: str) -> Task:
        """RUNNING -> PENDING with one more fault and a pause; FAILED after the third."""
        told = {"code": AlgorithmFailed.code, "message": default_message(AlgorithmFailed)}
        return await self._store.hold(Move.FAULT, lease, why=why.replace("\0", ""), **told)

    async def note(self, lease: Lease, memo: bytes) -> None:
        """Keep bytes that the task's next attempt will receive."""
        holder = (lease.task, lease.attempt, lease.worker)
        if await self._store.database.value(NOTE, *holder, memo) is None:
            raise Conflict

    async def _claim(self, worker: str, take: Take) -> list[Claim]:
        await self._give_unsure_back()
        ticket = secrets.token_hex(8)

        async def work(conn: Connection, tries: int) -> Sequence[Any]:
            # a try that broke may have been committed
            rows = await conn.fetch(AGAIN, worker, ticket) if tries else ()
            return rows or await take(conn, (worker, ticket))

        try:
            rows = await self._store.database.run(work)
        except BaseException:
            self._unsure.append((worker, ticket))
            raise
        return [_claim_of(row, worker) for row in rows]

    async def _take(
        self, conn: Connection, asked: tuple[str, str, list[str], bool]
    ) -> Sequence[Any]:
        """Take the next task; what is due by now is made ready before, so that it has its turn."""
        look = True
        for _ in range(RACES):
            row = await conn.fetchrow(CLAIM, *asked, look)
            assert row is not None
            if not row["known"]:
                raise Conflict(f"Worker {asked[0]} is not enrolled (any more).")
            if row["id"] is not None:
                return [row]
            if row["due"]:
                look = await admit_due(conn, self._store.ring) > 0
            elif row["chosen"] is None:
                break
        return ()

    async def _give_unsure_back(self) -> None:
        """Give back what claims took whose answer never came: nobody would ever run it."""
        while self._unsure:
            worker, ticket = self._unsure[-1]
            for row in await self._store.database.fetch(AGAIN, worker, ticket):
                with suppress(Conflict):
                    await self.give_back(
                        Lease(row["id"], row["attempt"], worker), "the claim's answer was lost"
                    )
            self._unsure.remove((worker, ticket))

    async def _succeed_all(
        self, ends: Sequence[tuple[Lease, Result]]
    ) -> Sequence[Task | Exception]:
        steps = [
            Step(
                lease.task,
                lease.attempt,
                lease.worker,
                made=text_of(result),
                used=numbers_of(result),
            )
            for lease, result in ends
        ]

        async def work(conn: Connection, tries: int) -> Sequence[Task | Exception]:
            told = self._store.told(Who.WORKER)
            moved, topics = await moves.apply(conn, Move.SUCCEED, steps, told)
            self._store.ring(topics)
            return [await _answer(conn, moved.get(lease.task), lease) for lease, _ in ends]

        return await self._store.database.run(work)


async def _answer(conn: Connection, row: Any, lease: Lease) -> Task | Exception:
    """Return the task that a lease has made SUCCEEDED, now or before, else a `Conflict`."""
    if row is None or row["attempt"] != lease.attempt or row["worker"] != lease.worker:
        row = await conn.fetchrow(SETTLED, lease.task, lease.attempt, lease.worker)
    return Conflict() if row is None else task_of(row, row["made"], row["kid"])


def _claim_of(row: Any, worker: str) -> Claim:
    code = row["refusal_code"]
    return Claim(
        task=task_of(row),
        lease=Lease(row["id"], row["attempt"], worker),
        order=order_of(row["asked"]),
        refusal=None if code is None else (code, row["refusal_message"]),
        memo=row["memo"],
        shape=row["shape"],
    )


async def lose_all(store: Store) -> None:
    """Make every task PENDING again (or CANCELED) whose worker is not enrolled (any more)."""
    while rows := await store.database.fetch(f"SELECT t.id FROM task t WHERE {ORPHAN} LIMIT 200"):
        steps = [Step(row[0], why="its worker ended") for row in rows]
        if not await store.move_all(Move.LOSE, steps, Who.JANITOR):
            return
