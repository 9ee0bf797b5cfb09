"""Every move as one guarded statement, for many tasks at once.

A statement locks its tasks in the order of their numbers, moves those whose guard holds, and writes
their events, results and letters. Tasks that hold a slot of a lane need more, within a transaction
that has locked the lane first; the others are done with the one statement.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from ferrotype.errors import Conflict
from ferrotype.ledgers.guards import guard_of, targets_of
from ferrotype.ledgers.postgres import lanes
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.rows import TASK, columns
from ferrotype.task import (
    FAULT_PAUSES,
    FINAL,
    LONELY_AFTER,
    LONELY_PAUSE,
    RULES,
    TOLD,
    Move,
    Status,
    Who,
)

_ALSO: Mapping[Move, str] = {Move.ABANDON: "t.attended_until <= k.now"}
_SETS: Mapping[Move, str] = {  # what a move writes, besides status, end and what follows from them
    Move.SUCCEED: "progress = 1",
    Move.ASK_STOP: "stop_at = coalesce(t.stop_at, k.now)",
    Move.FAULT: "faults = t.faults + 1",
}


class Step(NamedTuple):
    """One task's part of a move. `made` and `used`: the result of one that succeeded, and
    the numbers of its usage, as JSON."""

    id: str
    attempt: int | None = None
    worker: str | None = None
    code: str | None = None
    message: str | None = None
    why: str = ""
    made: str | None = None
    used: str | None = None


def _status(move: Move) -> str:
    cases = targets_of(RULES[move], row="t.")
    return "CASE " + " ".join(f"WHEN {when} THEN '{to}'" for when, to in cases) + " END"


def _when(move: Move, statuses: Collection[Status]) -> str:
    """Return the condition under which a move leads to one of these."""
    among = ", ".join(f"'{status}'" for status in sorted(statuses))
    return f"({_status(move)}) IN ({among})"


def _returning(move: Move) -> str:
    """What is written about a task that ran and is PENDING again: ready, or held for a while."""
    back, lonely = _when(move, {Status.PENDING}), f"t.attempt >= {LONELY_AFTER}"
    pause = f"CASE WHEN {lonely} THEN {LONELY_PAUSE} ELSE 0 END"
    if move is Move.FAULT:
        faults = " ".join(f"WHEN {n} THEN {pause}" for n, pause in enumerate(FAULT_PAUSES))
        pause = f"greatest({pause}, CASE t.faults {faults} ELSE 0 END)"
    return (
        f"turn = CASE WHEN {back} AND {pause} = 0 THEN k.front END,"
        f" not_before = CASE WHEN {back} AND {pause} > 0 THEN k.now + {pause} * interval '1 s' END,"
        f" alone = {back} AND {lonely}"
    )


def _sets(move: Move) -> str:
    """Return what a move writes of its tasks."""
    rule = RULES[move]
    targets = {to for _, to in targets_of(rule)}
    sets = [f"status = {_status(move)}"]
    if move in _SETS:
        sets.append(_SETS[move])
    if Status.RUNNING in rule.sources and Status.PENDING in targets:
        sets.append(_returning(move))
    if targets & FINAL:
        ends = _when(move, FINAL)
        sets.append(f"end_at = CASE WHEN {ends} THEN k.now END")
        sets.append(f"expires_at = CASE WHEN {ends} THEN k.now + k.lives END")
    if Status.FAILED in targets:
        fails = _when(move, {Status.FAILED})
        sets.append(f"code = CASE WHEN {fails} THEN g.code END")
        sets.append(f"message = CASE WHEN {fails} THEN g.message END")
    return ", ".join(sets)


@cache
def statement(move: Move, *, slots: bool, letters: bool) -> str:
    """Return a move's statement: for tasks without a slot, or (`slots`) for any.

    $1 to $8 are the columns of `Step`, $9 who, $10 the retention; with `letters`, $11 is whom to
    tell of ends. Only what the move can come to is in it: each part costs, even with nothing to do.
    """
    targets = {to for _, to in targets_of(RULES[move])}
    letters = letters and bool(targets & TOLD)
    returns = Status.RUNNING in RULES[move].sources and Status.PENDING in targets
    guards = [guard_of(RULES[move], row="t.", given="g."), _ALSO.get(move, "true")]
    if not slots:
        guards.append("NOT t.slot")
    parts = [
        f"""c AS MATERIALIZED (SELECT n FROM task WHERE id = ANY($1)
            {"AND (SELECT count(*) FROM l) >= 0" if slots else ""} ORDER BY n FOR UPDATE)""",
        f"""k AS MATERIALIZED (SELECT ledger_now() AS now, {lanes.FRONT if returns else 0} AS front,
            $10::interval AS lives FROM (SELECT count(*) FROM c) AS locked)""",
        _GIVEN,
        f"""m AS (UPDATE task t SET {_sets(move)} FROM c, k, g, body b
            WHERE t.n = c.n AND b.n = c.n AND g.id = t.id AND {" AND ".join(guards)}
            RETURNING {TASK}, t.n, t.slot, t.worker, t.turn, b.request_id, g.why, g.made, g.used,
                t.attended_until)""",
        f"""e AS (INSERT INTO event (n, attempt, move, at, who, why)
            SELECT m.n, m.attempt, '{move}', k.now, $9::text, m.why FROM m, k)""",
    ]
    parts = [*([_LANES] if slots else []), *parts]
    parts += [_FREED] if targets & FINAL else []
    parts += [_LETTERS] if letters else []
    parts += [_RESULTS] if move is Move.SUCCEED else []
    kid, join = ("r.kid", "LEFT JOIN r USING (n)") if move is Move.SUCCEED else ("NULL AS kid", "")
    told = "EXISTS (SELECT 1 FROM x WHERE x.task = m.id)" if letters else "false"
    return f"WITH {', '.join(parts)} SELECT m.*, {kid}, {told} AS told FROM m {join}"


_LANES = """l AS MATERIALIZED (SELECT 1 FROM lane
    WHERE (account, model) IN (SELECT account, model FROM task WHERE id = ANY($1))
    ORDER BY account, model FOR UPDATE)"""
_GIVEN = """g AS (SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[],
    $6::text[], $7::text[], $8::text[])
    AS g(id, attempt, worker, code, message, why, made, used))"""
_FREED = f"""a AS (INSERT INTO freed (account, n) SELECT account, count(*) FROM m
    WHERE status IN ({", ".join(f"'{status}'" for status in sorted(FINAL))}) GROUP BY account)"""
_LETTERS = f"""x AS (INSERT INTO letter (event, url, task, account, key, model, route, request_id,
        status, start_at, end_at, due_at)
    SELECT told.event, u.url, told.id, told.account, told.key, told.model, told.route,
        told.request_id, told.status, told.first_claim_at, told.end_at, told.end_at
    FROM (SELECT m.*, gen_random_uuid()::text AS event FROM m
        WHERE m.status IN ({", ".join(f"'{status}'" for status in sorted(TOLD))})
            AND m.attended_until IS NULL OFFSET 0) AS told, unnest($11::text[]) AS u(url)
    RETURNING task)"""
_RESULTS = """r AS (INSERT INTO result (n, made, used, kid)
    SELECT m.n, m.made, m.used::json, (SELECT kid FROM secret ORDER BY n DESC LIMIT 1)
    FROM m RETURNING n, kid)"""


class Told(NamedTuple):
    """What a move says besides its steps: by whom, how long the ended live, who hears of it."""

    who: Who
    retention: Any
    urls: Sequence[str] = ()


async def apply(
    conn: Connection, move: Move, steps: Sequence[Step], told: Told
) -> tuple[Mapping[str, Any], set[str]]:
    """Make a move for as many of the tasks as it holds for; commit it.

    Returns their rows by id, as they are after it, and the topics to ring.
    """
    if told.who not in RULES[move].who:
        raise Conflict(f"{told.who} may not {move} a task.")

    async def make(some: Sequence[Step], *, slots: bool) -> Mapping[str, Any]:
        letters = bool(told.urls) and any(to in TOLD for _, to in targets_of(RULES[move]))
        rest = (str(told.who), told.retention, *([list(told.urls)] if letters else []))
        query = statement(move, slots=slots, letters=letters)
        return {row["id"]: row for row in await conn.fetch(query, *columns(some, 8), *rest)}

    moved = dict(await make(steps, slots=False))
    topics = _topics(move, moved.values())
    left = [step for step in steps if step.id not in moved]
    if left:  # refused, or with a slot: which it may lose at any moment
        async with conn.transaction():
            slotted = await make(left, slots=True)
            rows = list(slotted.values())
            topics |= _topics(move, rows) | await _leave_all(conn, rows)
        moved |= slotted
    return moved, topics


def _topics(move: Move, rows: Collection[Any]) -> set[str]:
    topics = set()
    for row in rows:
        if row["status"] in FINAL:
            topics.add(f"task:{row['id']}")
        elif move is Move.ASK_STOP:
            topics.add(f"stop:{row['worker']}")
        elif row["status"] == Status.PENDING:
            topics.add(f"work:{row['model']}")
        if row["told"]:
            topics.add("events")
    return topics


async def _leave_all(conn: Connection, rows: Sequence[Any]) -> set[str]:
    """Give the slots of those back that ended or pause; return topics."""
    free = [row for row in rows if row["slot"] and _is_free(row)]
    topics = set[str]()
    if not free:
        return topics
    await conn.execute("UPDATE task SET slot = false WHERE n = ANY($1)", [row["n"] for row in free])
    leaving = Counter((row["account"], row["model"]) for row in free)
    for (account, model), slots in sorted(leaving.items()):
        if await lanes.leave(conn, account, model, slots):
            topics.add(f"work:{model}")
    return topics


def _is_free(row: Any) -> bool:
    return row["status"] in FINAL or (row["status"] == Status.PENDING and row["turn"] is None)
