"""What the janitor asks: the dead, the due, the unserved, the overdue, the expired."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

from ferrotype.errors import TimedOut, Unavailable, default_message
from ferrotype.ledgers.guards import guard_of
from ferrotype.ledgers.postgres import caps, leading, lives
from ferrotype.ledgers.postgres.adding import FOLD
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.due import admit_due
from ferrotype.ledgers.postgres.moves import Step
from ferrotype.ledgers.postgres.operate import KEYS, MADE
from ferrotype.ledgers.postgres.rows import NOW
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ledgers.postgres.work import DISMISS, ORPHAN, lose_all
from ferrotype.ports.ledger import MARK, Swept
from ferrotype.task import RULES, Move, Status, Who

CHUNK = 200  # rows that one janitor's write touches, at most: long snapshots make claims slow
_FREED = "SELECT DISTINCT account FROM freed ORDER BY 1 LIMIT 1000"
_LOCK_ACCOUNTS = "SELECT 1 FROM account WHERE id = ANY($1) ORDER BY id FOR UPDATE"
_TAKE = "UPDATE account SET open = open - $2 WHERE id = $1"
_NEVER = timedelta(days=36_500)
_GRACE = 60.0  # seconds after its deadline that a task's worker has for timing it out itself
_JUMP = 5.0  # seconds that the server's clock may gain on our steady one between two rounds
_READY = "status = 'PENDING' AND turn IS NOT NULL"
_DEAD = DISMISS.format(which="seen_at < ledger_now() - $1::interval OR id = ANY($2)")
_ANY_DEAD = f"""SELECT clock_timestamp() AS now,
    EXISTS (SELECT 1 FROM worker WHERE seen_at < ledger_now() - $1::interval) AS late,
    array(SELECT (id, life) FROM worker WHERE starts_with(life, $2)) AS near,
    EXISTS (SELECT 1 FROM task t WHERE {ORPHAN}) AS orphans"""
UNSERVED = f"""WITH RECURSIVE ready(model) AS (
        (SELECT model FROM task WHERE {_READY} ORDER BY model LIMIT 1)
        UNION ALL
        SELECT (SELECT model FROM task WHERE {_READY} AND model > ready.model
            ORDER BY model LIMIT 1) FROM ready WHERE ready.model IS NOT NULL),
    idle AS MATERIALIZED (SELECT model FROM ready
        WHERE NOT EXISTS (SELECT 1 FROM worker w WHERE ready.model = ANY(w.models))
            AND NOT EXISTS (SELECT 1 FROM paused p WHERE p.model = ready.model)
            AND NOT EXISTS (SELECT 1 FROM served s WHERE s.model = ready.model
                AND s.until_at > {NOW} - $1::interval))
    SELECT t.id, t.model FROM idle CROSS JOIN LATERAL (SELECT id, model FROM task
        WHERE task.model = idle.model AND {_READY} AND submit_at <= {NOW} - $1::interval
        ORDER BY priority DESC, turn, n LIMIT {CHUNK}) AS t"""
LEFT = f"""SELECT id, status FROM task WHERE attended_until IS NOT NULL AND stop_at IS NULL
    AND status IN ('PENDING', 'RUNNING') AND attended_until <= {NOW} LIMIT {CHUNK}"""
OVERDUE = f"""SELECT t.id, t.attempt, t.worker FROM task t
    LEFT JOIN unnest($1::text[], $2::float8[]) AS d(model, longest) USING (model)
    WHERE t.status = 'RUNNING' AND t.claim_at
        + coalesce(d.longest, $3::float8) * interval '1 s' <= {NOW} LIMIT {CHUNK}"""
EXPIRED = f"""UPDATE task SET swept = ledger_now() WHERE n = ANY(array(SELECT n FROM task
        WHERE expires_at IS NOT NULL AND expires_at <= {NOW}
            AND (swept IS NULL OR swept <= {NOW} - $2::interval)
        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING id, submit_at"""
_FORGETTABLE = f"""t.id = ANY($1) AND t.swept IS NOT NULL
    AND {guard_of(RULES[Move.EXPIRE], row="t.")}"""
LOCK = f"SELECT n FROM task t WHERE {_FORGETTABLE} ORDER BY n FOR UPDATE"
FORGET = f"""WITH gone AS (DELETE FROM task t WHERE {_FORGETTABLE} RETURNING n),
    u AS (INSERT INTO used ({KEYS}, amount) SELECT {KEYS}, sum(amount)
        FROM ({MADE.format(which=_FORGETTABLE)}) AS made GROUP BY {KEYS} ORDER BY {KEYS}
        ON CONFLICT ({KEYS}) DO UPDATE SET amount = used.amount + excluded.amount),
    b AS (DELETE FROM body WHERE n IN (SELECT n FROM gone)),
    r AS (DELETE FROM result WHERE n IN (SELECT n FROM gone)),
    o AS (DELETE FROM note WHERE n IN (SELECT n FROM gone)),
    e AS (DELETE FROM event WHERE n IN (SELECT n FROM gone))
    DELETE FROM idempotency WHERE n IN (SELECT n FROM gone)"""


class PostgresUpkeep:
    """The port `Upkeep`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._round: tuple[datetime, float] | None = None  # server's time, ours: the last look
        self._place = lives.place()
        self._trusted_from = 0.0  # steady time from which stale leases count again

    async def lead(self) -> bool:
        """Try to be the one janitor; True for a few seconds more, so ask again."""
        return await leading.lead(self._store, "janitor")

    async def reap(self) -> Sequence[str]:
        """Make every task of every dead worker PENDING again (or CANCELED); return the workers.

        Dead is whose process on our machine ended, and who did not renew, except just after the
        server's clock was put forward.
        """
        lease, gone = timedelta(seconds=self._store.limits.lease), []
        row = await self._store.database.row(_ANY_DEAD, lease, self._place or "nowhere")
        over = [worker for worker, life in row["near"] if lives.is_over(life)]
        late = self._trusts(row["now"]) and row["late"]
        if late or over:
            since = lease if late else _NEVER
            gone = [row[0] for row in await self._store.database.fetch(_DEAD, since, over)]
        if gone or row["orphans"]:
            await lose_all(self._store)
        return gone

    async def admit_due(self) -> int:
        """Make held tasks ready whose time has come, and apply changed caps."""
        store, admitted = self._store, 0

        async def work(conn: Connection, tries: int) -> int:
            return await admit_due(conn, store.ring)

        while (admitted_now := await store.database.run(work)) > 0:
            admitted += admitted_now
        return admitted + await caps.sweep_all(store)

    async def end_unserved(self, after: float) -> int:
        """FAIL ready tasks for whose model no worker lived during the last `after` seconds."""
        rows = await self._store.database.fetch(UNSERVED, timedelta(seconds=after), lists=True)
        steps = [
            Step(task_id, code=Unavailable.code, message=f"No worker serves the model {model} now.")
            for task_id, model in rows
        ]
        return await self._store.move_all(Move.UNSERVED, steps, Who.JANITOR)

    async def abandon(self) -> int:
        """Cancel or ask to stop attended tasks whose caller went away."""
        rows = await self._store.database.fetch(LEFT)
        why = "its caller went away"
        waiting = [Step(row[0], why=why) for row in rows if row[1] == Status.PENDING]
        running = [Step(row[0], why=why) for row in rows if row[1] == Status.RUNNING]
        return await self._store.move_all(
            Move.ABANDON, waiting, Who.JANITOR
        ) + await self._store.move_all(Move.ASK_STOP, running, Who.JANITOR)

    async def end_overdue(self, deadlines: Mapping[str, float], default: float) -> int:
        """Time out tasks that ran longer than their model's deadline (seconds) plus 60."""
        longest = [seconds + _GRACE for seconds in deadlines.values()]
        rows = await self._store.database.fetch(OVERDUE, list(deadlines), longest, default + _GRACE)
        told = {"code": TimedOut.code, "message": default_message(TimedOut)}
        steps = [Step(row[0], row[1], row[2], **told) for row in rows]
        return await self._store.move_all(Move.TIME_OUT, steps, Who.JANITOR)

    async def expired(self, limit: int) -> Sequence[Swept]:
        """Mark up to `limit` expired tasks and return them, without those marked lately (`MARK`).

        So one whose files cannot go stands in the way of no other.
        """
        rows = await self._store.database.fetch(EXPIRED, limit, timedelta(seconds=MARK))
        return [Swept(task_id, f"{at.astimezone(UTC):%Y%m%d}") for task_id, at in rows]

    async def forget(self, task_ids: Collection[str]) -> None:
        """Remove marked tasks with their body, result, events and idempotency keys."""
        ids = list(task_ids)

        async def work(conn: Connection) -> None:
            await conn.execute(LOCK, ids)  # what another janitor forgot meanwhile is added up once
            await conn.execute(FORGET, ids)

        await self._store.change(work)

    async def known(self, task_ids: Collection[str]) -> frozenset[str]:
        """Return those ids that the ledger still holds."""
        rows = await self._store.database.fetch(
            "SELECT id FROM task WHERE id = ANY($1)", list(task_ids), lists=True
        )
        return frozenset(row[0] for row in rows)

    async def checkpoint(self) -> None:
        """Take what ended from the accounts' counts; the server vacuums by itself."""

        async def work(conn: Connection) -> None:
            names = [row[0] for row in await conn.fetch(_FREED)]
            await conn.execute(_LOCK_ACCOUNTS, names)
            rows = await conn.fetch(FOLD, names)
            await conn.executemany(_TAKE, [(row["account"], row["n"]) for row in rows])

        await self._store.change(work)

    def _trusts(self, now: datetime) -> bool:
        """Tell whether stale leases count now."""
        last, self._round = self._round, (now, monotonic())
        if last is not None:
            gained = (now - last[0]).total_seconds() - (self._round[1] - last[1])
            if gained > _JUMP:
                self._trusted_from = self._round[1] + self._store.limits.lease
        return self._round[1] >= self._trusted_from
