"""What operators ask: see every task, pause models, set quotas, add up what was used."""

from collections.abc import Mapping, Sequence
from datetime import date

from ferrotype.errors import Conflict, Missing
from ferrotype.ledgers.postgres.rows import LIVING, READ, TASK, storable, task_of
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.operate import Account, Cap, Used
from ferrotype.task import FINAL, Event, Move, Status, Task

_ENDED = ", ".join(f"'{status}'" for status in sorted(FINAL))
_LOOK = f"""SELECT {TASK} FROM task t JOIN body b USING (n) WHERE {LIVING}
    AND ($1::text IS NULL OR t.account = $1) AND ($2::text IS NULL OR t.model = $2)
    AND ($3::text IS NULL OR t.status = $3) ORDER BY t.n DESC LIMIT $4"""
_HISTORY = """SELECT e.attempt, e.move, e.at, e.who, e.why FROM task t JOIN event e USING (n)
    WHERE t.id = $1 ORDER BY e.i"""
_DELETE = f"""UPDATE task t SET expires_at = ledger_now()
    WHERE t.id = $1 AND t.status IN ({_ENDED}) AND {LIVING} RETURNING t.n"""
_PAUSE = """INSERT INTO paused (model, why, at) VALUES ($1, $2, ledger_now())
    ON CONFLICT (model) DO UPDATE SET why = excluded.why, at = excluded.at"""
_QUOTA = "UPDATE account SET max_pending = $2, weight = $3 WHERE id = $1 RETURNING id"
# What ended tasks used, a row a measure; {which} of them.
MADE = f"""SELECT (t.end_at AT TIME ZONE 'UTC')::date AS day, t.account, t.key, t.model, t.status,
        m.measure, m.amount
    FROM task t LEFT JOIN result r USING (n) CROSS JOIN LATERAL (
        SELECT 'tasks' AS measure, 1::float8 AS amount
        UNION ALL SELECT 'run_seconds',
            greatest(0, extract(epoch FROM t.end_at - coalesce(t.claim_at, t.end_at)))::float8
        UNION ALL SELECT u.key, u.value::float8 FROM json_each_text(r.used) AS u(key, value)) AS m
    WHERE t.status IN ({_ENDED}) AND {{which}}"""
KEYS = "day, account, key, model, status, measure"
_LIVE = MADE.format(
    which="t.end_at >= $1::date::timestamp AT TIME ZONE 'UTC'"
    " AND t.end_at < ($2::date + 1)::timestamp AT TIME ZONE 'UTC'"
)
_USED = f"""SELECT {KEYS}, sum(amount)::float8 AS amount FROM (
        SELECT {KEYS}, amount FROM used WHERE day BETWEEN $1 AND $2 UNION ALL {_LIVE}) AS each
    GROUP BY {KEYS} ORDER BY {KEYS}"""


class PostgresOperate:
    """The port `Operate`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, task_id: str) -> Task | None:
        """Return a task, whoever owns it, or None."""
        if not storable(task_id):
            return None
        row = await self._store.database.row(f"{READ} WHERE t.id = $1 AND {LIVING}", task_id)
        return row and task_of(row, row["made"], row["kid"])

    async def history(self, task_id: str) -> Sequence[Event]:
        """Return the moves of a task in order, whoever owns it."""
        if not storable(task_id):
            return []
        rows = await self._store.database.fetch(_HISTORY, task_id)
        return [
            Event(task=task_id, attempt=attempt, move=Move(move), at=at, who=who, why=why)
            for attempt, move, at, who, why in rows
        ]

    async def look(
        self,
        *,
        account: str | None = None,
        model: str | None = None,
        status: Status | None = None,
        limit: int = 50,
    ) -> Sequence[Task]:
        """Return the newest tasks that match, results left out."""
        rows = await self._store.database.fetch(_LOOK, account, model, status, limit, lists=True)
        return [task_of(row) for row in rows]

    async def delete(self, task_id: str) -> None:
        """Let an ended task expire at once; else (also for an unknown id) `Conflict`."""
        if not storable(task_id) or await self._store.database.value(_DELETE, task_id) is None:
            raise Conflict

    async def pause(self, model: str, why: str) -> None:
        """Have no task of a model claimed any more; what runs goes on, creates are accepted."""
        await self._store.database.fetch(_PAUSE, model, why)

    async def resume(self, model: str) -> bool:
        """Undo `pause`; False when the model was not paused."""
        gone = await self._store.database.fetch(
            "DELETE FROM paused WHERE model = $1 RETURNING model", model
        )
        self._store.ring({f"work:{model}"})
        return bool(gone)

    async def paused(self) -> Mapping[str, str]:
        """Return why, by the models that are paused."""
        rows = await self._store.database.fetch("SELECT model, why FROM paused ORDER BY model")
        return {row["model"]: row["why"] for row in rows}

    async def account_list(self) -> Sequence[Account]:
        """Return all accounts by name."""
        rows = await self._store.database.fetch(
            "SELECT id, name, (open - coalesce((SELECT sum(n) FROM freed"
            " WHERE freed.account = account.id), 0))::bigint AS open, max_pending, weight"
            " FROM account ORDER BY name"
        )
        return [Account(**row) for row in rows]

    async def set_quota(self, account: str, max_pending: int | None, weight: float) -> None:
        """Say how many tasks an account may have open, and its share."""
        if await self._store.database.value(_QUOTA, account, max_pending, weight) is None:
            raise Missing("There is no such account.")

    async def cap_list(self) -> Sequence[Cap]:
        """Return the caps that an operator set."""
        rows = await self._store.database.fetch(
            "SELECT account, model, n FROM cap WHERE NOT profile"
        )
        return [Cap(**row) for row in rows]

    async def used(self, first: date, last: date) -> Sequence[Used]:
        """Return what was used from one day to another, both included, in order."""
        rows = await self._store.database.fetch_long(_USED, first, last)
        return [Used(**row) for row in rows]

    async def forget_used(self, before: date) -> int:
        """Remove the sums of older days; return how many there were."""
        rows = await self._store.database.fetch(
            "DELETE FROM used WHERE day < $1 RETURNING 1", before
        )
        return len(rows)
