"""A ledger with all its ports, as deployments have one."""

from typing import Protocol

from ferrotype.ports.admin import Admin
from ferrotype.ports.ledger import Intake, Outbox, Upkeep, Work
from ferrotype.ports.operate import Operate
from ferrotype.ports.rehearsal import Book
from ferrotype.ports.watch import Watch


class FullLedger(Intake, Work, Upkeep, Admin, Outbox, Book, Watch, Operate, Protocol):
    """Everything that anybody asks of a ledger."""
