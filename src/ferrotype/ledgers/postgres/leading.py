"""What only one process does at a time: a row says who, and until when if he says nothing more.

A row, not an advisory lock: it needs no connection of its own, and works behind a pooler too.
Should two believe to lead for a moment, nothing is lost: all that leaders do is guarded.
"""

from datetime import timedelta
from time import monotonic

from ferrotype.ledgers.postgres.store import Store

TERM = timedelta(seconds=10)
LOOK = 2.0  # seconds between two looks at who leads, for those who do not
_LOOK = """SELECT holder = $2 AS mine, until_at - clock_timestamp() AS left
    FROM leader WHERE role = $1"""
_TAKE = """INSERT INTO leader (role, holder, until_at) VALUES ($1, $2, clock_timestamp() + $3)
    ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, until_at = excluded.until_at
    WHERE leader.holder = excluded.holder OR leader.until_at <= clock_timestamp()
    RETURNING holder"""
_LEAVE = "DELETE FROM leader WHERE holder = $1"


async def lead(store: Store, role: str) -> bool:
    """Lead in a role for another term, unless somebody else does."""
    if monotonic() < store.led_until.get(role, 0.0):
        return False
    row = await store.database.row(_LOOK, role, store.name)
    if row is not None and row["left"] > timedelta():
        if not row["mine"]:
            store.led_until[role] = monotonic() + min(LOOK, row["left"].total_seconds())
            return False
        if row["left"] > TERM / 2:
            return True
    return await store.database.value(_TAKE, role, store.name, TERM) is not None


async def leave(store: Store) -> None:
    """Let others lead at once."""
    await store.database.fetch(_LEAVE, store.name)
