"""Caps that change while tasks wait: a sweep over the open tasks brings their lanes in line."""

from collections.abc import Mapping, Sequence
from typing import Any

from ferrotype.ledgers.postgres import lanes
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.store import Store
from ferrotype.task import Move, Status, Who

CHUNK = 1_000  # row numbers that one step of a sweep looks at
_BEGIN = "INSERT INTO cap_sweep (upto) VALUES (0) ON CONFLICT (one) DO UPDATE SET upto = 0"
_OPEN = """SELECT DISTINCT account, model FROM task
    WHERE n > $1 AND n <= $2 AND status IN ('PENDING', 'RUNNING') ORDER BY 1, 2"""
_LANE = """SELECT n, id, attempt, status, turn IS NOT NULL AS ready, not_before, slot FROM task
    WHERE n > $1 AND n <= $2 AND status IN ('PENDING', 'RUNNING') AND account = $3 AND model = $4
    ORDER BY n FOR UPDATE"""
_ON = """UPDATE cap_sweep SET upto = $2 WHERE upto = $1
    AND $2 < (SELECT coalesce(max(n), 0) FROM task) RETURNING upto"""


async def change(conn: Connection, account: str | None, model: str | None, n: int | None) -> None:
    """Set, change or remove a cap; sweeps bring the tasks that wait in line with it."""
    await conn.execute(
        "DELETE FROM cap WHERE account IS NOT DISTINCT FROM $1 AND model IS NOT DISTINCT FROM $2"
        " AND NOT profile",
        account,
        model,
    )
    if n is not None:
        await conn.execute(
            "INSERT INTO cap (account, model, n) VALUES ($1, $2, $3)", account, model, n
        )
    await conn.execute(_BEGIN)


async def take_profile(conn: Connection, wanted: Mapping[str, int]) -> None:
    """Make these the caps (by model, for any account) that stand where the operator set none."""
    await conn.execute("LOCK TABLE cap IN SHARE ROW EXCLUSIVE MODE")
    rows = await conn.fetch("SELECT model, n FROM cap WHERE profile")
    if {row["model"]: row["n"] for row in rows} == dict(wanted):
        return
    await conn.execute("DELETE FROM cap WHERE profile")
    await conn.executemany(
        "INSERT INTO cap (account, model, n, profile) VALUES (NULL, $1, $2, true)", wanted.items()
    )
    await conn.execute(_BEGIN)


async def sweep_all(store: Store) -> int:
    """Bring all open tasks in line if caps have changed; return how many were made ready."""
    admitted = 0
    while (upto := await store.database.value("SELECT upto FROM cap_sweep")) is not None:
        for account, model in await store.database.fetch(_OPEN, upto, upto + CHUNK):
            admitted += await _sweep_lane(store, upto, account, model)
        if await store.database.value(_ON, upto, upto + CHUNK) is None:
            await store.database.fetch("DELETE FROM cap_sweep WHERE upto = $1", upto)
    return admitted


async def _sweep_lane(store: Store, upto: int, account: str, model: str) -> int:
    async def work(conn: Connection) -> int:
        cap = await lanes.cap_of(conn, account, model)
        taken = await lanes.lock(conn, account, model)
        rows = await conn.fetch(_LANE, upto, upto + CHUNK, account, model)
        changes = _align([row for row in rows if _has_place(row)], cap, taken)
        await conn.execute(
            "UPDATE task SET slot = g.slot, turn = CASE WHEN g.ready THEN task.turn END"
            " FROM unnest($1::bigint[], $2::bool[], $3::bool[]) AS g(n, slot, ready)"
            " WHERE task.n = g.n",
            [row["n"] for row, _, _ in changes],
            [slot for _, slot, _ in changes],
            [ready for _, _, ready in changes],
        )
        gained = sum(slot - row["slot"] for row, slot, _ in changes)
        held = await lanes.held(conn, account, model, CHUNK)
        if cap is not None:
            held = held[: max(0, cap - taken - gained)]
            gained += len(held)
        await lanes.take(conn, account, model, gained)
        slot = cap is not None
        return await lanes.admit(conn, Move.ADMIT, account, held, slot=slot, who=Who.JANITOR)

    admitted = await store.change(work)
    if admitted:
        store.ring({f"work:{model}"})
    return admitted


def _has_place(row: Any) -> bool:
    return bool(row["ready"]) or row["status"] == Status.RUNNING


def _align(rows: Sequence[Any], cap: int | None, taken: int) -> Sequence[tuple[Any, bool, bool]]:
    """Return the rows whose place changes, with (slot, ready) as they are then to be."""
    changes: list[tuple[Any, bool, bool]] = []
    for row in rows:
        if cap is None:
            if row["slot"]:
                changes.append((row, False, row["ready"]))
        elif row["status"] == Status.RUNNING:  # never stopped for a cap: counted, over or not
            if not row["slot"]:
                changes.append((row, True, False))
                taken += 1
        elif row["slot"] and taken > cap:
            changes.append((row, False, False))
            taken -= 1
        elif not row["slot"]:
            fits = taken < cap
            changes.append((row, fits, fits))
            taken += fits
    return changes
