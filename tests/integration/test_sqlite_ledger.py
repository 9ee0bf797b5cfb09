"""The SQLite ledger passes the suite that every ledger must pass."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from sqlite_house import SilentBell

from ferrotype.conformance import FullLedger, LedgerSuite, Wanted
from ferrotype.ledgers.sqlite import Limits, SqliteLedger


class TestSqliteLedger(LedgerSuite):
    def open_ledger(self, folder: Path, wanted: Wanted) -> AbstractAsyncContextManager[FullLedger]:
        limits = Limits(
            retention=wanted.retention,
            max_pending=wanted.max_pending,
            max_open=wanted.max_open,
            lease=wanted.lease,
            events=wanted.events,
            test=True,
        )
        return SqliteLedger.open(
            folder, bell=wanted.bell or SilentBell(), migrate=True, limits=limits
        )
