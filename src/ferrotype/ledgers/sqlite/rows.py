"""How rows become words."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ferrotype.task import Order, Result, Status, Task

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000  # the ledger's times are microseconds

TASK = (
    "t.id, t.account, t.key, t.model, b.route, b.served_by, t.status, t.total, t.attempt, t.faults,"
    " t.submit_at, t.first_claim_at, t.claim_at, t.end_at, t.expires_at, t.stop_at, t.code,"
    " t.message, t.progress"
)
LIVING = "t.swept = 0 AND (t.expires_at IS NULL OR t.expires_at > :now)"
READ_ONE = f"SELECT {TASK}, r.made FROM task t JOIN body b USING (n) LEFT JOIN result r USING (n)"

_result = msgspec.json.Decoder(Result)
_order = msgspec.json.Decoder(Order)
_STATUS = {str(status): status for status in Status}


def moment(at: int) -> datetime:
    """Return microseconds since the epoch as an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=at)


def micros(at: datetime) -> int:
    """Return a datetime as microseconds since the epoch."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _maybe(at: int | None) -> datetime | None:
    return None if at is None else _EPOCH + timedelta(microseconds=at)


def task_of(row: Any, made: str | None = None) -> Task:
    """Return the task of a row that begins with the columns `TASK`."""
    return Task(
        id=row[0],
        account=row[1],
        key=row[2],
        model=row[3],
        route=row[4],
        served_by=row[5],
        status=_STATUS[row[6]],
        total=row[7],
        attempt=row[8],
        faults=row[9],
        submit_at=moment(row[10]),
        first_claim_at=_maybe(row[11]),
        claim_at=_maybe(row[12]),
        end_at=_maybe(row[13]),
        expires_at=_maybe(row[14]),
        stop_at=_maybe(row[15]),
        code=row[16],
        message=row[17],
        progress=row[18],
        result=_result.decode(made) if made else None,
    )


def order_of(text: str) -> Order:
    """Return the order that a body holds."""
    return _order.decode(text)


def text_of(word: msgspec.Struct) -> str:
    """Return a word as JSON text."""
    return msgspec.json.encode(word).decode()


def read_task(conn: sqlite3.Connection, n: int) -> Task:
    """Return the task with row number n, inside a transaction that knows it is there."""
    row = conn.execute(f"{READ_ONE} WHERE t.n = ?", (n,)).fetchone()
    return task_of(row, row[19])
