"""How often an account may call: what the vendor allows, for whoever wants to meet it here.

A bucket of tokens an account and model, full at first, as its theoretical arrival time (GCRA):
one number. A bucket that is full again is forgotten, so there are as many as callers were busy
in the last minute. Buckets are this process's own, and follow a clock that never goes back.
"""

from ferrotype import metrics
from ferrotype.catalogue import Model
from ferrotype.errors import RateQuotaExceeded
from ferrotype.ports.clock import Clock

CALLS = 20  # of one kind, a second and account
_PER = {"second": 1.0, "minute": 60.0}
_MANY = 10_000  # buckets after which full ones are looked for


class VendorLimits:
    """The vendor's limits. Raises `RateQuotaExceeded` for what goes beyond them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._full_at: dict[tuple[str, str], float] = {}
        self._look_at = _MANY

    def submit(self, account: str, model: Model) -> None:
        """Take a token for a create."""
        if model.rate is not None:
            span = _PER[model.rate.per]
            self._take("submit", (account, model.name), model.rate.submit, span)

    def give_back(self, account: str, model: Model) -> None:
        """Return the token of a create that made no task."""
        bucket = (account, model.name)
        if model.rate is not None and bucket in self._full_at:
            self._full_at[bucket] -= _PER[model.rate.per] / model.rate.submit

    def call(self, account: str, what: str) -> None:
        """Take a token for a call that makes nothing: a list, a cancel."""
        self._take(what, (account, f"/{what}"), CALLS, 1.0)

    def _take(self, what: str, bucket: tuple[str, str], tokens: int, span: float) -> None:
        now = self._clock.steady()
        full_at = max(now, self._full_at.get(bucket, now)) + span / tokens
        if full_at - now > span * (1 + 1e-9):
            metrics.throttled(what).inc()
            raise RateQuotaExceeded()
        self._full_at[bucket] = full_at
        if len(self._full_at) > self._look_at:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
            self._look_at = max(_MANY, 2 * len(self._full_at))
