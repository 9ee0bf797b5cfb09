"""One-shot faults that tests plant: the next create fails, or its task does."""

from collections.abc import Iterator

from ferrotype.errors import FerrotypeError, InvalidParameter, default_message
from ferrotype.ledgers.sqlite.writer import Batch


def _kinds(kind: type[FerrotypeError]) -> Iterator[type[FerrotypeError]]:
    for child in kind.__subclasses__():
        yield from _kinds(child)
    yield kind


def kind_of(code: str) -> type[FerrotypeError] | None:
    """Return the error whose code this is: the most special one."""
    return next((kind for kind in _kinds(FerrotypeError) if kind.code == code), None)


def plant(batch: Batch, code: str, at: str) -> None:
    """Make the next create fail with a code: at "create" at once, at "task" when it is run."""
    if at not in ("create", "task"):
        raise InvalidParameter(f'A fault is planted at "create" or "task", not at "{at}".')
    if at == "create" and kind_of(code) is None:
        raise InvalidParameter(f'No create fails with the code "{code}".')
    batch.conn.execute("INSERT INTO planted (code, place) VALUES (?, ?)", (code, at))


def take_planted(batch: Batch) -> FerrotypeError | tuple[str, str] | None:
    """Take the oldest planted fault: an error for the create, or (code, message) for the task."""
    row = batch.conn.execute(
        "DELETE FROM planted WHERE i = (SELECT min(i) FROM planted) RETURNING code, place"
    ).fetchone()
    if row is None:
        return None
    code, place = row
    kind = kind_of(code)
    if place == "create" and kind is not None:
        return kind()
    return code, default_message(kind or FerrotypeError)
