"""What operators ask: see every task, pause models, set quotas, add up what was used."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from functools import partial

import msgspec

from ferrotype.errors import Conflict, Missing
from ferrotype.ledgers.sqlite.rows import LIVING, READ_ONE, TASK, moment, task_of
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.ports.operate import Account, Cap, Used
from ferrotype.task import FINAL, Event, Move, Status, Task

_EPOCH = date(1970, 1, 1)
_DAY = 86_400_000_000  # microseconds
_ENDED = ", ".join(f"'{status}'" for status in sorted(FINAL))
_LOOK = f"""SELECT {TASK} FROM task t JOIN body b USING (n) WHERE {LIVING}
    AND (:account IS NULL OR t.account = :account) AND (:model IS NULL OR t.model = :model)
    AND (:status IS NULL OR t.status = :status) ORDER BY t.n DESC LIMIT :limit"""
_DELETE = f"""UPDATE task AS t SET expires_at = :now
    WHERE t.id = :id AND t.status IN ({_ENDED}) AND {LIVING} RETURNING n"""
# What ended tasks used, a row a measure; {which} of them.
_MADE = f"""WITH ended AS (SELECT n, end_at / {_DAY} AS day, account, key, model, status,
        max(0, end_at - coalesce(claim_at, end_at)) / 1000000.0 AS seconds FROM task
        WHERE status IN ({_ENDED}) AND {{which}})
    SELECT day, account, key, model, status, 'tasks' AS measure, 1.0 AS amount FROM ended
    UNION ALL SELECT day, account, key, model, status, 'run_seconds', seconds FROM ended
    UNION ALL SELECT day, account, ended.key, model, status, u.key, u.value
        FROM ended JOIN result USING (n), json_each(result.used) u"""
_KEYS = "day, account, key, model, status, measure"
_BETWEEN = f"end_at >= :first * {_DAY} AND end_at < (:last + 1) * {_DAY}"
USED = f"""SELECT {_KEYS}, sum(amount) FROM (SELECT {_KEYS}, amount FROM used
        WHERE day BETWEEN :first AND :last
        UNION ALL SELECT * FROM ({_MADE.format(which=_BETWEEN)}))
    GROUP BY {_KEYS} ORDER BY {_KEYS}"""
_KEEP = f"""INSERT INTO used ({_KEYS}, amount) SELECT {_KEYS}, sum(amount)
    FROM ({_MADE.format(which="n IN (SELECT value FROM json_each(:ns))")}) WHERE true
    GROUP BY {_KEYS} ON CONFLICT DO UPDATE SET amount = amount + excluded.amount"""


class SqliteOperate:
    """The port `Operate`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, task_id: str) -> Task | None:
        """Return a task, whoever owns it, or None."""
        conn = self._store.reader
        given = {"id": task_id, "now": self._store.now(conn)}
        row = conn.execute(f"{READ_ONE} WHERE t.id = :id AND {LIVING}", given).fetchone()
        return row and task_of(row, row[19])

    async def history(self, task_id: str) -> Sequence[Event]:
        """Return the moves of a task in order, whoever owns it."""
        rows = self._store.reader.execute(
            "SELECT e.attempt, e.move, e.at, e.who, e.why FROM task t JOIN event e USING (n)"
            " WHERE t.id = ? ORDER BY e.i",
            (task_id,),
        ).fetchall()
        return [
            Event(task=task_id, attempt=attempt, move=Move(move), at=moment(at), who=who, why=why)
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
        given = {"account": account, "model": model, "status": status, "limit": limit}

        def query(conn: sqlite3.Connection) -> Sequence[Task]:
            rows = conn.execute(_LOOK, given | {"now": self._store.now(conn)}).fetchall()
            return [task_of(row) for row in rows]

        return await self._store.scan(query)

    async def delete(self, task_id: str) -> None:
        """Let an ended task expire at once; else (also for an unknown id) `Conflict`."""

        def command(batch: Batch) -> None:
            if batch.conn.execute(_DELETE, {"id": task_id, "now": batch.now}).fetchone() is None:
                raise Conflict

        await self._store.writer.do(command)

    async def pause(self, model: str, why: str) -> None:
        """Have no task of a model claimed any more; what runs goes on, creates are accepted."""

        def command(batch: Batch) -> None:
            batch.conn.execute(
                "INSERT OR REPLACE INTO paused (model, why, at) VALUES (?, ?, ?)",
                (model, why, batch.now),
            )

        await self._store.writer.do(command)

    async def resume(self, model: str) -> bool:
        """Undo `pause`; False when the model was not paused."""

        def command(batch: Batch) -> bool:
            batch.topics.add(f"work:{model}")
            return batch.conn.execute("DELETE FROM paused WHERE model = ?", (model,)).rowcount > 0

        return await self._store.writer.do(command)

    async def paused(self) -> Mapping[str, str]:
        """Return why, by the models that are paused."""
        return dict(self._store.reader.execute("SELECT model, why FROM paused ORDER BY 1"))

    async def account_list(self) -> Sequence[Account]:
        """Return all accounts by name."""
        rows = self._store.reader.execute(
            "SELECT id, name, open, max_pending, weight FROM account ORDER BY name"
        ).fetchall()
        return [
            Account(id=id, name=name, open=open, max_pending=most, weight=weight)
            for id, name, open, most, weight in rows
        ]

    async def set_quota(self, account: str, max_pending: int | None, weight: float) -> None:
        """Say how many tasks an account may have open, and its share."""

        def command(batch: Batch) -> None:
            done = batch.conn.execute(
                "UPDATE account SET max_pending = ?, weight = ? WHERE id = ?",
                (max_pending, weight, account),
            )
            if not done.rowcount:
                raise Missing("There is no such account.")

        await self._store.writer.do(command)

    async def cap_list(self) -> Sequence[Cap]:
        """Return the caps that an operator set."""
        rows = self._store.reader.execute("SELECT account, model, n FROM cap WHERE profile = 0")
        return [Cap(*row) for row in rows.fetchall()]

    async def used(self, first: date, last: date) -> Sequence[Used]:
        """Return what was used from one day to another, both included, in order."""
        return await self._store.scan(partial(_used, first, last))

    async def forget_used(self, before: date) -> int:
        """Remove the sums of older days; return how many there were."""
        day = (before - _EPOCH).days
        return await self._store.writer.do(
            lambda batch: batch.conn.execute("DELETE FROM used WHERE day < ?", (day,)).rowcount
        )


def _used(first: date, last: date, conn: sqlite3.Connection) -> Sequence[Used]:
    given = {"first": (first - _EPOCH).days, "last": (last - _EPOCH).days}
    return [
        Used(
            day=_EPOCH + timedelta(days=row[0]),
            account=row[1],
            key=row[2],
            model=row[3],
            status=row[4],
            measure=row[5],
            amount=row[6],
        )
        for row in conn.execute(USED, given).fetchall()
    ]


def keep_used(batch: Batch, ns: Collection[int]) -> None:
    """Add what these tasks used to the sums, in the transaction that forgets them."""
    batch.conn.execute(_KEEP, {"ns": msgspec.json.encode(list(ns)).decode()})
