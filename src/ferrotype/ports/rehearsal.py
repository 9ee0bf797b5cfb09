"""The book in which a deployment keeps what it is to rehearse."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct


class Entry(Struct, frozen=True, kw_only=True):
    """One rule as it was written: its id, its text (JSON), how often it may still strike (None:
    without end), and when it ends."""

    id: str
    rule: bytes
    left: int | None
    until: datetime | None


class Book(Protocol):
    """What the rehearsal asks of a ledger: all processes see the same rules, and they survive."""

    async def rules(self) -> Sequence[Entry]:
        """Return the rules that may still strike, the oldest first."""

    async def write_rule(self, rule: bytes, times: int | None, seconds: float | None) -> str:
        """Add a rule and return its id. Raises `AllocationQuotaExceeded` over too many."""

    async def take_rule(self, rule_id: str) -> bool:
        """Let a counted rule strike once more; False when it has no strike left, or is gone."""

    async def erase_rules(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all; return how many went."""
