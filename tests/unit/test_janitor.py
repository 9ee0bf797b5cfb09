"""The janitor's schedule: who does what, how often, and what an error costs."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from ferrotype.janitor import CHUNK, Janitor, Options
from ferrotype.ports.ledger import Swept
from ferrotype.task import day_of, new_task_id

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def steady(self) -> float:
        return 1000.0 + self.passed


class Upkeep:
    """A ledger's upkeep that writes down what it is asked."""

    def __init__(self) -> None:
        self.leads = True
        self.asked: list[str] = []
        self.old: list[Swept] = []
        self.forgotten: list[str] = []
        self.living: frozenset[str] = frozenset()
        self.broken: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        async def ask(*_: object) -> int:
            self._hear(name)
            return 0

        return ask

    def _hear(self, name: str) -> None:
        self.asked.append(name)
        if name in self.broken:
            raise OSError("no")

    async def lead(self) -> bool:
        self._hear("lead")
        return self.leads

    async def reap(self) -> Sequence[str]:
        self._hear("reap")
        return ["w"]

    async def expired(self, limit: int) -> Sequence[Swept]:
        self._hear("expired")
        now, self.old = self.old[:limit], self.old[limit:]
        return now

    async def forget(self, task_ids: Collection[str]) -> None:
        self.forgotten += task_ids

    async def known(self, task_ids: Collection[str]) -> frozenset[str]:
        return self.living & frozenset(task_ids)


class Uploads:
    """Uploads that only count how often they are swept."""

    def __init__(self) -> None:
        self.sweeps = 0

    async def sweep(self) -> int:
        self.sweeps += 1
        return 0


class Store:
    """A media store of names alone."""

    def __init__(self, upkeep: Upkeep) -> None:
        self.upkeep = upkeep
        self.held: dict[str, list[str]] = {}
        self.dropped: list[str] = []

    async def drop(self, prefix: str) -> int:
        assert prefix.partition("/")[2] not in self.upkeep.forgotten, "the row went first"
        self.dropped.append(prefix)
        return 1

    async def days(self) -> Sequence[str]:
        return sorted(self.held)

    async def tasks(self, day: str) -> Collection[str]:
        return self.held[day]


class House:
    def __init__(self, retention: float = 86_400.0, *, knows_deadlines: bool = True) -> None:
        self.clock = Clock()
        self.upkeep = Upkeep()
        self.store = Store(self.upkeep)
        options = Options(retention=retention, unserved_after=30.0, knows_deadlines=knows_deadlines)
        self.uploads = Uploads()
        parts: Any = (self.upkeep, self.store, self.uploads, self.clock, options)
        self.janitor = Janitor(*parts)

    async def rounds(self, seconds: int) -> list[str]:
        """Do a round a second and return what was asked."""
        self.upkeep.asked.clear()
        for _ in range(seconds):
            await self.janitor.round()
            self.clock.passed += 1
        return list(self.upkeep.asked)


async def test_the_leader_sweeps_uploads_every_five_minutes() -> None:
    house = House()
    await house.rounds(700)
    assert house.uploads.sweeps == 3


async def test_inputs_from_before_midnight_go_with_their_task() -> None:
    house = House()
    born = new_task_id()
    house.upkeep.old = [Swept(born, "20990101")]
    await house.rounds(1)
    assert house.store.dropped == [f"{day_of(born)}/{born}", f"20990101/{born}"]


async def test_the_leader_does_each_chore_at_its_pace() -> None:
    house = House()
    await house.rounds(60)  # so that it has looked on for long enough
    asked = await house.rounds(60)
    counts = {name: asked.count(name) for name in sorted(set(asked))}
    assert counts == {
        "abandon": 60,
        "admit_due": 60,
        "checkpoint": 12,
        "end_overdue": 12,
        "end_unserved": 12,
        "expired": 60,
        "lead": 60,
        "reap": 60,
    }


async def test_nothing_is_unserved_before_the_janitor_has_looked_on_for_as_long() -> None:
    house = House()
    assert "end_unserved" not in await house.rounds(30)
    assert "end_unserved" in await house.rounds(10)


async def test_all_others_look_for_the_dead_and_the_late_alone() -> None:
    house = House()
    house.upkeep.leads = False
    assert set(await house.rounds(5)) == {"lead", "reap", "end_overdue"}
    house.upkeep.leads = True
    assert "admit_due" in await house.rounds(1)


async def test_who_does_not_know_all_recipes_ends_nothing_as_late() -> None:
    house = House(knows_deadlines=False)
    asked = await house.rounds(60)
    assert "end_unserved" in asked
    assert "end_overdue" not in asked


@pytest.mark.parametrize("broken", ["reap", "admit_due", "expired", "checkpoint"])
async def test_a_chore_that_fails_stops_no_other(broken: str) -> None:
    house = House()
    house.upkeep.broken = {broken}
    with capture_logs() as said:
        asked = await house.rounds(10)
    assert {"reap", "admit_due", "expired", "checkpoint"} <= set(asked)
    assert asked.count(broken) >= 2
    assert [line for line in said if line["log_level"] == "error" and line["exc_info"]]


async def test_expired_tasks_lose_their_files_first_then_their_rows() -> None:
    house = House()
    house.upkeep.old = [Swept(f"t{i}", "20261120") for i in range(CHUNK + 1)]
    await house.rounds(1)
    assert len(house.upkeep.forgotten) == len(house.store.dropped) == CHUNK + 1
    assert house.store.dropped[0] == "20261120/t0"


async def test_many_expired_tasks_do_not_keep_the_other_chores_waiting() -> None:
    house = House()
    house.upkeep.old = [Swept(f"t{i}", "20261120") for i in range(10 * CHUNK)]
    drop = house.store.drop

    async def slowly(prefix: str) -> int:
        house.clock.passed += 0.006
        return await drop(prefix)

    house.store.drop = slowly  # type: ignore[method-assign]
    await house.rounds(1)
    assert len(house.upkeep.forgotten) == 2 * CHUNK
    assert house.upkeep.asked[-1] == "checkpoint"
    await house.rounds(9)
    assert len(house.upkeep.forgotten) == 10 * CHUNK


async def test_a_file_that_cannot_go_keeps_its_own_row_alone() -> None:
    house = House()
    house.upkeep.old = [Swept(name, "20261120") for name in ("first", "stuck", "last")]
    drop = house.store.drop

    async def fail(prefix: str) -> int:
        if prefix.endswith("stuck"):
            raise OSError("busy")
        return await drop(prefix)

    house.store.drop = fail  # type: ignore[method-assign]
    with capture_logs() as said:
        await house.rounds(1)
    assert house.upkeep.forgotten == ["first", "last"]
    assert [line["task"] for line in said if line["event"] == "files stay"] == ["stuck"]


async def test_many_files_that_cannot_go_keep_no_other_and_tell_it_once_a_chunk() -> None:
    house = House()
    stuck = [Swept(f"stuck-{i}", "20261120") for i in range(CHUNK)]
    house.upkeep.old = [*stuck, Swept("last", "20261121")]
    drop = house.store.drop

    async def fail(prefix: str) -> int:
        if "stuck" in prefix:
            raise OSError("read-only")
        return await drop(prefix)

    house.store.drop = fail  # type: ignore[method-assign]
    with capture_logs() as said:
        await house.rounds(1)
    assert house.upkeep.forgotten == ["last"]
    (line,) = [line for line in said if line["event"] == "files stay"]
    assert (line["task"], line["tasks"]) == ("stuck-0", CHUNK)


@pytest.mark.parametrize(
    ("retention", "swept"),
    [
        (86_400.0, ["20261101/lost", "20261118/lost"]),  # 1 + 3 days before the 23rd is the 19th
        (10 * 86_400.0, ["20261101/lost"]),
        (0.0, ["20261101/lost", "20261118/lost", "20261119/lost"]),
    ],
)
async def test_old_files_that_no_task_knows_are_swept(retention: float, swept: list[str]) -> None:
    house = House(retention)
    house.upkeep.living = frozenset({"kept"})
    for day in ("20261101", "20261118", "20261119", "20261120", "20261123"):
        house.store.held[day] = ["kept", "lost"]
    await house.rounds(1)
    assert house.store.dropped == swept
    house.store.dropped.clear()
    await house.rounds(3000)
    assert house.store.dropped == []


async def test_it_ends_when_told() -> None:
    house = House()
    stop = asyncio.Event()
    running = asyncio.create_task(house.janitor.run(stop))
    while "reap" not in house.upkeep.asked:
        await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 5)
