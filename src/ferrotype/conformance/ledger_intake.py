"""Creates, reads, lists, and what operators and the door ask."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from ferrotype.conformance.ledger_base import (
    DONE,
    MODEL,
    LedgerTests,
    Wanted,
    card,
    must_claim,
    new_task,
)
from ferrotype.errors import (
    AllocationQuotaExceeded,
    Conflict,
    InvalidParameter,
    Missing,
)
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.ledger import Added, ListQuery
from ferrotype.task import Status, Task, new_task_id

DIGEST = sha256(b"one body").digest()


def around(task: Task, **changes: object) -> ListQuery:
    """Return a query over an hour around a task's create."""
    fields = {
        "start": task.submit_at - timedelta(hours=1),
        "end": task.submit_at + timedelta(hours=1),
    }
    return ListQuery(**(fields | changes))  # type: ignore[arg-type]


class IntakeTests(LedgerTests):
    """The ports `Intake` and `Admin`."""

    async def test_what_was_added_is_there(self, ledger: FullLedger, account: str) -> None:
        new = new_task(account)
        added = await ledger.add(new)
        assert added.fresh
        task = await ledger.get(account, added.task_id)
        assert task is not None
        assert task.status is Status.PENDING
        shown = (task.account, task.key, task.model, task.route, task.served_by, task.total)
        asked = (new.account, new.key, new.model, new.route, new.served_by, new.total)
        assert shown == asked
        assert await ledger.served_by(added.task_id) == new.served_by
        assert not await ledger.events(account, added.task_id)

    async def test_others_see_nothing(self, ledger: FullLedger, account: str, worker: str) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        other = await ledger.make_account("another")
        assert await ledger.get(other, task_id) is None
        await ledger.requeue((await must_claim(ledger, worker)).task.id, "why")
        assert await ledger.events(account, task_id)
        assert not await ledger.events(other, task_id)
        for ask in (ledger.cancel, ledger.withdraw, ledger.ask_stop):
            with pytest.raises(Conflict):
                await ask(other, task_id)
            with pytest.raises(Conflict):
                await ask(account, "no-such-task")
        assert await ledger.get(account, "no-such-task") is None

    async def test_a_create_for_no_account_is_refused(self, ledger: FullLedger) -> None:
        with pytest.raises(Missing):
            await ledger.add(new_task("nobody"))

    async def test_the_claim_carries_order_and_refusal(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        new = new_task(account, refusal=("InvalidParameter.Size", "too wide"))
        await ledger.add(new)
        claim = await must_claim(ledger, worker)
        assert claim.order == new.order
        assert claim.refusal == ("InvalidParameter.Size", "too wide")

    async def test_an_id_made_before_is_the_tasks(self, ledger: FullLedger, account: str) -> None:
        born = new_task_id()
        new = new_task(account, id=born, idempotency=("a-key", DIGEST))
        assert await ledger.add(new) == Added(born)
        again = replace(new, id=new_task_id())
        assert await ledger.add(again) == Added(born, fresh=False)
        assert await ledger.get(account, again.id or "") is None

    async def test_an_idempotency_key_finds_the_first_task(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        new = new_task(account, idempotency=("a-key", DIGEST))
        answers = await asyncio.gather(*(ledger.add(new) for _ in range(20)))
        assert len({answer.task_id for answer in answers}) == 1
        assert sorted(answer.fresh for answer in answers) == [False] * 19 + [True]
        with pytest.raises(InvalidParameter):
            await ledger.add(new_task(account, idempotency=("a-key", b"x" * 32)))
        other = await ledger.make_account("another")
        assert (await ledger.add(new_task(other, idempotency=("a-key", DIGEST)))).fresh
        await ledger.settle((await must_claim(ledger, worker)).lease, DONE)
        assert not (await ledger.add(new)).fresh
        await ledger.set_clock_offset(1_001)
        again = await ledger.add(new)
        assert again.fresh
        assert await ledger.add(new) == Added(again.task_id, fresh=False)

    async def test_max_pending(self, tmp_path: Path) -> None:
        wanted = Wanted(max_pending=2, max_open=3)
        async with self.open_ledger(tmp_path / "small", wanted) as ledger:
            account, other = [await ledger.make_account(name) for name in ("one", "two")]
            first = (await ledger.add(new_task(account))).task_id
            await ledger.add(new_task(account))
            with pytest.raises(AllocationQuotaExceeded):
                await ledger.add(new_task(account))
            await ledger.add(new_task(other))
            with pytest.raises(AllocationQuotaExceeded):
                await ledger.add(new_task(other))
            await ledger.cancel(account, first)
            await ledger.add(new_task(account))
            together = [ledger.add(new_task(account)) for _ in range(10)]
            answers = await asyncio.gather(*together, return_exceptions=True)
            assert all(isinstance(answer, AllocationQuotaExceeded) for answer in answers)

    async def test_the_limit_of_all_holds_for_creates_that_come_together(
        self, tmp_path: Path
    ) -> None:
        async with self.open_ledger(tmp_path / "small", Wanted(max_open=3)) as ledger:
            accounts = [await ledger.make_account(name) for name in ("one", "two")]
            together = [ledger.add(new_task(account)) for account in accounts * 5]
            answers = await asyncio.gather(*together, return_exceptions=True)
            assert sum(isinstance(answer, Added) for answer in answers) == 3

    async def test_expiry_is_decided_at_read(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        task = await ledger.settle((await must_claim(ledger, worker)).lease, DONE)
        assert task.end_at is not None
        assert task.expires_at == task.end_at + timedelta(seconds=self.wanted.retention)
        await ledger.set_clock_offset(990)
        assert await ledger.get(account, task_id) == task
        await ledger.set_clock_offset(1_001)
        assert await ledger.get(account, task_id) is None
        assert await ledger.served_by(task_id) is None
        assert not await ledger.events(account, task_id)
        assert (await ledger.list(account, around(task))).total == 0
        assert await ledger.counts() == {}

    async def test_lists(self, ledger: FullLedger, account: str, worker: str) -> None:
        ids = []
        for number in range(5):
            model = MODEL if number % 2 else "another-model"
            new = new_task(account, model=model, request_id=f"request-{number}")
            ids.append((await ledger.add(new)).task_id)
            await ledger.set_clock_offset(number + 1)
        await ledger.add(new_task(await ledger.make_account("another")))
        await ledger.cancel(account, ids[0])
        middle = await ledger.get(account, ids[2])
        assert middle is not None
        whole = await ledger.list(account, around(middle))
        assert [row.task.id for row in whole.rows] == ids[::-1]
        assert [row.request_id for row in whole.rows] == [f"request-{n}" for n in (4, 3, 2, 1, 0)]
        second = await ledger.list(account, around(middle, page=2, page_size=2))
        assert (second.total, [row.task.id for row in second.rows]) == (5, [ids[2], ids[1]])
        assert not (await ledger.list(account, around(middle, page=4, page_size=2))).rows

        async def found(**asked: object) -> list[str]:
            page = await ledger.list(account, around(middle, **asked))
            assert page.total == len(page.rows)
            return [row.task.id for row in page.rows]

        assert await found(model=MODEL) == [ids[3], ids[1]]
        assert await found(status=Status.CANCELED) == [ids[0]]
        assert await found(task_id=ids[1]) == [ids[1]]
        assert await found(task_id=ids[1], model="another-model") == []
        assert await found(start=middle.submit_at) == [ids[4], ids[3], ids[2]]
        assert await found(end=middle.submit_at) == [ids[1], ids[0]]

    async def test_lists_go_by_the_status_that_is_shown(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        waits = (await ledger.add(new_task(account))).task_id
        tries_again = (await must_claim(ledger, worker)).lease
        await ledger.fault(tries_again, "it fell")
        new = (await ledger.add(new_task(account))).task_id
        assert waits == tries_again.task
        for status, ids in ((Status.RUNNING, [waits]), (Status.PENDING, [new])):
            page = await ledger.list(account, ListQuery(status=status))
            assert [row.task.id for row in page.rows] == ids
            assert page.total == 1

    async def test_without_a_window_a_list_has_the_last_day(
        self, ledger: FullLedger, account: str
    ) -> None:
        await ledger.add(new_task(account))
        await ledger.set_clock_offset(86_300)
        new = (await ledger.add(new_task(account))).task_id
        assert (await ledger.list(account, ListQuery())).total == 2
        await ledger.set_clock_offset(86_500)
        assert [row.task.id for row in (await ledger.list(account, ListQuery())).rows] == [new]

    async def test_keys(self, ledger: FullLedger, account: str) -> None:
        digest = sha256(b"sk-0123456789abcdef").digest()
        key = await ledger.add_key(account, "mine", "sk-0123456789abcdef", priority=3)
        assert (key.account, key.name, key.scope, key.priority) == (account, "mine", "caller", 3)
        assert await ledger.accounts() == {account: "someone"}
        assert "0123456789" not in key.hint
        assert await ledger.find_key(digest) == key
        assert await ledger.find_key(sha256(b"another").digest()) is None
        with pytest.raises(Conflict):
            await ledger.add_key(account, "again", "sk-0123456789abcdef")
        await ledger.add_key(account, "mine", "sk-another-key-of-that-name")
        with pytest.raises(Conflict):
            await ledger.revoke_key("mine")
        assert (await ledger.revoke_key(key.id)).revoked_at is not None
        assert await ledger.find_key(digest) is None
        assert (await ledger.revoke_key("mine")).id != key.id
        with pytest.raises(Missing):
            await ledger.revoke_key("nobody's")
        assert [each.name for each in await ledger.keys()] == ["mine", "mine"]
        assert await ledger.make_account("someone") == account

    async def test_secrets_outlive_what_they_signed(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        (first,) = await ledger.secrets()
        await ledger.add(new_task(account))
        task = await ledger.settle((await must_claim(ledger, worker)).lease, DONE)
        assert task.result is not None
        assert task.result.kid == first.kid
        second = await ledger.rotate_secret()
        assert [secret.kid for secret in await ledger.secrets()] == [second.kid, first.kid]
        assert len(second.bytes) >= 32
        await ledger.add(new_task(account))
        task = await ledger.settle((await must_claim(ledger, worker)).lease, DONE)
        assert task.result is not None
        assert task.result.kid == second.kid
        await ledger.set_clock_offset(1_001)
        assert await ledger.secrets() == [second]

    async def test_a_secret_lives_as_long_as_the_last_link_it_signed(self, tmp_path: Path) -> None:
        folder, long, short = tmp_path / "same", Wanted(retention=1_000.0), Wanted(retention=10.0)
        async with self.open_ledger(folder, long) as ledger:
            account = await ledger.make_account("someone")
            await ledger.enrol(card("one"))
            await ledger.add(new_task(account))
            await ledger.settle((await must_claim(ledger, "one")).lease, DONE)
        async with self.open_ledger(folder, short) as ledger:
            (first,) = await ledger.secrets()
            second = await ledger.rotate_secret()
            await ledger.set_clock_offset(995)
            assert await ledger.secrets() == [second, first]
            third = await ledger.rotate_secret()
            assert await ledger.secrets() == [third, second, first]
            await ledger.set_clock_offset(1_002)
            assert first not in await ledger.secrets()
            await ledger.set_clock_offset(1_010)
            assert await ledger.secrets() == [third]

    async def test_counts_and_workers(self, ledger: FullLedger, account: str, worker: str) -> None:
        for _ in range(3):
            await ledger.add(new_task(account))
        await must_claim(ledger, worker)
        assert await ledger.counts() == {(MODEL, "PENDING"): 2, (MODEL, "RUNNING"): 1}
        await ledger.enrol(replace(card("second", "a", "b"), devices=("cuda:0", "cuda:1")))
        seen = {each.id: each for each in await ledger.workers()}
        assert set(seen) == {worker, "second"}
        assert seen["second"].models == ("a", "b")
        assert seen["second"].devices == ("cuda:0", "cuda:1")
        assert seen[worker].devices == ()
        assert 0 <= seen["second"].age < 10
        with pytest.raises(Conflict):
            await ledger.enrol(card("second"))
