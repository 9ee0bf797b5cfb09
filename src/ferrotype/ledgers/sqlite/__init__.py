"""The ledger on SQLite: for the processes of one machine, nothing to install."""

from ferrotype.ledgers.sqlite.ledger import SqliteLedger
from ferrotype.ledgers.limits import Limits

__all__ = ["Limits", "SqliteLedger"]
