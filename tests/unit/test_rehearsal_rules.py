"""Rules of a rehearsal: how they are read, whom they strike, and what they come to together."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ferrotype.errors import InvalidParameter, Told
from ferrotype.ports.rehearsal import Entry
from ferrotype.rehearsal import Rehearsal, Rule, read
from ferrotype.task import Rehearsed


class Memory:
    """A book of the test's own: the ledger's has its own suite."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.reads = 0

    async def rules(self) -> Sequence[Entry]:
        self.reads += 1
        return list(self.entries)

    async def write_rule(self, rule: bytes, times: int | None, seconds: float | None) -> str:
        entry = Entry(id=f"r{len(self.entries)}", rule=rule, left=times, until=None)
        self.entries.append(entry)
        return entry.id

    async def take_rule(self, rule_id: str) -> bool:
        at = next((i for i, one in enumerate(self.entries) if one.id == rule_id), None)
        if at is None or not (left := self.entries[at].left):
            return False
        old = self.entries[at]
        self.entries[at] = Entry(id=old.id, rule=old.rule, left=left - 1, until=None)
        return True

    async def erase_rules(self, rule_id: str | None = None) -> int:
        before = len(self.entries)
        self.entries = [one for one in self.entries if rule_id not in (None, one.id)]
        return before - len(self.entries)


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def steady(self) -> float:
        return self.time


async def rehearsal(*rules: dict[str, Any]) -> tuple[Rehearsal, Memory, Clock]:
    book, clock = Memory(), Clock()
    made = Rehearsal(book, clock)
    for rule in rules:
        await made.add(json.dumps(rule).encode())
    return made, book, clock


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({}, "says nothing that is to happen"),
        ({"model": "m", "times": 3}, "says nothing that is to happen"),
        ({"pending": -1}, "pending"),
        ({"pending": 241}, "pending"),
        ({"running": "5"}, "running"),
        ({"times": 0, "pending": 1}, "times"),
        ({"share": 0, "pending": 1}, "share"),
        ({"share": 1.5, "pending": 1}, "share"),
        ({"fail": {"code": "x\ny"}}, "code"),
        ({"fail": {"code": "Arrearage", "at": "dawn"}}, "at"),
        ({"fail": {"code": "Arrearage", "status": 200}}, "status"),
        ({"partial": {"indexes": []}}, "indexes"),
        ({"partial": {"indexes": [-1]}}, "indexes"),
        ({"expired": "soon"}, "expired"),
        ({"expired": "urls", "times": 1}, "no times, no share"),
        ({"fail": {"code": "X", "at": "query"}, "share": 0.5}, "no times, no share"),
        ({"latency": 3}, "latency"),
    ],
)
def test_a_bad_rule_says_where(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidParameter, match=says):
        read(json.dumps(rule).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_what_is_no_rule(text: bytes) -> None:
    with pytest.raises(InvalidParameter, match="cannot be read"):
        read(text)


async def test_a_rule_strikes_its_model_and_account_alone() -> None:
    made, _, _ = await rehearsal({"model": "m", "account": "a", "pending": 1})
    assert await made.create("a", "other") is None
    assert await made.create("other", "m") is None
    part = await made.create("a", "m")
    assert part is not None
    assert (part.delay, part.task, part.refusal) == (1.0, None, None)


async def test_rules_come_together() -> None:
    made, _, _ = await rehearsal(
        {"pending": 1, "running": 2},
        {"pending": 0.5, "partial": {"indexes": [1], "code": "A", "message": "a"}},
        {"fail": {"code": "DataInspectionFailed"}, "placeholders": True},
        {"fail": {"code": "Late"}},
    )
    part = await made.create("a", "m")
    assert part is not None
    assert part.rules == ("r0", "r1", "r2", "r3")
    assert part.delay == 1.5
    assert part.refusal == (
        "DataInspectionFailed", "Input data may contain inappropriate content."
    )  # fmt: skip
    assert part.task == Rehearsed(running=2.0, failed={1: ("A", "a")}, placeholders=True)


async def test_a_create_fails_with_the_code_asked_for() -> None:
    made, _, _ = await rehearsal({"fail": {"code": "Throttling.RateQuota", "at": "create"}})
    with pytest.raises(Told) as caught:
        await made.create("a", "m")
    assert (caught.value.told, caught.value.status) == ("Throttling.RateQuota", None)
    assert caught.value.message == "Requests rate limit exceeded, please try again later."


async def test_a_counted_rule_strikes_as_often_as_it_says() -> None:
    made, _, _ = await rehearsal({"times": 2, "pending": 1})
    struck = [await made.create("a", "m") is not None for _ in range(4)]
    assert struck == [True, True, False, False]


async def test_a_share_is_by_chance_and_the_same_each_time() -> None:
    lots = []
    for _ in range(2):
        made, _, _ = await rehearsal({"share": 0.3, "seed": 5, "pending": 1})
        lots.append([await made.create("a", "m") is not None for _ in range(400)])
    assert lots[0] == lots[1]
    assert 80 < sum(lots[0]) < 160


async def test_the_book_is_read_once_a_second() -> None:
    made, book, clock = await rehearsal({"model": "other", "pending": 1})
    book.reads = 0
    for _ in range(50):
        await made.create("a", "m")
    assert book.reads == 0
    await book.write_rule(b'{"pending":3}', None, None)  # as another process does
    assert await made.create("a", "m") is None
    clock.time += 1.0
    assert await made.create("a", "m") is not None
    assert book.reads == 1


def test_a_rule_is_kept_without_what_it_does_not_say() -> None:
    assert read(b'{"pending": 1}') == Rule(pending=1.0)
