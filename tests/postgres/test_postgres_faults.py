"""Connections that break, answers that never come, servers that are away."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from bench.postgres import Server
from msgspec.structs import replace
from places import opened
from pooler import PROGRAM, pooled
from proxy import between
from structlog.testing import capture_logs

from ferrotype.conformance.ledger_base import DONE, MODEL, card, must_claim, new_task
from ferrotype.errors import Broken, Conflict, Unavailable
from ferrotype.ledgers.postgres import Limits, database, lives, moves
from ferrotype.ledgers.postgres.batches import Batches
from ferrotype.ports.ledger import Ending, ListQuery
from ferrotype.task import Move, Status, Who

pytest_plugins = ["postgres_fixtures"]

QUICK = Limits(test=True, patience=3.0, lease=1.0)


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


async def test_a_create_whose_answer_was_lost_is_made_once(url: str) -> None:
    async with between(url) as (proxy, through), opened(through, QUICK) as ledger:
        account = await ledger.make_account("someone")
        await ledger.add(new_task(account))
        proxy.swallow_answer_to(b"COMMIT")
        answers = await asyncio.gather(*(ledger.add(new_task(account)) for _ in range(5)))
        assert proxy.broken == 1
        assert len({answer.task_id for answer in answers}) == 5
        assert all(answer.fresh for answer in answers)
        assert await ledger.counts() == {(MODEL, "PENDING"): 6}


async def test_a_claim_whose_answer_was_lost_is_found_again(url: str) -> None:
    async with between(url) as (proxy, through), opened(through, QUICK) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(3)]
        assert (await must_claim(ledger, "one")).task.id == ids[0]
        proxy.swallow_answer_to(b"some-model")
        claim = await must_claim(ledger, "one")
        assert proxy.broken == 1
        assert (claim.task.id, claim.lease.attempt) == (ids[1], 1)
        assert await ledger.counts() == {(MODEL, "RUNNING"): 2, (MODEL, "PENDING"): 1}


SLOW = """CREATE FUNCTION slow() RETURNS TRIGGER LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(0.8); RETURN NEW; END';
CREATE CONSTRAINT TRIGGER slow AFTER {move} ON task DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.model = 'slow') EXECUTE FUNCTION slow()"""


async def slow_down(url: str, move: str) -> None:
    """Let a commit that moves a task of the model `slow` take its time."""
    conn = await asyncpg.connect(url)
    await conn.execute(SLOW.format(move=move))
    await conn.close()


async def test_a_create_that_is_committed_after_its_line_broke_is_made_once(url: str) -> None:
    async with between(url) as (proxy, through), opened(through, QUICK) as ledger:
        account = await ledger.make_account("someone")
        await ledger.add(new_task(account))
        await slow_down(url, "INSERT")
        proxy.swallow_answer_to(b"COMMIT", wait=False)
        answers = await asyncio.gather(
            *(ledger.add(new_task(account, model="slow")) for _ in range(3))
        )
        assert proxy.broken == 1
        assert len({answer.task_id for answer in answers}) == 3
        assert await ledger.counts() == {(MODEL, "PENDING"): 1, ("slow", "PENDING"): 3}
        (one,) = await ledger.account_list()
        assert one.open == 4


async def test_a_claim_that_is_committed_after_its_line_broke_is_given_back(url: str) -> None:
    async with between(url) as (proxy, through), opened(through, QUICK) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        await ledger.add(new_task(account, model="other"))
        await must_claim(ledger, "one", "other")
        slow = [(await ledger.add(new_task(account, model="slow"))).task_id for _ in range(2)]
        await slow_down(url, "UPDATE")
        proxy.swallow_answer_to(b"slow", wait=False)
        claim = await must_claim(ledger, "one", "slow")  # looks too soon, and takes the next one
        assert claim.task.id == slow[1]
        assert await ledger.counts() == {("other", "RUNNING"): 1, ("slow", "RUNNING"): 2}
        told = {claim.lease: 0.0}
        await ledger.renew("one", told)
        assert (await ledger.counts())["slow", "RUNNING"] == 2  # its worker may hear of it yet
        await ledger.set_clock_offset(61)
        await ledger.renew("one", told)
        assert (await ledger.counts())["slow", "PENDING"] == 1
        made = [event.move for event in await ledger.events(account, slow[0])]
        assert made == [Move.CLAIM, Move.GIVE_BACK]
        await ledger.settle(claim.lease, DONE)


async def test_of_two_leases_that_settle_together_the_live_one_counts(url: str) -> None:
    async with opened(url) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        task = (await ledger.add(new_task(account))).task_id
        old = (await must_claim(ledger, "one")).lease
        await ledger.give_back(old, "why")
        live = (await must_claim(ledger, "one")).lease
        ends = await asyncio.gather(
            ledger.settle(live, DONE), ledger.settle(old, DONE), return_exceptions=True
        )
        assert not isinstance(ends[0], BaseException)
        assert (ends[0].id, ends[0].status) == (task, Status.SUCCEEDED)
        assert isinstance(ends[1], Conflict)


class Meddling:
    """A connection after whose first query somebody else does something."""

    def __init__(self, conn: asyncpg.Connection, meddle: Callable[[], Awaitable[object]]) -> None:
        self._conn = conn
        self._meddle: Callable[[], Awaitable[object]] | None = meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    async def fetch(self, query: str, *given: Any) -> Any:
        rows = await self._conn.fetch(query, *given)
        if self._meddle is not None:
            meddle, self._meddle = self._meddle, None
            await meddle()
        return rows


async def test_a_move_is_made_although_its_task_just_lost_its_slot(url: str) -> None:
    async with opened(url, size=2) as ledger:
        account = await ledger.make_account("someone")
        await ledger.set_cap(None, None, 4)
        await ledger.enrol(card("one"))
        await ledger.add(new_task(account))
        lease = (await must_claim(ledger, "one")).lease

        async def uncap() -> None:
            await ledger.set_cap(None, None, None)
            await ledger.admit_due()

        conn = await asyncpg.connect(url)
        step = moves.Step(lease.task, lease.attempt, lease.worker, code="Some", message="why")
        told = moves.Told(Who.WORKER, timedelta(days=1))
        moved, _ = await moves.apply(Meddling(conn, uncap), Move.FAIL, [step], told)
        assert set(moved) == {lease.task}
        await conn.close()


async def test_a_claim_that_nobody_heard_of_is_given_back_by_the_next(url: str) -> None:
    limits = Limits(test=True, patience=0.15)  # too short for another try
    async with between(url) as (proxy, through), opened(through, limits) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        await ledger.claim("one", [MODEL])
        first = (await ledger.add(new_task(account))).task_id
        proxy.swallow_answer_to(b"some-model")
        with pytest.raises(Unavailable):
            await ledger.claim("one", [MODEL])
        claim = await must_claim(ledger, "one")
        assert (claim.task.id, claim.lease.attempt) == (first, 2)
        made = [event.move for event in await ledger.events(account, first)]
        assert made == [Move.CLAIM, Move.GIVE_BACK, Move.CLAIM]


@pytest.mark.parametrize("word", ["succeed", "fail", "cancel"])
async def test_an_end_whose_answer_was_lost_is_told_as_it_was_made(url: str, word: str) -> None:
    async with between(url) as (proxy, through), opened(through, QUICK) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        for swallow in (False, True):
            task = (await ledger.add(new_task(account))).task_id
            lease = None if word == "cancel" else (await must_claim(ledger, "one")).lease
            if swallow:
                proxy.swallow_answer_to(task.encode())
            if lease is None:
                ended = (await ledger.cancel(account, task)).status
            else:
                ending = DONE if word == "succeed" else Ending(code="Some", message="why")
                ended = (await ledger.settle(lease, ending)).status
            assert ended == {"succeed": "SUCCEEDED", "fail": "FAILED", "cancel": "CANCELED"}[word]
            made = Counter(event.move for event in await ledger.events(account, task))
            assert made[Move(word)] == 1
        assert proxy.broken == 1


async def test_a_database_that_is_away_is_told_and_comes_back(url: str) -> None:
    limits = Limits(test=True, patience=0.5)
    async with between(url) as (proxy, through), opened(through, limits) as ledger:
        account = await ledger.make_account("someone")
        proxy.drop()
        proxy.cut_all()
        with pytest.raises(Unavailable):
            await ledger.add(new_task(account))
        with pytest.raises(Unavailable):
            await ledger.get(account, "some-task")
        proxy.heal()
        proxy.cut_all()
        assert (await ledger.add(new_task(account))).fresh


async def test_nobody_waits_forever_for_a_batch_that_was_cut_short() -> None:
    async def cut(calls: Sequence[int]) -> Sequence[int | Exception]:
        if 0 in calls:
            raise asyncio.CancelledError
        return calls

    batches = Batches(cut, 10)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(batches.do(0), 1)
    assert await asyncio.wait_for(batches.do(1), 1) == 1


async def test_one_bad_task_spoils_no_other(url: str) -> None:
    async with opened(url) as ledger:
        account = await ledger.make_account("someone")
        new = [new_task(account, model="bad\0model"), new_task("nobody"), new_task(account)]
        answers = await asyncio.gather(*(ledger.add(one) for one in new), return_exceptions=True)
        assert [isinstance(answer, Exception) for answer in answers] == [True, True, False]


@pytest.mark.parametrize("ask", ["get", "cancel", "events", "served_by"])
async def test_an_id_that_no_database_can_hold_is_unknown(url: str, ask: str) -> None:
    async with opened(url) as ledger:
        account = await ledger.make_account("someone")
        if ask == "cancel":
            with pytest.raises(Conflict):
                await ledger.cancel(account, "a\0b")
        elif ask == "served_by":
            assert await ledger.served_by("a\0b") is None
        else:
            assert not await getattr(ledger, ask)(account, "a\0b")


async def test_tasks_of_a_process_of_this_machine_that_died_wait_for_no_lease(url: str) -> None:
    async with opened(url, size=2) as ledger:
        account = await ledger.make_account("someone")
        dying = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        for worker, pid in (("dying", dying.pid), ("living", os.getpid())):
            await ledger.enrol(replace(card(worker), pid=pid))
            await ledger.add(new_task(account))
            await must_claim(ledger, worker)
        assert list(await ledger.reap()) == []
        dying.kill()
        dying.communicate()
        assert list(await ledger.reap()) == ["dying"]
        assert await ledger.counts() == {(MODEL, "PENDING"): 1, (MODEL, "RUNNING"): 1}


def test_a_process_number_that_is_used_again_is_somebody_else() -> None:
    mine = lives.of(os.getpid())
    assert not lives.is_over(mine)
    assert lives.is_over(mine[:-1])


def test_a_process_that_is_hidden_from_us_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    life = lives.of(living.pid)

    def hidden(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", hidden)
    assert not lives.is_over(life)
    living.kill()
    living.communicate()
    assert lives.is_over(life)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("/t", "/missing"), "does not exist"),
        (lambda url: url.replace("ferrotype@", "stranger@"), "stranger"),
        (lambda url: url.split("/t")[0].rsplit(":", 1)[0] + ":99999/x", "DATABASE_URL"),
    ],
)
async def test_a_wrong_address_is_told_in_one_sentence(
    url: str, change: Callable[[str], str], said: str
) -> None:
    with pytest.raises(Broken, match=said):
        async with opened(change(url)):
            pass


async def test_a_server_that_does_not_answer_is_told(url: str) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        async with opened("postgresql://ferrotype@127.0.0.1:1/x", Limits(patience=0.2)):
            pass


async def test_what_hangs_in_a_transaction_lets_others_go_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.SESSION, "idle_in_transaction_session_timeout", "300")
    async with opened(url) as hanging, opened(url) as ledger:
        account = await hanging.make_account("someone")
        began = asyncio.Event()

        async def hang(conn: database.Connection) -> None:
            await conn.execute("SELECT 1 FROM account FOR UPDATE")
            began.set()
            await asyncio.sleep(1.0)  # as a process that was stopped does

        stuck = asyncio.create_task(hanging._store.change(hang))
        await began.wait()
        async with asyncio.timeout(0.9):
            await ledger.add(new_task(account))
        stuck.cancel()


async def test_a_statement_that_takes_too_long_is_ended(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.SESSION, "statement_timeout", "200")
    async with opened(url, Limits(patience=0.1)) as ledger:
        with pytest.raises(Unavailable) as refused:
            await ledger._store.database.fetch("SELECT pg_sleep(5)")
        assert isinstance(refused.value.__cause__, asyncpg.QueryCanceledError)
        rows = await ledger._store.database.fetch_long("SELECT pg_sleep(0.5)")  # an operator's
        assert len(rows) == 1


async def test_one_account_that_lists_keeps_no_other_from_listing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(url, size=2) as ledger:
        busy = Counter[str]()
        most = Counter[str]()
        run = ledger._store.database.run

        async def watched(work: Any, *, lists: bool = False) -> Any:
            account = work.__closure__[0].cell_contents[0]
            busy[account] += 1
            busy["all"] += 1
            most.update({who: max(0, busy[who] - most[who]) for who in (account, "all")})
            await asyncio.sleep(0.02)
            try:
                return await run(work, lists=lists)
            finally:
                busy[account] -= 1
                busy["all"] -= 1

        monkeypatch.setattr(ledger._store.database, "run", watched)
        await asyncio.gather(*(ledger.list(who, ListQuery()) for who in "aaaaaaaab"))
        assert most == {"a": 1, "b": 1, "all": 2}


@pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer here")
async def test_a_pooler_of_transactions_is_enough(url: str) -> None:
    with pooled(url) as through:
        async with opened(through, pooled=True, size=6) as ledger:
            account = await ledger.make_account("someone")

            async def work(worker: str) -> int:
                await ledger.enrol(card(worker))
                ended = 0
                while claim := await ledger.claim(worker, [MODEL]):
                    task = await ledger.settle(claim.lease, DONE)
                    assert task.status is Status.SUCCEEDED
                    ended += 1
                return ended

            await asyncio.gather(*(ledger.add(new_task(account)) for _ in range(100)))
            assert sum(await asyncio.gather(*(work(f"w{i}") for i in range(8)))) == 100
            assert await ledger.lead()


async def test_behind_a_pooler_missing_time_outs_are_told(url: str) -> None:
    with capture_logs() as said:
        async with opened(url, pooled=True):
            pass
    assert [line["missing"] for line in said if line["event"] == "no time-out"] == [
        "statement_timeout",
        "idle_in_transaction_session_timeout",
    ]
