"""Held tasks whose time has come."""

from collections.abc import Callable, Collection

from ferrotype.ledgers.postgres import lanes
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.rows import NOW
from ferrotype.task import Move, Who

DUE = f"""SELECT id, account, model FROM task WHERE status = 'PENDING' AND not_before IS NOT NULL
    AND not_before <= {NOW} ORDER BY not_before LIMIT 100"""
LOCK = """SELECT id, attempt FROM task WHERE id = ANY($1) AND status = 'PENDING' AND turn IS NULL
    AND not_before <= ledger_now() ORDER BY not_before, n FOR UPDATE SKIP LOCKED"""


async def admit_due(conn: Connection, ring: Callable[[Collection[str]], None]) -> int:
    """Make up to a hundred due tasks ready, or leave them held by their lane; say how many."""
    groups: dict[tuple[str, str], list[str]] = {}
    for task_id, account, model in await conn.fetch(DUE):
        groups.setdefault((account, model), []).append(task_id)
    looked_at = 0
    for lane, ids in sorted(groups.items()):
        async with conn.transaction():
            looked_at += await _admit_lane(conn, lane, ids)
    ring({f"work:{model}" for _, model in groups})
    return looked_at


async def _admit_lane(conn: Connection, lane: tuple[str, str], ids: list[str]) -> int:
    cap = await lanes.cap_of(conn, *lane)
    taken = await lanes.lock(conn, *lane) if cap else 0
    rows = await conn.fetch(LOCK, ids)
    room = len(rows) if cap is None else max(0, cap - taken)
    ready, full = rows[:room], rows[room:]
    if full:
        names = [row["id"] for row in full]
        await conn.execute("UPDATE task SET not_before = NULL WHERE id = ANY($1)", names)
    if cap is not None:
        await lanes.take(conn, *lane, len(ready))
    slot = cap is not None
    await lanes.admit(conn, Move.DUE, lane[0], ready, slot=slot, who=Who.JANITOR)
    return len(rows)
