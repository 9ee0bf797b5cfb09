"""The database file: how it is opened, and how its schema goes from one version to the next."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from ferrotype.errors import Broken, Occupied
from ferrotype.ledgers.sqlite.locks import BatchLock, FileLock

LOG_SIZE = 32 << 20  # bytes that the write-ahead log keeps of its disk once it starts anew
OLDEST = (3, 37, 0)  # RETURNING, STRICT


def migrations() -> Sequence[tuple[int, str]]:
    """Return (number, SQL) of each migration, in order."""
    folder = resources.files("ferrotype.ledgers.sqlite") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=str)
    return [(int(file.name[:4]), file.read_text()) for file in files]


def connect(path: Path, *, read_only: bool, patience: float) -> sqlite3.Connection:
    """Open a connection. Only under the batch lock."""
    conn = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=patience, cached_statements=256
    )
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    conn.execute("PRAGMA wal_autocheckpoint = 0")
    conn.execute(f"PRAGMA journal_size_limit = {LOG_SIZE}")
    conn.execute("PRAGMA cache_size = -16384")
    conn.execute(f"PRAGMA query_only = {int(read_only)}")
    return conn


def version_of(path: Path) -> int:
    """Return the number of the last migration that a database has had; 0 when there is none."""
    if not path.exists():
        return 0
    conn = sqlite3.connect(path)
    try:
        version: int = conn.execute("PRAGMA user_version").fetchone()[0]
    finally:
        conn.close()
    return version


def prepare(
    path: Path, schema: FileLock, batches: BatchLock, *, migrate: bool, patience: float
) -> None:
    """Make sure that the database has our schema, or refuse in one sentence.

    `schema` is the shared lock that every process holds; a migration needs it alone.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise Broken(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or newer is needed.")
    if _is_current(path, batches, migrate, patience):
        return
    alone = schema.retake(shared=False, patience=patience)
    others = schema.holders()
    if alone:
        with batches.held(patience):
            _migrate(path, version_of(path))
    schema.retake(shared=True)
    if not _is_current(path, batches, migrate, patience):
        pids = ", ".join(str(pid) for pid in others) or "unknown"
        raise Occupied(f"The ledger cannot be migrated, older processes still run: pid {pids}.")


def _is_current(path: Path, batches: BatchLock, migrate: bool, patience: float) -> bool:
    wanted = migrations()[-1][0]
    with batches.held(patience):
        have = version_of(path)
    if have > wanted:
        raise Broken(
            f"{path} was written by a newer Ferrotype (schema {have}, this one knows {wanted}):"
            " upgrade, or restore a backup."
        )
    if have < wanted and not migrate:
        raise Broken(f'{path} has schema {have}, not {wanted}: "ferrotype serve" migrates it.')
    return have == wanted


def _migrate(path: Path, have: int) -> None:
    """Apply what is missing, one transaction a migration, after a copy of what there is."""
    if have:
        backups = path.parent / "backups"
        backups.mkdir(mode=0o700, exist_ok=True)
        copy = backups / f"ledger-schema{have}-{datetime.now(UTC):%Y%m%dT%H%M%S}.db"
        conn = sqlite3.connect(path, isolation_level=None)
        try:
            conn.execute("VACUUM INTO ?", (str(copy),))
        finally:
            conn.close()
    else:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    conn = connect(path, read_only=False, patience=0)
    try:
        for number, script in migrations():
            if number > have:
                _apply(conn, number, script)
    finally:
        conn.close()


def _apply(conn: sqlite3.Connection, number: int, script: str) -> None:
    conn.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(script):
            conn.execute(statement)
        conn.execute(f"PRAGMA user_version = {number}")
        conn.execute("COMMIT")
    except BaseException:
        conn.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """Split a script; `executescript` would commit before it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
