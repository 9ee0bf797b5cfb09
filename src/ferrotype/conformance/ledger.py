"""The whole suite for a ledger."""

from ferrotype.conformance.ledger_backlog import BacklogTests
from ferrotype.conformance.ledger_intake import IntakeTests
from ferrotype.conformance.ledger_lanes import LaneTests
from ferrotype.conformance.ledger_machine import MachineTests
from ferrotype.conformance.ledger_mates import MateTests
from ferrotype.conformance.ledger_moves import MoveTests
from ferrotype.conformance.ledger_operate import OperateTests
from ferrotype.conformance.ledger_outbox import OutboxTests
from ferrotype.conformance.ledger_rehearsal import RehearsalTests
from ferrotype.conformance.ledger_rings import RingTests
from ferrotype.conformance.ledger_upkeep import UpkeepTests


class LedgerSuite(
    IntakeTests,
    MoveTests,
    LaneTests,
    MateTests,
    RingTests,
    UpkeepTests,
    OutboxTests,
    OperateTests,
    RehearsalTests,
    BacklogTests,
    MachineTests,
):
    """Subclass it, say how a ledger is opened (`open_ledger`), and run pytest."""
