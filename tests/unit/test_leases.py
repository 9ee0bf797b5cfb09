"""The times of a lease fit together, with room for a slow machine."""

from ferrotype.ledgers.sqlite import Limits
from ferrotype.worker import Options


def test_a_worker_is_silent_before_it_is_declared_dead() -> None:
    options, limits = Options(), Limits()
    assert 2 * options.renew < options.lapse
    assert options.lapse + 2 < limits.lease
    assert limits.patience < options.lapse
