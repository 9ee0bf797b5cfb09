"""What watchers are told: how much waits, how fast it goes."""

from pathlib import Path

from ferrotype.conformance.ledger_base import (
    BROKEN,
    DONE,
    LedgerTests,
    Wanted,
    card,
    must_claim,
    new_task,
)
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.watch import VITALS, Backlog


class BacklogTests(LedgerTests):
    """The port `Watch`."""

    async def test_an_empty_ledger_has_no_backlog(self, ledger: FullLedger, account: str) -> None:
        assert list(await ledger.backlog()) == []
        assert await ledger.holding() == {}
        pace = await ledger.pace(60)
        assert (pace.seconds, pace.created, dict(pace.ended)) == (60, 0, {})

    async def test_the_backlog_counts_by_model_where_tasks_stand(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.enrol(card("one", "a", "b"))
        for model in ("b", "a", "a", "a", "ended"):
            await ledger.add(new_task(account, model=model))
        await ledger.add(new_task(account, model="later", delay=300.0))
        await ledger.settle((await must_claim(ledger, worker, "ended")).lease, DONE)
        await must_claim(ledger, "one", "a")
        told = {one.model: one for one in await ledger.backlog()}
        assert [one.model for one in await ledger.backlog()] == ["a", "b", "later"]
        counts = {model: (one.ready, one.held, one.running) for model, one in told.items()}
        assert counts == {"a": (2, 0, 1), "b": (1, 0, 0), "later": (0, 1, 0)}
        assert await ledger.holding() == {"one": 1}

    async def test_capped_tasks_are_held_whoever_they_belong_to(self, ledger: FullLedger) -> None:
        await ledger.set_cap(None, None, 1)
        for name in ("someone", "somebody else"):
            account = await ledger.make_account(name)
            for model in ("a", "a", "a", "b", "b"):
                await ledger.add(new_task(account, model=model))
        told = {one.model: (one.ready, one.held, one.running) for one in await ledger.backlog()}
        assert told == {"a": (2, 4, 0), "b": (2, 2, 0)}

    async def test_a_task_that_was_given_back_waits_again(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account, model="a"))
        claim = await must_claim(ledger, worker, "a")
        (told,) = await ledger.backlog()
        assert told == Backlog(model="a", running=1)
        await ledger.give_back(claim.lease, "a test")
        (told,) = await ledger.backlog()
        assert (told.ready, told.running) == (1, 0)
        assert await ledger.holding() == {}

    async def test_the_age_is_that_of_the_oldest_that_waits(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account, model="a"))
        await ledger.add(new_task(account, model="late", delay=9_000.0))
        await ledger.set_clock_offset(100)
        await ledger.add(new_task(account, model="a"))
        # the younger one has its turn first: its age is not the oldest
        await ledger.add(new_task(account, model="a", priority=5))
        ages = {one.model: one.oldest for one in await ledger.backlog()}
        assert 100 <= ages["a"] < 160
        assert 100 <= ages["late"] < 160
        await must_claim(ledger, worker, "a")  # the one of high priority
        await must_claim(ledger, worker, "a")  # the oldest
        assert {one.model: one.oldest for one in await ledger.backlog()}["a"] < 60

    async def test_the_pace_is_that_of_the_last_seconds(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        other = await ledger.make_account("somebody else")
        await ledger.add(new_task(account, model="a"))
        await ledger.settle((await must_claim(ledger, worker, "a")).lease, DONE)
        await ledger.set_clock_offset(100)
        ids = [(await ledger.add(new_task(who, model="a"))).task_id for who in (account, other)]
        for ending in (DONE, BROKEN):
            await ledger.settle((await must_claim(ledger, worker, "a")).lease, ending)
        gone = (await ledger.add(new_task(account, model="b"))).task_id
        await ledger.cancel(account, gone)
        assert len(ids) == 2
        young, all_ = await ledger.pace(60), await ledger.pace(500)
        assert young.created == 3
        assert dict(young.ended) == {"SUCCEEDED": 1, "FAILED": 1, "CANCELED": 1}
        assert all_.created == 4
        assert dict(all_.ended) == {"SUCCEEDED": 2, "FAILED": 1, "CANCELED": 1}

    async def test_a_shorter_retention_does_not_quicken_the_pace(self, tmp_path: Path) -> None:
        async with self.open_ledger(tmp_path / "one", Wanted(retention=900)) as ledger:
            account = await ledger.make_account("someone")
            await ledger.enrol(card("one"))
            await ledger.add(new_task(account))
            await ledger.settle((await must_claim(ledger, "one")).lease, DONE)
            await ledger.retire("one")
            await ledger.set_clock_offset(100)
        async with self.open_ledger(tmp_path / "one", Wanted(retention=90)) as ledger:
            assert dict((await ledger.pace(60)).ended) == {}
            assert dict((await ledger.pace(500)).ended) == {"SUCCEEDED": 1}

    async def test_vitals_have_known_names(self, ledger: FullLedger, account: str) -> None:
        vitals = await ledger.vitals()
        assert vitals.keys() <= VITALS.keys()
        assert vitals["database_bytes"] > 0
        assert vitals["letters"] == 0
        assert all(value >= 0 for value in vitals.values())
