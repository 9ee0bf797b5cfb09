"""The ledger on PostgreSQL: for the processes of many machines."""

from ferrotype.ledgers.limits import Limits
from ferrotype.ledgers.postgres.ledger import PostgresLedger

__all__ = ["Limits", "PostgresLedger"]
