"""What the courier asks; and the letters, written in the transaction of the move that they tell."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from ferrotype.ledgers.sqlite.locks import FileLock
from ferrotype.ledgers.sqlite.rows import moment
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.ports.ledger import Letter
from ferrotype.task import Status

_LETTER = (
    "n, event, url, task, account, key, model, route, request_id, status, start_at, end_at, tries"
)
LETTERS = f"""SELECT {_LETTER} FROM letter WHERE url = ? AND due_at <= ?
    ORDER BY due_at, n LIMIT ?"""
_TOO_OLD = "end_at < :before OR url NOT IN (SELECT value FROM json_each(:urls))"


class SqliteOutbox:
    """The port `Outbox`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lead_letters(self) -> bool:
        """Try to be the one courier; once True it stays so until `close`."""
        if self._store.courier is None:
            lock = FileLock(self._store.data_dir / "courier.lock")
            if not lock.taken:
                lock.close()
                return False
            self._store.courier = lock
        return True

    async def letters(self, url: str, limit: int) -> Sequence[Letter]:
        """Return up to `limit` letters that are due to a receiver, the longest due first."""
        conn = self._store.reader
        now = self._store.now(conn)
        return [_letter(row) for row in conn.execute(LETTERS, (url, now, limit)).fetchall()]

    async def drop_letter(self, n: int) -> None:
        """Forget a letter: it was brought."""

        def command(batch: Batch) -> None:
            batch.conn.execute("DELETE FROM letter WHERE n = ?", (n,))

        await self._store.writer.do(command)

    async def postpone_letter(self, n: int, seconds: float) -> None:
        """Count a try in vain; the letter is due again after so many seconds."""
        pause = self._store.seconds(seconds)

        def command(batch: Batch) -> None:
            batch.conn.execute(
                "UPDATE letter SET tries = tries + 1, due_at = ? WHERE n = ?",
                (batch.now + pause, n),
            )

        await self._store.writer.do(command)

    async def keep_letters(self, urls: Collection[str], age: float) -> int:
        """Forget the letters to all other receivers, and those older than `age` seconds."""
        names = msgspec.json.encode(list(urls)).decode()
        length = self._store.seconds(age)

        def is_any(conn: sqlite3.Connection) -> bool:
            given = {"before": self._store.now(conn) - length, "urls": names}
            query = f"SELECT 1 FROM letter WHERE {_TOO_OLD} LIMIT 1"
            return conn.execute(query, given).fetchone() is not None

        def command(batch: Batch) -> int:
            given = {"before": batch.now - length, "urls": names}
            return batch.conn.execute(f"DELETE FROM letter WHERE {_TOO_OLD}", given).rowcount

        if not await self._store.scan(is_any):
            return 0
        return await self._store.writer.do(command)


def _letter(row: Any) -> Letter:
    return Letter(
        n=row[0],
        event=row[1],
        url=row[2],
        task=row[3],
        account=row[4],
        key=row[5],
        model=row[6],
        route=row[7],
        request_id=row[8],
        status=Status(row[9]),
        start_at=None if row[10] is None else moment(row[10]),
        end_at=moment(row[11]),
        tries=row[12],
    )
