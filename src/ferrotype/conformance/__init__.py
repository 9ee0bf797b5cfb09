"""Test suites that every adapter must pass: ours, and a stranger's.

    from ferrotype.conformance import LedgerSuite

    class TestMyLedger(LedgerSuite):
        def open_ledger(self, folder, wanted): ...

Needs pytest, pytest-asyncio (`asyncio_mode = "auto"`) and hypothesis.
"""

from ferrotype.conformance.bell import BellSuite
from ferrotype.conformance.engine import EngineSuite
from ferrotype.conformance.engine_base import Trial
from ferrotype.conformance.ledger import LedgerSuite
from ferrotype.conformance.ledger_base import Wanted
from ferrotype.conformance.media_store import MediaStoreSuite
from ferrotype.ports.full_ledger import FullLedger

__all__ = [
    "BellSuite",
    "EngineSuite",
    "FullLedger",
    "LedgerSuite",
    "MediaStoreSuite",
    "Trial",
    "Wanted",
]
