"""What the courier asks; the letters are written in the statement of the move that they tell."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from ferrotype.ledgers.postgres import leading
from ferrotype.ledgers.postgres.rows import NOW
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.ledger import Letter
from ferrotype.task import Status

_LETTER = (
    "n, event, url, task, account, key, model, route, request_id, status, start_at, end_at, tries"
)
LETTERS = f"""SELECT {_LETTER} FROM letter WHERE url = $1 AND due_at <= {NOW}
    ORDER BY due_at, n LIMIT $2"""
_POSTPONE = """UPDATE letter SET tries = tries + 1, due_at = ledger_now() + $2::interval
    WHERE n = $1"""
_KEEP = """WITH gone AS (DELETE FROM letter
        WHERE end_at < ledger_now() - $2::interval OR url <> ALL($1) RETURNING n)
    SELECT count(*) FROM gone"""


class PostgresOutbox:
    """The port `Outbox`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lead_letters(self) -> bool:
        """Try to be the one courier; True for a few seconds more, so ask again."""
        return await leading.lead(self._store, "courier")

    async def letters(self, url: str, limit: int) -> Sequence[Letter]:
        """Return up to `limit` letters that are due to a receiver, the longest due first."""
        return [_letter(row) for row in await self._store.database.fetch(LETTERS, url, limit)]

    async def drop_letter(self, n: int) -> None:
        """Forget a letter: it was brought."""
        await self._store.database.fetch("DELETE FROM letter WHERE n = $1", n)

    async def postpone_letter(self, n: int, seconds: float) -> None:
        """Count a try in vain; the letter is due again after so many seconds."""
        await self._store.database.fetch(_POSTPONE, n, timedelta(seconds=seconds))

    async def keep_letters(self, urls: Collection[str], age: float) -> int:
        """Forget the letters to all other receivers, and those older than `age` seconds."""
        gone: int = await self._store.database.value(_KEEP, list(urls), timedelta(seconds=age))
        return gone


def _letter(row: Any) -> Letter:
    return Letter(**{**row, "status": Status(row["status"])})
