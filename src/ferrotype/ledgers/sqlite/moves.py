"""Every move as one guarded write. The guards are made from `task.RULES` and nowhere else."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import uuid4

from ferrotype.errors import Conflict
from ferrotype.ledgers.guards import guard_of, targets_of
from ferrotype.ledgers.sqlite import lanes
from ferrotype.ledgers.sqlite.rows import SECOND
from ferrotype.ledgers.sqlite.writer import Batch
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

_ALSO: Mapping[Move, str] = {  # what a move asks of this ledger's own columns
    Move.ADMIT: "turn IS NULL",
    Move.DUE: "turn IS NULL AND not_before <= :now",
    Move.CLAIM: "turn IS NOT NULL",
    Move.ABANDON: "attended_until <= :now",
}
_SETS: Mapping[Move, str] = {  # what a move writes, besides status and end
    Move.ADMIT: "turn = :turn, slot = :slot, not_before = NULL",
    Move.DUE: "turn = :turn, slot = :slot, not_before = NULL",
    Move.CLAIM: "attempt = attempt + 1, worker = :worker, claim_at = :now, progress = 0,"
    " first_claim_at = coalesce(first_claim_at, :now), turn = NULL",
    Move.PROGRESS: "progress = :progress",
    Move.SUCCEED: "progress = 1",
    Move.ASK_STOP: "stop_at = coalesce(stop_at, :now)",
    Move.FAULT: "faults = faults + 1",
}
_SILENT = frozenset({Move.PROGRESS})  # once a second and task: the row shows it, no event does


class Moved(NamedTuple):
    """The row that a move left behind."""

    n: int
    id: str
    account: str
    model: str
    status: str
    attempt: int
    faults: int
    slot: int
    worker: str | None


def _sql(move: Move) -> str:
    rule = RULES[move]
    cases = targets_of(rule)
    status = "CASE " + " ".join(f"WHEN {when} THEN '{to}'" for when, to in cases) + " END"
    sets = [f"status = {status}"]
    if move in _SETS:
        sets.append(_SETS[move])
    if FINAL & {to for _, to in cases}:
        arms = " ".join(f"WHEN {when} THEN {int(to in FINAL)}" for when, to in cases)
        ends = f"CASE {arms} END"
        sets.append(f"end_at = iif({ends}, :now, NULL), expires_at = iif({ends}, :expires, NULL)")
    if any(to is Status.FAILED for _, to in cases):
        failed = " ".join(f"WHEN {when} THEN {int(to is Status.FAILED)}" for when, to in cases)
        sets.append(f"code = iif(CASE {failed} END, :code, NULL)")
        sets.append(f"message = iif(CASE {failed} END, :message, NULL)")
    where = " AND ".join(filter(None, ["id = :id", guard_of(rule), _ALSO.get(move, "")]))
    return f"UPDATE task SET {', '.join(sets)} WHERE {where} RETURNING {', '.join(Moved._fields)}"


SQL: Mapping[Move, str] = {
    move: _sql(move) for move, rule in RULES.items() if rule.sources and rule.target
}
_EVENT = """INSERT INTO event (n, i, attempt, move, at, who, why)
    VALUES (:n, coalesce((SELECT max(i) + 1 FROM event WHERE n = :n), 1),
    :attempt, :move, :at, :who, :why)"""


_LETTERS = """INSERT INTO letter (event, url, task, account, key, model, route, request_id, status,
    start_at, end_at, due_at)
    SELECT :event, u.value, t.id, t.account, t.key, t.model, b.route, b.request_id, t.status,
        t.first_claim_at, t.end_at, t.end_at
    FROM task t JOIN body b USING (n), json_each(:urls) u
    WHERE t.n = :n AND t.attended_until IS NULL"""


def apply(
    batch: Batch, move: Move, task_id: str, who: Who, *, why: str = "", **values: Any
) -> Moved:
    """Make a move, or raise `Conflict`. Writes the event, and what follows for lane and account.

    `values`: `attempt` and `worker` for a holder's move, `code` and `message` for one that may
    fail the task.
    """
    if who not in RULES[move].who:
        raise Conflict(f"{who} may not {move} a task.")
    given = {"code": None, "message": None, **values}
    given |= {"id": task_id, "now": batch.now, "expires": batch.expires}
    row = batch.conn.execute(SQL[move], given).fetchone()
    if row is None:
        raise Conflict
    moved = Moved._make(row)
    if move not in _SILENT:
        record(batch, moved.n, moved.attempt, move, who, why)
    if moved.status in FINAL:
        _ended(batch, moved)
    elif move is Move.ASK_STOP and moved.worker is not None:
        batch.topics.add(f"stop:{moved.worker}")
    elif Status.RUNNING in RULES[move].sources and moved.status == Status.PENDING:
        _returned(batch, move, moved)
    return moved


def record(batch: Batch, n: int, attempt: int, move: Move, who: Who, why: str = "") -> None:
    """Write an event, in the transaction of its move."""
    batch.conn.execute(
        _EVENT,
        {"n": n, "attempt": attempt, "move": move, "at": batch.now, "who": who, "why": why},
    )


def admit(batch: Batch, move: Move, task_id: str, who: Who) -> bool:
    """Make a held task ready, or leave it held by its full lane; say which.

    Its first turn is paid for by the account; a task that comes back goes to the front.
    """
    conn = batch.conn
    account, model, attempt = conn.execute(
        "SELECT account, model, attempt FROM task WHERE id = ?", (task_id,)
    ).fetchone()
    cap = lanes.cap_of(conn, account, model)
    if cap is not None and not lanes.enter(conn, account, model, cap):
        conn.execute("UPDATE task SET not_before = NULL WHERE id = ?", (task_id,))
        return False
    turn = lanes.front(conn) if attempt else lanes.pay(conn, account)
    apply(batch, move, task_id, who, turn=turn, slot=cap is not None)
    batch.topics.add(f"work:{model}")
    return True


def _ended(batch: Batch, moved: Moved) -> None:
    batch.topics.add(f"task:{moved.id}")
    batch.conn.execute("UPDATE account SET open = open - 1 WHERE id = ?", (moved.account,))
    if moved.slot:
        _leave(batch, moved)
    if batch.urls and moved.status in TOLD:
        given = {"event": str(uuid4()), "urls": batch.urls, "n": moved.n}
        if batch.conn.execute(_LETTERS, given).rowcount > 0:
            batch.topics.add("events")


def _returned(batch: Batch, move: Move, moved: Moved) -> None:
    """A task that ran is PENDING again: ready at once in its slot, or held for a while."""
    lonely = moved.attempt >= LONELY_AFTER
    pause = LONELY_PAUSE if lonely else 0.0
    if move is Move.FAULT:
        pause = max(pause, FAULT_PAUSES[moved.faults - 1])
    turn = None if pause else lanes.front(batch.conn)
    not_before = batch.now + int(pause * SECOND) if pause else None
    batch.conn.execute(
        "UPDATE task SET turn = ?, not_before = ?, alone = ? WHERE n = ?",
        (turn, not_before, lonely, moved.n),
    )
    if pause and moved.slot:
        _leave(batch, moved)
    batch.topics.add(f"work:{moved.model}")


def _leave(batch: Batch, moved: Moved) -> None:
    """Give the task's slot back and admit the next that its lane holds."""
    batch.conn.execute("UPDATE task SET slot = 0 WHERE n = ?", (moved.n,))
    lanes.leave(batch.conn, moved.account, moved.model)
    held = lanes.next_held(batch.conn, moved.account, moved.model)
    if held is not None:
        admit(batch, Move.ADMIT, held, Who.SERVICE)
