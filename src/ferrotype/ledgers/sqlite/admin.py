"""What operators, the door and tests ask: accounts, keys, secrets, caps."""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ferrotype.errors import Conflict, Denied, FerrotypeError, Missing
from ferrotype.ledgers.sqlite import caps
from ferrotype.ledgers.sqlite.rows import LIVING, SECOND, moment
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.ports.admin import Key, Secret, Stuck, WorkerSeen
from ferrotype.task import LONELY_AFTER, Move, Task, Who

_KEY = "id, account, name, hint, scope, priority, created_at, expires_at, revoked_at"
_LIVE_SECRETS = """SELECT kid, bytes FROM secret WHERE until_at IS NULL OR until_at > ?
    ORDER BY from_at DESC"""
_WORKERS = "SELECT id, host, pid, version, models, devices, seen_at FROM worker"
_STUCK = """SELECT id FROM task WHERE status IN ('PENDING', 'RUNNING') AND attempt >= ?
    ORDER BY n"""


class SqliteAdmin:
    """The port `Admin`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def make_account(self, name: str) -> str:
        """Return the account's id, making the account when there is none of that name."""

        def command(batch: Batch) -> str:
            batch.conn.execute(
                "INSERT INTO account (id, name, created_at) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (secrets.token_hex(8), name, batch.now),
            )
            account: str = batch.conn.execute(
                "SELECT id FROM account WHERE name = ?", (name,)
            ).fetchone()[0]
            return account

        return await self._store.writer.do(command)

    async def accounts(self) -> Mapping[str, str]:
        """Return the name of every account by its id."""
        return dict(self._store.reader.execute("SELECT id, name FROM account").fetchall())

    async def add_key(
        self, account: str, name: str, key: str, *, scope: str = "caller", priority: int = 0
    ) -> Key:
        """Store a key's SHA-256. Raises `Conflict` when that very key is known already."""
        digest = sha256(key.encode()).digest()
        hint = f"{key[:3]}...{key[-4:]}" if len(key) >= 12 else "..."

        def command(batch: Batch) -> Key:
            row = batch.conn.execute(
                f"INSERT INTO key ({_KEY}, sha256) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)"
                f" ON CONFLICT (sha256) DO NOTHING RETURNING {_KEY}",
                (secrets.token_hex(8), account, name, hint, scope, priority, batch.now, digest),
            ).fetchone()
            if row is None:
                raise Conflict("That key is known already.")
            return _key_of(row)

        return await self._store.writer.do(command)

    async def find_key(self, sha256: bytes) -> Key | None:
        """Return the live key (not revoked, not expired) with that digest, or None."""
        conn = self._store.reader
        row = conn.execute(
            f"SELECT {_KEY} FROM key WHERE sha256 = ? AND revoked_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > ?)",
            (sha256, self._store.now(conn)),
        ).fetchone()
        return row and _key_of(row)

    async def keys(self) -> Sequence[Key]:
        """Return all keys, the oldest first."""
        rows = self._store.reader.execute(f"SELECT {_KEY} FROM key ORDER BY created_at, rowid")
        return [_key_of(row) for row in rows.fetchall()]

    async def revoke_key(self, key_id: str) -> Key:
        """Revoke by id or name. Raises `Missing`, or `Conflict` when the name is not unique."""

        def command(batch: Batch) -> Key:
            rows = batch.conn.execute(
                "SELECT id FROM key WHERE id = :it OR (name = :it AND revoked_at IS NULL)",
                {"it": key_id},
            ).fetchall()
            if not rows:
                raise Missing(f"There is no key {key_id}.")
            if len(rows) > 1:
                raise Conflict(f"{len(rows)} keys are named {key_id}: give the id of one.")
            row = batch.conn.execute(
                "UPDATE key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
                f" RETURNING {_KEY}",
                (batch.now, rows[0][0]),
            ).fetchone()
            return _key_of(row)

        return await self._store.writer.do(command)

    async def secrets(self) -> Sequence[Secret]:
        """Return the live signing secrets, the newest first."""
        conn = self._store.reader
        rows = conn.execute(_LIVE_SECRETS, (self._store.now(conn),)).fetchall()
        return [Secret(kid, key) for kid, key in rows]

    async def rotate_secret(self) -> Secret:
        """Make a new signing secret; the one before stays valid for what it has signed."""
        return await self._store.writer.do(make_secret)

    async def set_cap(self, account: str | None, model: str | None, n: int | None) -> None:
        """Limit ready + running tasks per (account, model); None is "any"; n None removes it."""

        def command(batch: Batch) -> None:
            caps.change(batch, account, model, n)

        await self._store.writer.do(command)

    async def set_profile(self, caps_by_model: Mapping[str, int]) -> None:
        """Make these the caps of any account by model, where no cap of the operator's matches."""

        def command(batch: Batch) -> None:
            caps.take_profile(batch, caps_by_model)

        await self._store.writer.do(command)

    async def requeue(self, task_id: str, why: str) -> Task:
        """RUNNING -> PENDING without a fault (or CANCELED), whatever its worker says."""
        return await self._store.move(Move.REQUEUE, task_id, Who.OPERATOR, why=why)

    async def drop(self, task_id: str, why: str) -> Task:
        """PENDING or RUNNING -> FAILED `InternalError`, whatever its worker says."""
        told = {"code": FerrotypeError.code, "message": why}
        return await self._store.move(Move.DROP, task_id, Who.OPERATOR, why=why, **told)

    async def workers(self) -> Sequence[WorkerSeen]:
        """Return the workers that are enrolled now."""
        conn = self._store.reader
        now = self._store.now(conn)
        rows = conn.execute(_WORKERS).fetchall()
        return [
            WorkerSeen(
                id=row[0],
                host=row[1],
                pid=row[2],
                version=row[3],
                models=tuple(msgspec.json.decode(row[4], type=list[str])),
                devices=tuple(msgspec.json.decode(row[5], type=list[str])),
                age=(now - row[6]) / SECOND,
            )
            for row in rows
        ]

    async def counts(self) -> dict[tuple[str, str], int]:
        """Return how many tasks there are by (model, status), expired ones left out."""

        def query(conn: sqlite3.Connection) -> dict[tuple[str, str], int]:
            rows = conn.execute(
                f"SELECT model, status, count(*) FROM task t WHERE {LIVING} GROUP BY 1, 2",
                {"now": self._store.now(conn)},
            )
            return {(model, status): n for model, status, n in rows}

        return await self._store.scan(query)

    async def stuck(self, limit: int) -> Stuck:
        """Return what is stuck, with the ids of the oldest, up to `limit`."""

        def query(conn: sqlite3.Connection) -> Stuck:
            ids = [row[0] for row in conn.execute(_STUCK, (LONELY_AFTER,))]
            return Stuck(len(ids), tuple(ids[:limit]))

        return await self._store.scan(query)

    async def set_clock_offset(self, seconds: float) -> None:
        """Move the ledger's clock, for tests; leases keep their age."""
        self._only_in_tests()
        offset = self._store.seconds(seconds)

        def command(batch: Batch) -> None:
            conn = batch.conn
            row = conn.execute("SELECT value FROM meta WHERE name = 'clock_offset'").fetchone()
            conn.execute("INSERT OR REPLACE INTO meta VALUES ('clock_offset', ?)", (offset,))
            moved = offset - (row[0] if row else 0)
            conn.execute("UPDATE worker SET seen_at = seen_at + ?", (moved,))

        await self._store.writer.do(command)

    def _only_in_tests(self) -> None:
        if not self._store.limits.test:
            raise Denied("Only a ledger that was opened for tests does this.")


def _key_of(row: Any) -> Key:
    return Key(
        id=row[0],
        account=row[1],
        name=row[2],
        hint=row[3],
        scope=row[4],
        priority=row[5],
        created_at=moment(row[6]),
        expires_at=None if row[7] is None else moment(row[7]),
        revoked_at=None if row[8] is None else moment(row[8]),
    )


def make_secret(batch: Batch) -> Secret:
    """Make the newest secret; older ones end when the last URL that they signed does."""
    conn = batch.conn
    conn.execute(
        "UPDATE secret SET until_at = max(?, coalesce((SELECT max(expires_at) FROM task"
        " WHERE expires_at IS NOT NULL), 0)) WHERE until_at IS NULL",
        (batch.expires,),
    )
    made = Secret(f"fk{secrets.token_hex(8)}", secrets.token_bytes(32))
    newest = conn.execute("SELECT coalesce(max(from_at), 0) FROM secret").fetchone()[0]
    conn.execute(
        "INSERT INTO secret (kid, bytes, from_at) VALUES (?, ?, ?)",
        (made.kid, made.bytes, max(batch.now, newest + 1)),
    )
    return made


def ensure_secret(batch: Batch) -> None:
    """Make the first secret when there is none."""
    if batch.conn.execute("SELECT 1 FROM secret WHERE until_at IS NULL").fetchone() is None:
        make_secret(batch)
