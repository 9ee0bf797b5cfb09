"""What a ledger is set to, on whatever it stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a ledger is set to. Times in seconds."""

    retention: float = 86_400.0
    max_pending: int = 10_000  # open tasks of one account
    max_open: int = 1_000_000  # open tasks of all
    lease: float = 15.0
    patience: float = 5.0
    queue: int = 8_192
    events: tuple[str, ...] = ()  # URLs that are told of every end
    test: bool = False
