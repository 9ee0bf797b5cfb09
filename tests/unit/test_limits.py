"""Buckets: how many at once, how soon again, and that they are forgotten."""

from datetime import UTC, datetime

import pytest

from ferrotype import limits, metrics
from ferrotype.catalogue import Catalogue
from ferrotype.catalogue.model import Rate
from ferrotype.errors import RateQuotaExceeded
from ferrotype.limits import VendorLimits

MODELS = Catalogue.load().models
TWO_A_SECOND = MODELS["wan2.2-t2i-flash"]
TWO_A_MINUTE = next(
    model for model in MODELS.values() if model.rate == Rate(submit=2, per="minute")
)


class Clock:
    """A clock that the test winds."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vendor(clock: Clock) -> VendorLimits:
    return VendorLimits(clock)


def refused() -> float:
    name = "ferrotype_requests_throttled_total"
    return metrics.REGISTRY.get_sample_value(name, {"what": "submit"}) or 0.0


def test_as_many_as_the_rate_at_once_then_one_at_a_time(clock: Clock, vendor: VendorLimits) -> None:
    before = refused()
    for _ in range(3):
        for _ in range(2):
            vendor.submit("a", TWO_A_SECOND)
        with pytest.raises(RateQuotaExceeded):
            vendor.submit("a", TWO_A_SECOND)
        clock.at += 0.5
        vendor.submit("a", TWO_A_SECOND)
        with pytest.raises(RateQuotaExceeded):
            vendor.submit("a", TWO_A_SECOND)
        clock.at += 50.0
    assert refused() - before == 6


def test_some_rates_are_a_minutes(clock: Clock, vendor: VendorLimits) -> None:
    for _ in range(2):
        vendor.submit("a", TWO_A_MINUTE)
    clock.at += 29.0
    with pytest.raises(RateQuotaExceeded):
        vendor.submit("a", TWO_A_MINUTE)
    clock.at += 1.5
    vendor.submit("a", TWO_A_MINUTE)


def test_accounts_models_and_calls_have_buckets_of_their_own(vendor: VendorLimits) -> None:
    for account in ("a", "b"):
        for model in (TWO_A_SECOND, TWO_A_MINUTE):
            for _ in range(2):
                vendor.submit(account, model)
        for what in ("list", "cancel"):
            for _ in range(20):
                vendor.call(account, what)
            with pytest.raises(RateQuotaExceeded):
                vendor.call(account, what)


def test_a_token_given_back_is_there_again(vendor: VendorLimits) -> None:
    for _ in range(50):
        vendor.submit("a", TWO_A_SECOND)
        vendor.give_back("a", TWO_A_SECOND)


def test_no_more_comes_back_than_a_bucket_holds(vendor: VendorLimits) -> None:
    for _ in range(50):
        vendor.give_back("a", TWO_A_SECOND)
    for _ in range(2):
        vendor.submit("a", TWO_A_SECOND)
    vendor.give_back("b", TWO_A_SECOND)
    with pytest.raises(RateQuotaExceeded):
        vendor.submit("a", TWO_A_SECOND)


def test_full_buckets_are_forgotten(
    clock: Clock, vendor: VendorLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_MANY", 100)
    vendor = VendorLimits(clock)
    for number in range(10_000):
        vendor.submit(f"account-{number}", TWO_A_SECOND)
        clock.at += 0.1
    assert len(vendor._full_at) <= 101
