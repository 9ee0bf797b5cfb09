"""Fills a ledger with many waiting tasks: a few by its own `add`, the rest as copies of their rows.

Half of them ask for the model `PLAIN`, which has no lanes; half for `LANED`, where each account may
have `CAP` tasks ready or running: the others of its tasks are held.
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from bench.ledger import ledger_of, new_task

Owned = tuple[str, str]  # account and id of a task

PLAIN, LANED = "wan2.5-t2i-preview", "wanx-v1"
ACCOUNTS = 100
CAP = 4
OWNER = "bench-0"  # the first account
PROMPT = "a red kite over a meadow"
_TASK_COPY = """INSERT INTO task ({columns})
    WITH RECURSIVE copy(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM copy WHERE i < :times)
    SELECT {values} FROM copy CROSS JOIN task t WHERE t.n <= :originals"""
_BODY_COPY = """INSERT INTO body ({columns})
    SELECT {values} FROM task t JOIN body b ON b.n = 1 + (t.n - 1) % :originals
    WHERE t.n > :originals"""


async def fill(data: Path, tasks: int) -> None:
    """Make a ledger in `data` with so many tasks (a multiple of 1,000) of `ACCOUNTS` accounts."""
    async with ledger_of(data, migrate=True) as ledger:
        accounts = [await ledger.make_account(f"bench-{i}") for i in range(ACCOUNTS)]
        await ledger.set_cap(None, LANED, CAP)
        for model in (PLAIN, LANED):
            for _ in range(CAP + 1):
                for account in accounts:
                    await ledger.add(new_task(account, model, PROMPT))
    originals = 2 * (CAP + 1) * ACCOUNTS
    if tasks == originals:
        return
    with closing(sqlite3.connect(data / "ledger.db", isolation_level=None)) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        _multiply(conn, originals, tasks // originals - 1)


def _multiply(conn: sqlite3.Connection, originals: int, times: int) -> None:
    """Copy rows: plain ones are ready, one turn later each; of a lane's, none but the first are."""
    given = {"originals": originals, "times": times}
    other = {
        "n": "t.n + copy.i * :originals",
        "id": "lower(hex(randomblob(18)))",
        "turn": f"iif(t.model = '{PLAIN}', t.turn + copy.i * {CAP + 1}, NULL)",
        "slot": "0",
    }
    conn.execute("BEGIN")
    conn.execute(_copying(conn, _TASK_COPY, "task", "t", other), given)
    conn.execute(_copying(conn, _BODY_COPY, "body", "b", {"n": "t.n"}), given)
    conn.execute("UPDATE account SET open = (SELECT count(*) FROM task t WHERE t.account = id)")
    conn.execute("COMMIT")
    conn.execute("PRAGMA synchronous = FULL")  # or the first measured commit pays for all this
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copying(
    conn: sqlite3.Connection, sql: str, table: str, alias: str, other: dict[str, str]
) -> str:
    columns = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
    values = [other.get(column, f"{alias}.{column}") for column in columns]
    return sql.format(columns=", ".join(columns), values=", ".join(values))


def some_tasks(path: Path, number: int, account: str | None = None) -> list[Owned]:
    """Return (account, id) of tasks at random, of all accounts or of one."""
    with closing(sqlite3.connect(path)) as conn:
        rows = conn.execute(
            "SELECT account, id FROM task WHERE :account IS NULL OR account = :account",
            {"account": account},
        ).fetchall()
    return random.choices(rows, k=number)
