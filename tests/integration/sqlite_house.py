"""What the tests of the SQLite ledger share."""

import os
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.ports.bell import Ear

TEST = Limits(test=True)


class SilentBell:
    """A bell that only remembers."""

    def __init__(self) -> None:
        self.rings: list[frozenset[str]] = []

    def ring(self, topics: Collection[str]) -> None:
        self.rings.append(frozenset(topics))

    @asynccontextmanager
    async def listen(self, topics: Collection[str]) -> AsyncIterator[Ear]:
        raise NotImplementedError
        yield


def opened(
    folder: Path, limits: Limits = TEST, *, migrate: bool = True
) -> AbstractAsyncContextManager[SqliteLedger]:
    """Open a ledger without a bell."""
    return SqliteLedger.open(folder, bell=SilentBell(), migrate=migrate, limits=limits)


def python(script: str) -> list[str]:
    """Return the command that runs a script which may import this module."""
    here = os.fspath(Path(__file__).parent)
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n{script}"]
