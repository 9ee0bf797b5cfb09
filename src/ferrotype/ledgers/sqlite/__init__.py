"""The ledger on SQLite: for the processes of one machine, nothing to install."""

from ferrotype.ledgers.limits import Limits
from ferrotype.ledgers.sqlite.ledger import SqliteLedger

__all__ = ["Limits", "SqliteLedger"]
