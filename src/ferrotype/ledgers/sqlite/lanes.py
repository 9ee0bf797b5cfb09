"""Who may go next: lanes bound how many, turns say in which order.

A PENDING task is *ready* (it has a turn) or *held* (its lane is full, or it waits for its time).
Nothing that cannot be claimed now is ever in the index that claims look at.
"""

import sqlite3

CAP = """(SELECT c.n FROM cap c
    WHERE (c.account = :account OR c.account IS NULL) AND (c.model = :model OR c.model IS NULL)
    ORDER BY c.profile, c.account IS NULL, c.model IS NULL LIMIT 1)"""
VIRTUAL_TIME = """coalesce(
    (SELECT min(turn) FROM task WHERE status = 'PENDING' AND turn IS NOT NULL),
    (SELECT max(finish) FROM account), 0.0)"""

UNBOUNDED = (1 << 63) - 1
NEXT_HELD = """SELECT id FROM task WHERE account = ? AND model = ? AND status = 'PENDING'
    AND turn IS NULL AND not_before IS NULL ORDER BY priority DESC, n LIMIT 1"""


def cap_of(conn: sqlite3.Connection, account: str, model: str) -> int | None:
    """Return how many tasks the lane may hold, or None where there is no lane."""
    cap: int | None = conn.execute(
        f"SELECT {CAP}", {"account": account, "model": model}
    ).fetchone()[0]
    return cap


def enter(conn: sqlite3.Connection, account: str, model: str, cap: int) -> bool:
    """Take a slot of the lane, or return False: it is full."""
    row = conn.execute(
        "INSERT INTO lane (account, model, taken) SELECT :account, :model, 1 WHERE :cap > 0"
        " ON CONFLICT DO UPDATE SET taken = taken + 1 WHERE taken < :cap RETURNING taken",
        {"account": account, "model": model, "cap": cap},
    ).fetchone()
    return row is not None


def front(conn: sqlite3.Connection) -> float:
    """Return the turn that is next now."""
    turn: float = conn.execute(f"SELECT {VIRTUAL_TIME}").fetchone()[0]
    return turn


def pay(conn: sqlite3.Connection, account: str) -> float:
    """Give the account its next turn (start-time fair queueing), and move its finish on."""
    weight, finish, now = conn.execute(
        f"SELECT weight, finish, {VIRTUAL_TIME} FROM account WHERE id = ?", (account,)
    ).fetchone()
    start: float = max(finish, now)
    conn.execute("UPDATE account SET finish = ? WHERE id = ?", (start + 1 / weight, account))
    return start


def taken(conn: sqlite3.Connection, account: str, model: str) -> int:
    """Return how many slots of the lane are taken."""
    row = conn.execute(
        "SELECT taken FROM lane WHERE account = ? AND model = ?", (account, model)
    ).fetchone()
    return row[0] if row else 0


def leave(conn: sqlite3.Connection, account: str, model: str) -> None:
    """Give a slot of the lane back."""
    conn.execute(
        "UPDATE lane SET taken = taken - 1 WHERE account = ? AND model = ?", (account, model)
    )


def next_held(conn: sqlite3.Connection, account: str, model: str) -> str | None:
    """Return the task that waits for a slot of the lane before all others, or None."""
    row = conn.execute(NEXT_HELD, (account, model)).fetchone()
    return None if row is None else str(row[0])
