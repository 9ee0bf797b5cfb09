"""What several tests of the group open."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Any

from ferrotype.ledgers.postgres import Limits, PostgresLedger
from ferrotype.ports.bell import Ear


class SilentBell:
    """A bell that nobody hears."""

    def ring(self, topics: Collection[str]) -> None:
        pass

    def listen(self, topics: Collection[str]) -> AbstractAsyncContextManager[Ear]:
        raise NotImplementedError


def opened(
    url: str, limits: Limits | None = None, **more: Any
) -> AbstractAsyncContextManager[PostgresLedger]:
    """Open a ledger without a bell, on one connection unless told otherwise."""
    limits = limits or Limits(test=True)
    given = {"bell": SilentBell(), "migrate": True, "limits": limits, "size": 1, **more}
    return PostgresLedger.open(url, **given)
