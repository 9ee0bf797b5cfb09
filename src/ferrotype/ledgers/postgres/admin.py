"""What operators, the door and tests ask: accounts, keys, secrets, caps."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import sha256

from ferrotype.errors import Conflict, Denied, FerrotypeError, Missing
from ferrotype.ledgers.postgres import caps
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.moves import Step
from ferrotype.ledgers.postgres.rows import LIVING
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.admin import Key, Secret, Stuck, WorkerSeen
from ferrotype.task import LONELY_AFTER, Move, Task, Who

_KEY = "id, account, name, hint, scope, priority, created_at, expires_at, revoked_at"
_LIVE_SECRETS = """SELECT kid, bytes FROM secret WHERE until_at IS NULL OR until_at > ledger_now()
    ORDER BY n DESC"""
_RETIRE_SECRETS = """UPDATE secret SET until_at = greatest(ledger_now() + $1::interval,
    (SELECT max(expires_at) FROM task WHERE expires_at IS NOT NULL)) WHERE until_at IS NULL"""
_ONE_SECRET = "SELECT pg_advisory_xact_lock(7314)"  # two processes must not both make the first
STUCK = f"""SELECT id FROM task WHERE status IN ('PENDING', 'RUNNING')
    AND attempt >= {LONELY_AFTER} ORDER BY n"""
_WORKERS = """SELECT id, host, pid, version, models, devices,
    extract(epoch FROM ledger_now() - seen_at)::float8 AS age FROM worker ORDER BY id"""


class PostgresAdmin:
    """The port `Admin`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def make_account(self, name: str) -> str:
        """Return the account's id, making the account when there is none of that name."""

        async def work(conn: Connection) -> str:
            await conn.execute(
                "INSERT INTO account (id, name, created_at) VALUES ($1, $2, ledger_now())"
                " ON CONFLICT (name) DO NOTHING",
                secrets.token_hex(8),
                name,
            )
            account: str = await conn.fetchval("SELECT id FROM account WHERE name = $1", name)
            return account

        return await self._store.change(work)

    async def accounts(self) -> Mapping[str, str]:
        """Return the name of every account by its id."""
        rows = await self._store.database.fetch("SELECT id, name FROM account")
        return {row["id"]: row["name"] for row in rows}

    async def add_key(
        self, account: str, name: str, key: str, *, scope: str = "caller", priority: int = 0
    ) -> Key:
        """Store a key's SHA-256. Raises `Conflict` when that very key is known already."""
        digest = sha256(key.encode()).digest()
        hint = f"{key[:3]}...{key[-4:]}" if len(key) >= 12 else "..."
        row = await self._store.database.row(
            "INSERT INTO key (id, account, name, hint, scope, priority, created_at, sha256)"
            " VALUES ($1, $2, $3, $4, $5, $6, ledger_now(), $7)"
            f" ON CONFLICT (sha256) DO NOTHING RETURNING {_KEY}",
            *(secrets.token_hex(8), account, name, hint, scope, priority, digest),
        )
        if row is None:
            raise Conflict("That key is known already.")
        return Key(**row)

    async def find_key(self, sha256: bytes) -> Key | None:
        """Return the live key (not revoked, not expired) with that digest, or None."""
        row = await self._store.database.row(
            f"SELECT {_KEY} FROM key WHERE sha256 = $1 AND revoked_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > ledger_now())",
            sha256,
        )
        return row and Key(**row)

    async def keys(self) -> Sequence[Key]:
        """Return all keys, the oldest first."""
        rows = await self._store.database.fetch(f"SELECT {_KEY} FROM key ORDER BY n")
        return [Key(**row) for row in rows]

    async def revoke_key(self, key_id: str) -> Key:
        """Revoke by id or name. Raises `Missing`, or `Conflict` when the name is not unique."""

        async def work(conn: Connection) -> Key:
            rows = await conn.fetch(
                "SELECT id FROM key WHERE id = $1 OR (name = $1 AND revoked_at IS NULL)", key_id
            )
            if not rows:
                raise Missing(f"There is no key {key_id}.")
            if len(rows) > 1:
                raise Conflict(f"{len(rows)} keys are named {key_id}: give the id of one.")
            row = await conn.fetchrow(
                "UPDATE key SET revoked_at = coalesce(revoked_at, ledger_now()) WHERE id = $1"
                f" RETURNING {_KEY}",
                rows[0]["id"],
            )
            assert row is not None
            return Key(**row)

        return await self._store.change(work)

    async def secrets(self) -> Sequence[Secret]:
        """Return the live signing secrets, the newest first."""
        rows = await self._store.database.fetch(_LIVE_SECRETS)
        return [Secret(row["kid"], row["bytes"]) for row in rows]

    async def rotate_secret(self) -> Secret:
        """Make a new signing secret; the one before stays valid for what it has signed."""
        retention = timedelta(seconds=self._store.limits.retention)

        async def work(conn: Connection) -> Secret:
            await conn.execute(_ONE_SECRET)
            await conn.execute(_RETIRE_SECRETS, retention)
            return await _make_secret(conn)

        return await self._store.change(work)

    async def set_cap(self, account: str | None, model: str | None, n: int | None) -> None:
        """Limit ready + running tasks per (account, model); None is "any"; n None removes it."""
        await self._store.change(lambda conn: caps.change(conn, account, model, n))

    async def set_profile(self, caps_by_model: Mapping[str, int]) -> None:
        """Make these the caps of any account by model, where no cap of the operator's matches."""
        await self._store.change(lambda conn: caps.take_profile(conn, caps_by_model))

    async def requeue(self, task_id: str, why: str) -> Task:
        """RUNNING -> PENDING without a fault (or CANCELED), whatever its worker says."""
        return await self._store.move(Move.REQUEUE, Step(task_id, why=why), Who.OPERATOR)

    async def drop(self, task_id: str, why: str) -> Task:
        """PENDING or RUNNING -> FAILED `InternalError`, whatever its worker says."""
        step = Step(task_id, code=FerrotypeError.code, message=why, why=why)
        return await self._store.move(Move.DROP, step, Who.OPERATOR)

    async def workers(self) -> Sequence[WorkerSeen]:
        """Return the workers that are enrolled now."""
        rows = await self._store.database.fetch(_WORKERS)
        return [
            WorkerSeen(**{**row, "models": tuple(row["models"]), "devices": tuple(row["devices"])})
            for row in rows
        ]

    async def counts(self) -> dict[tuple[str, str], int]:
        """Return how many tasks there are by (model, status), expired ones left out."""
        rows = await self._store.database.fetch(
            f"SELECT model, status, count(*) FROM task t WHERE {LIVING} GROUP BY 1, 2", lists=True
        )
        return {(model, status): n for model, status, n in rows}

    async def stuck(self, limit: int) -> Stuck:
        """Return what is stuck, with the ids of the oldest, up to `limit`."""
        rows = await self._store.database.fetch(STUCK, lists=True)
        return Stuck(len(rows), tuple(row[0] for row in rows[:limit]))

    async def set_clock_offset(self, seconds: float) -> None:
        """Move the ledger's clock, for tests; leases keep their age."""
        if not self._store.limits.test:
            raise Denied("Only a ledger that was opened for tests does this.")

        async def work(conn: Connection) -> None:
            await conn.execute("LOCK TABLE meta IN EXCLUSIVE MODE")
            before = await conn.fetchval("SELECT value FROM meta WHERE name = 'clock_offset'")
            await conn.execute(
                "INSERT INTO meta VALUES ('clock_offset', $1)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                str(float(seconds)),
            )
            await conn.execute(
                "CREATE OR REPLACE FUNCTION ledger_now() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE"
                f" AS 'SELECT clock_timestamp() + interval ''{float(seconds)} s'''"
            )
            moved = timedelta(seconds=seconds - float(before or 0))
            await conn.execute("UPDATE worker SET seen_at = seen_at + $1::interval", moved)

        await self._store.change(work)


async def ensure_secret(store: Store) -> None:
    """Make the first secret when there is none."""

    async def work(conn: Connection) -> None:
        await conn.execute(_ONE_SECRET)
        if await conn.fetchval("SELECT 1 FROM secret WHERE until_at IS NULL") is None:
            await _make_secret(conn)

    if await store.database.value("SELECT 1 FROM secret WHERE until_at IS NULL LIMIT 1") is None:
        await store.change(work)


async def _make_secret(conn: Connection) -> Secret:
    made = Secret(f"fk{secrets.token_hex(8)}", secrets.token_bytes(32))
    await conn.execute("INSERT INTO secret (kid, bytes) VALUES ($1, $2)", made.kid, made.bytes)
    return made
