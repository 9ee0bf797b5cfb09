"""Turns at the door of an upstream."""

import asyncio

import pytest

from ferrotype.engines.dashscope import pace
from ferrotype.engines.dashscope.pace import Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by what is slept."""
    now = [100.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(pace, "monotonic", lambda: now[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return now


async def test_turns_are_spaced_in_the_order_of_their_asking(clock: list[float]) -> None:
    door, taken = Pace(0.5), []

    async def go(name: int) -> None:
        await door.turn()
        taken.append((name, clock[0]))

    await asyncio.gather(*(go(name) for name in range(3)))
    assert taken == [(0, 100.0), (1, 100.5), (2, 101.0)]


async def test_a_refusal_slows_who_waits_already(clock: list[float]) -> None:
    door = Pace(0.5)
    await door.turn()
    assert door.slower(7.0) == 7.0
    await door.turn()
    assert clock[0] == 107.0
    await door.turn()
    assert clock[0] == 108.0


def test_a_burst_of_refusals_counts_once(clock: list[float]) -> None:
    door = Pace(0.5)
    for _ in range(50):
        door.slower()
    assert door.interval == 1.0
    clock[0] += 2
    door.slower()
    assert door.interval == 2.0
    for _ in range(20):
        clock[0] += 100
        door.slower()
    assert door.interval == pace.SLOWEST


def test_success_makes_it_faster_to_its_least() -> None:
    free, kept = Pace(0.2), Pace(1.0, 0.1)
    for _ in range(30):
        free.faster()
        kept.faster()
    assert (free.interval, kept.interval) == (0.0, 0.1)
