"""Who may go next: lanes bound how many, turns say in which order.

A PENDING task is *ready* (it has a turn) or *held* (its lane is full, or it waits for its time).
Locks are taken in one order everywhere: lane, tasks by their number, account.
"""

from collections.abc import Sequence
from typing import Any

from ferrotype.ledgers.guards import guard_of
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.task import RULES, Move, Who

CAP = """(SELECT c.n FROM cap c
    WHERE (c.account = {account} OR c.account IS NULL) AND (c.model = {model} OR c.model IS NULL)
    ORDER BY c.profile, c.account IS NULL, c.model IS NULL LIMIT 1)"""
FRONT = """coalesce((SELECT turn FROM task WHERE status = 'PENDING' AND turn IS NOT NULL
    ORDER BY turn LIMIT 1), (SELECT max(finish) FROM account), 0.0)"""
HELD = """SELECT id, attempt FROM task WHERE account = $1 AND model = $2 AND status = 'PENDING'
    AND turn IS NULL AND not_before IS NULL ORDER BY priority DESC, n LIMIT $3 FOR UPDATE"""
ACCOUNT = f"""SELECT weight, greatest(finish, {FRONT}) AS start, {FRONT} AS front
    FROM account WHERE id = $1 FOR UPDATE"""
_PAY = "UPDATE account SET finish = $2 WHERE id = $1"
_ALSO = {Move.ADMIT: "true", Move.DUE: "t.not_before <= ledger_now()"}
ADMIT = {
    move: f"""WITH m AS (UPDATE task t SET turn = g.turn, slot = $3, not_before = NULL
        FROM unnest($1::text[], $2::float8[]) AS g(id, turn)
        WHERE t.id = g.id AND t.turn IS NULL AND {guard_of(RULES[move], row="t.")} AND {also}
        RETURNING t.n, t.attempt)
    INSERT INTO event (n, attempt, move, at, who, why)
        SELECT n, attempt, '{move}', ledger_now(), $4, '' FROM m RETURNING n"""
    for move, also in _ALSO.items()
}


async def cap_of(conn: Connection, account: str, model: str) -> int | None:
    """Return how many tasks the lane may hold, or None where there is no lane."""
    query = f"SELECT {CAP.format(account='$1', model='$2')}"
    cap: int | None = await conn.fetchval(query, account, model)
    return cap


async def lock(conn: Connection, account: str, model: str) -> int:
    """Lock a lane, made if need be, and return how many of its slots are taken."""
    await conn.execute(
        "INSERT INTO lane (account, model, taken) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
        account,
        model,
    )
    taken: int = await conn.fetchval(
        "SELECT taken FROM lane WHERE account = $1 AND model = $2 FOR UPDATE", account, model
    )
    return taken


async def take(conn: Connection, account: str, model: str, slots: int) -> None:
    """Take slots of a lane that is locked, or give them back (a negative number)."""
    if slots:
        await conn.execute(
            "UPDATE lane SET taken = taken + $3 WHERE account = $1 AND model = $2",
            account,
            model,
            slots,
        )


async def held(conn: Connection, account: str, model: str, most: int) -> Sequence[Any]:
    """Lock and return (id, attempt) of those that wait for a slot before all others."""
    return await conn.fetch(HELD, account, model, most) if most > 0 else ()


async def admit(
    conn: Connection, move: Move, account: str, rows: Sequence[Any], *, slot: bool, who: Who
) -> int:
    """Make held tasks of an account ready; (id, attempt) of each, which are locked.

    A task's first turn is paid for by the account; one that comes back goes to the front.
    """
    if not rows:
        return 0
    paying = await conn.fetchrow(ACCOUNT, account)
    assert paying is not None
    start, turns = paying["start"], []
    for _, attempt in rows:
        if attempt:
            turns.append(paying["front"])
        else:
            turns.append(start)
            start += 1 / paying["weight"]
    await conn.execute(_PAY, account, start if start > paying["start"] else paying["start"])
    ids = [row[0] for row in rows]
    return len(await conn.fetch(ADMIT[move], ids, turns, slot, str(who)))


async def leave(conn: Connection, account: str, model: str, slots: int) -> int:
    """Give slots of a lane back, which is locked, and admit as many as they let in."""
    taken: int = await conn.fetchval(
        "UPDATE lane SET taken = taken - $3 WHERE account = $1 AND model = $2 RETURNING taken",
        account,
        model,
        slots,
    )
    cap = await cap_of(conn, account, model)
    room = slots if cap is None else min(slots, cap - taken)
    rows = await held(conn, account, model, room)
    if cap is not None:
        await take(conn, account, model, len(rows))
    return await admit(conn, Move.ADMIT, account, rows, slot=cap is not None, who=Who.SERVICE)
