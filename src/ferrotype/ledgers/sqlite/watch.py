"""What watchers ask: how much waits, how fast it goes, how large the database is."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

from ferrotype.ledgers.sqlite.rows import SECOND
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ports.watch import Backlog, Pace

# Each reads what one partial index of open tasks names. `n` grows with the time of submission.
READY = """SELECT model, count(*), min(n) FROM task
    WHERE status = 'PENDING' AND turn IS NOT NULL GROUP BY model"""
CAPPED = """SELECT model, count(*), min(n) FROM task INDEXED BY hold
    WHERE status = 'PENDING' AND turn IS NULL AND not_before IS NULL GROUP BY account, model"""
LATER = """SELECT model, count(*), min(n) FROM task INDEXED BY due
    WHERE status = 'PENDING' AND not_before IS NOT NULL GROUP BY model"""
WORKING = "SELECT model, count(*) FROM task WHERE status = 'RUNNING' GROUP BY model"
HOLDING = "SELECT worker, count(*) FROM task WHERE status = 'RUNNING' GROUP BY worker"
SUBMITTED = "SELECT submit_at FROM task WHERE n = ?"
CREATED = """SELECT count(*) FROM account a CROSS JOIN task t
    ON t.account = a.id AND t.submit_at > ?"""
ENDED = """SELECT status, count(*) FROM task INDEXED BY expiry
    WHERE expires_at > :least AND expires_at IS NOT NULL AND end_at > :since GROUP BY status"""


class SqliteWatch:
    """The port `Watch`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def backlog(self) -> Sequence[Backlog]:
        """Return the models that have open tasks, by name."""
        return await self._store.scan(self._backlog)

    async def pace(self, seconds: float) -> Pace:
        """Return what was created and what ended within the last seconds."""

        def query(conn: sqlite3.Connection) -> Pace:
            since = self._store.now(conn) - self._store.seconds(seconds)
            least = since + self._store.seconds(self._store.limits.retention)
            created = conn.execute(CREATED, (since,)).fetchone()[0]
            ended = conn.execute(ENDED, {"least": least, "since": since}).fetchall()
            return Pace(seconds, created, dict(ended))

        return await self._store.scan(query)

    async def holding(self) -> Mapping[str, int]:
        """Return how many running tasks each worker holds, by worker."""
        return await self._store.scan(lambda conn: dict(conn.execute(HOLDING).fetchall()))

    async def vitals(self) -> Mapping[str, float]:
        """Return the sizes of the database and its log, and how many letters wait."""

        def query(conn: sqlite3.Connection) -> dict[str, float]:
            pages = conn.execute("PRAGMA page_count").fetchone()[0]
            log = self._store.data_dir / "ledger.db-wal"
            return {
                "database_bytes": pages * conn.execute("PRAGMA page_size").fetchone()[0],
                "log_bytes": log.stat().st_size if log.exists() else 0,
                "letters": conn.execute("SELECT count(*) FROM letter").fetchone()[0],
            }

        return await self._store.scan(query)

    def _backlog(self, conn: sqlite3.Connection) -> list[Backlog]:
        now = self._store.now(conn)
        ready, held, running = Counter[str](), Counter[str](), Counter[str]()
        first: dict[str, int] = {}
        conn.execute("BEGIN")  # one look: no task is counted twice or missed on its way
        try:
            for query, count in ((READY, ready), (CAPPED, held), (LATER, held)):
                for model, many, n in conn.execute(query):
                    count[model] += many
                    first[model] = min(n, first.get(model, n))
            running.update(dict(conn.execute(WORKING).fetchall()))
            since = {m: conn.execute(SUBMITTED, (n,)).fetchone()[0] for m, n in first.items()}
        finally:
            conn.execute("COMMIT")
        return [
            Backlog(
                model=model,
                ready=ready[model],
                held=held[model],
                running=running[model],
                oldest=max(0.0, (now - since.get(model, now)) / SECOND),
            )
            for model in sorted({*first, *running})
        ]
