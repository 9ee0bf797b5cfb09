"""How rows become words."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ferrotype.task import Order, Result, Status, Task

TASK = (
    "t.id, t.account, t.key, t.model, b.route, b.served_by, t.status, t.total, t.attempt, t.faults,"
    " t.submit_at, t.first_claim_at, t.claim_at, t.end_at, t.expires_at, t.stop_at, t.code,"
    " t.message, t.progress"
)
NOW = "(SELECT ledger_now())"  # asked for once: what is asked for each row searches no index
LIVING = f"t.swept IS NULL AND (t.expires_at IS NULL OR t.expires_at > {NOW})"
READ = f"""SELECT {TASK}, r.made, r.kid
    FROM task t JOIN body b USING (n) LEFT JOIN result r USING (n)"""

_result = msgspec.json.Decoder(Result)
_order = msgspec.json.Decoder(Order)
_STATUS = {str(status): status for status in Status}


def task_of(row: Any, made: str | None = None, kid: str | None = None) -> Task:
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
        submit_at=row[10],
        first_claim_at=row[11],
        claim_at=row[12],
        end_at=row[13],
        expires_at=row[14],
        stop_at=row[15],
        code=row[16],
        message=row[17],
        progress=row[18],
        result=msgspec.structs.replace(_result.decode(made), kid=kid) if made else None,
    )


def order_of(text: str) -> Order:
    """Return the order that a body holds."""
    return _order.decode(text)


def text_of(word: msgspec.Struct) -> str:
    """Return a word as JSON text."""
    return msgspec.json.encode(word).decode()


def numbers_of(result: Result) -> str:
    """Return the numbers of a result's usage as JSON text."""
    return msgspec.json.encode(result.numbers()).decode()


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Turn rows into the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def storable(*texts: str | None) -> bool:
    """Tell whether the database can hold these texts: it knows no NUL, and nothing but UTF-8."""
    return not any(text and ("\0" in text or not _is_utf8(text)) for text in texts)


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
