"""What watchers ask: how much waits, how fast it goes, how the database is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from ferrotype.ledgers.postgres.rows import NOW
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.watch import Backlog, Pace

# Each part reads one partial index of open tasks. `n` grows with the time of submission. One
# statement is one look: no task is counted twice or missed on its way.
BACKLOG = """SELECT s.standing, s.model, s.many,
        extract(epoch FROM ledger_now() - t.submit_at)::float8 AS age
    FROM (SELECT 'ready' AS standing, model, count(*) AS many, min(n) AS n FROM task
            WHERE status = 'PENDING' AND turn IS NOT NULL GROUP BY model
        UNION ALL SELECT 'held', model, count(*), min(n) FROM task
            WHERE status = 'PENDING' AND turn IS NULL AND not_before IS NULL GROUP BY model
        UNION ALL SELECT 'held', model, count(*), min(n) FROM task
            WHERE status = 'PENDING' AND not_before IS NOT NULL GROUP BY model
        UNION ALL SELECT 'running', model, count(*), NULL FROM task
            WHERE status = 'RUNNING' GROUP BY model) s
    LEFT JOIN task t USING (n)"""
HOLDING = "SELECT worker, count(*) FROM task WHERE status = 'RUNNING' GROUP BY worker"
CREATED = f"""SELECT coalesce(sum(each.n), 0)::bigint FROM account a CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM task t
        WHERE t.account = a.id AND t.submit_at > {NOW} - $1::interval) AS each"""
ENDED = f"""SELECT status, count(*) FROM task
    WHERE expires_at > {NOW} + $2::interval AND expires_at IS NOT NULL
        AND end_at > {NOW} - $1::interval
    GROUP BY status"""
VITALS = """SELECT pg_database_size(current_database())::float8 AS database_bytes,
    (SELECT count(*) FROM letter)::float8 AS letters,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())::float8
        AS connections,
    greatest(0,
        (SELECT max(greatest(age(backend_xmin), age(backend_xid))) FROM pg_stat_activity
            WHERE datname = current_database()),
        (SELECT max(greatest(age(xmin), age(catalog_xmin))) FROM pg_replication_slots),
        (SELECT max(age(transaction)) FROM pg_prepared_xacts))::float8 AS oldest_xmin_age,
    coalesce((SELECT extract(epoch FROM max(clock_timestamp() - xact_start))
        FROM pg_stat_activity WHERE datname = current_database()
            AND backend_type = 'client backend'), 0)::float8 AS oldest_transaction_seconds,
    coalesce((SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = 'task'::regclass), 0)::float8
        AS dead_rows"""


class PostgresWatch:
    """The port `Watch`. It asks on the connections of lists, so that nobody waits for it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def backlog(self) -> Sequence[Backlog]:
        """Return the models that have open tasks, by name."""
        rows = await self._store.database.fetch(BACKLOG, lists=True)
        counts, ages = Counter[tuple[str, str]](), dict[str, float]()
        for standing, model, many, age in rows:
            counts[model, standing] += many
            ages[model] = max(0.0, age or 0.0, ages.get(model, 0.0))
        return [
            Backlog(
                model=model,
                ready=counts[model, "ready"],
                held=counts[model, "held"],
                running=counts[model, "running"],
                oldest=age,
            )
            for model, age in sorted(ages.items())
        ]

    async def pace(self, seconds: float) -> Pace:
        """Return what was created and what ended within the last seconds."""
        database, window = self._store.database, timedelta(seconds=seconds)
        kept = timedelta(seconds=self._store.limits.retention) - window
        (created,) = await database.fetch(CREATED, window, lists=True)
        ended = await database.fetch(ENDED, window, kept, lists=True)
        return Pace(seconds, created[0], {row[0]: row[1] for row in ended})

    async def holding(self) -> Mapping[str, int]:
        """Return how many running tasks each worker holds, by worker."""
        rows = await self._store.database.fetch(HOLDING, lists=True)
        return {row[0]: row[1] for row in rows}

    async def vitals(self) -> Mapping[str, float]:
        """Return sizes, connections, and what keeps PostgreSQL from clearing away dead rows."""
        (row,) = await self._store.database.fetch(VITALS, lists=True)
        return dict(row)
