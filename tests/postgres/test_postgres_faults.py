"""Connections that break, answers that never come, servers that are away."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest
from bench.postgres import Server
from msgspec.structs import replace
from places import opened
from proxy import between

from ferrotype.conformance.ledger_base import DONE, MODEL, card, must_claim, new_task
from ferrotype.errors import Broken, Conflict, Unavailable
from ferrotype.ledgers.postgres import Limits, lives
from ferrotype.ports.ledger import Ending
from ferrotype.task import Move, Status

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
        moves = [event.move for event in await ledger.events(account, first)]
        assert moves == [Move.CLAIM, Move.GIVE_BACK, Move.CLAIM]


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
            moves = Counter(event.move for event in await ledger.events(account, task))
            assert moves[Move(word)] == 1
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


async def test_a_pooler_of_transactions_is_enough(url: str) -> None:
    async with opened(url, pooled=True, size=2) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        await ledger.add(new_task(account))
        task = await ledger.settle((await must_claim(ledger, "one")).lease, DONE)
        assert task.status is Status.SUCCEEDED
        assert await ledger.lead()
