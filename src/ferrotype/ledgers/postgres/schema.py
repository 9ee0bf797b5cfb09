"""How the database's schema goes from one version to the next, while older processes serve."""

import re
from collections.abc import Sequence
from importlib import resources

import asyncpg

from ferrotype.errors import Broken, Missing
from ferrotype.ledgers.postgres.database import Connection

OLDEST_SERVER = 13
LOCK = 0x0FE220  # of the advisory lock under which one process migrates
LONGEST = 86_400.0  # seconds that one migration may take: a large table's index takes minutes
WAIT = "3s"  # for a table's lock: behind a migration that waits longer, everybody waits
_META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_PUT = "INSERT INTO meta VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_HEAD = re.compile(r"-- oldest: (\d+)\n")


def migrations() -> Sequence[tuple[int, int, str]]:
    """Return (number, oldest, SQL) of each migration, in order.

    `oldest` is the schema for which a process may have been written that serves on after it.
    """
    folder = resources.files("ferrotype.ledgers.postgres") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=str)
    found = []
    for file in files:
        script = file.read_text()
        head = _HEAD.match(script)
        assert head, f"{file.name} must begin with the oldest schema that it serves"
        found.append((int(file.name[:4]), int(head[1]), script))
    return found


async def prepare(conn: Connection, *, migrate: bool) -> None:
    """Make sure that the database serves our schema, or refuse in one sentence (`Broken`).

    What is missing is made by whoever comes first, one transaction a migration; a newer schema is
    fine as long as it says that it serves ours. Raises `Missing` for none that may be made, and
    `LockNotAvailableError` when a table stays busy: try again.
    """
    if conn.get_server_version().major < OLDEST_SERVER:
        raise Broken(f"The database's server is too old: PostgreSQL {OLDEST_SERVER} or newer.")
    encoding = conn.get_settings().server_encoding
    if encoding != "UTF8":
        raise Broken(
            f"The database cannot hold every prompt: it has encoding {encoding}, not UTF8."
        )
    steps = migrations()
    wanted = steps[-1][0]
    have, oldest = await _version(conn)
    if not have and not migrate:
        raise Missing("There is no ledger in the database: an api, a worker or a key makes it.")
    if have < wanted and not migrate:
        raise Broken(
            f"The database has schema {have}, not {wanted}: an api or a worker of this version"
            " brings it there."
        )
    for number, serves, script in steps:
        if number > have:
            await _apply(conn, number, serves, script)
    have, oldest = await _version(conn)
    if oldest > wanted:
        raise Broken(
            f"The database was migrated by a newer Ferrotype (schema {have}, which serves"
            f" {oldest} and newer; this one knows {wanted}): upgrade."
        )


async def _version(conn: Connection) -> tuple[int, int]:
    """Return the number of the last migration, and the oldest schema that it serves."""
    try:
        rows = await conn.fetch("SELECT name, value FROM meta WHERE name IN ('schema', 'oldest')")
    except asyncpg.UndefinedTableError:
        return 0, 0
    told = {row["name"]: int(row["value"]) for row in rows}
    return told.get("schema", 0), told.get("oldest", 0)


async def _apply(conn: Connection, number: int, oldest: int, script: str) -> None:
    """Make one migration, unless somebody else did meanwhile."""
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await conn.execute(f"SET LOCAL lock_timeout = '{WAIT}'")
        await conn.execute("SET LOCAL statement_timeout = 0")
        await conn.execute(_META)
        have, _ = await _version(conn)
        if have >= number:
            return
        await conn.execute(script, timeout=LONGEST)
        await conn.execute(_PUT, "schema", str(number))
        await conn.execute(_PUT, "oldest", str(oldest))
