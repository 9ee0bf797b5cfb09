"""Caps that change while tasks wait: a sweep over the open tasks brings their lanes in line.

`meta.cap_sweep` is the row number up to which it has come; it is there only while one goes on.
"""

import sqlite3
from collections.abc import Mapping

from ferrotype.ledgers.sqlite import lanes, moves
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.task import Move, Status, Who

CHUNK = 1_000  # row numbers that one write looks at
OPEN = """SELECT id, account, model, status, turn IS NOT NULL, not_before IS NOT NULL, slot
    FROM task WHERE n > ? AND n <= ? AND status IN ('PENDING', 'RUNNING') ORDER BY n"""


def change(batch: Batch, account: str | None, model: str | None, n: int | None) -> None:
    """Set, change or remove a cap; sweeps bring the tasks that wait in line with it."""
    conn = batch.conn
    conn.execute(
        "DELETE FROM cap WHERE account IS ? AND model IS ? AND profile = 0", (account, model)
    )
    if n is not None:
        conn.execute("INSERT INTO cap (account, model, n) VALUES (?, ?, ?)", (account, model, n))
    conn.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('cap_sweep', 0)")


def take_profile(batch: Batch, wanted: Mapping[str, int]) -> None:
    """Make these the caps (by model, for any account) that stand where the operator set none."""
    conn = batch.conn
    rows = conn.execute("SELECT model, n FROM cap WHERE profile = 1").fetchall()
    if dict(rows) == dict(wanted):
        return
    conn.execute("DELETE FROM cap WHERE profile = 1")
    conn.executemany(
        "INSERT INTO cap (account, model, n, profile) VALUES (NULL, ?, ?, 1)", wanted.items()
    )
    conn.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('cap_sweep', 0)")


def changed(conn: sqlite3.Connection) -> bool:
    """Return whether a sweep has still to go on."""
    return conn.execute("SELECT 1 FROM meta WHERE name = 'cap_sweep'").fetchone() is not None


def sweep(batch: Batch) -> int:
    """Bring the next chunk of tasks in line; return how many were made ready."""
    conn = batch.conn
    row = conn.execute("SELECT value FROM meta WHERE name = 'cap_sweep'").fetchone()
    if row is None:
        return 0
    upto = row[0] + CHUNK
    admitted = sum(_align(batch, *task) for task in conn.execute(OPEN, (row[0], upto)).fetchall())
    if upto < conn.execute("SELECT coalesce(max(n), 0) FROM task").fetchone()[0]:
        conn.execute("UPDATE meta SET value = ? WHERE name = 'cap_sweep'", (upto,))
    else:
        conn.execute("DELETE FROM meta WHERE name = 'cap_sweep'")
    return admitted


def _align(
    batch: Batch,
    task_id: str,
    account: str,
    model: str,
    status: str,
    ready: bool,
    waits: bool,
    slot: bool,
) -> bool:
    """Give a task the slot that it needs now, or take it; True when that made it ready."""
    conn = batch.conn
    cap = lanes.cap_of(conn, account, model)
    if status == Status.PENDING and not ready:
        return not waits and moves.admit(batch, Move.ADMIT, task_id, Who.JANITOR)
    if cap is None and slot:
        lanes.leave(conn, account, model)
        conn.execute("UPDATE task SET slot = 0 WHERE id = ?", (task_id,))
    elif cap is not None and not slot:
        running = status == Status.RUNNING  # never stopped for a cap: it is counted, over or not
        if lanes.enter(conn, account, model, lanes.UNBOUNDED if running else cap):
            conn.execute("UPDATE task SET slot = 1 WHERE id = ?", (task_id,))
        else:
            conn.execute("UPDATE task SET turn = NULL WHERE id = ?", (task_id,))
    elif cap is not None and ready and lanes.taken(conn, account, model) > cap:
        lanes.leave(conn, account, model)
        conn.execute("UPDATE task SET turn = NULL, slot = 0 WHERE id = ?", (task_id,))
    return False
