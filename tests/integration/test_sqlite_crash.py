"""Writers that are killed, stopped or refused at any moment."""

import asyncio
import os
import random
import signal
import sqlite3
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlite_house import SilentBell, opened, python
from sqlite_lives import nursery
from structlog.testing import capture_logs

from ferrotype.conformance.ledger_base import DONE, MODEL, card, must_claim, new_task
from ferrotype.errors import Broken, Conflict, Unavailable, default_message
from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.task import Status

KILLS = 20  # of each of the two writers


async def test_twenty_kills_of_either_writer(tmp_path: Path) -> None:
    chance = random.Random(20)
    async with opened(tmp_path) as ledger, nursery() as born:
        account = await ledger.make_account("someone")
        added: list[str] = []
        settled: list[str] = []

        async def live_and_die(kind: str, name: str, round_: int) -> list[str]:
            life = await born.start(kind, tmp_path, tmp_path / f"{kind}-{round_}", name)
            if round_ % 4:  # else at any moment, from its first on
                await life.until(answers=1)
            await asyncio.sleep(chance.uniform(0, 0.03))
            return await life.kill()

        for round_ in range(KILLS):
            answers, ends = await asyncio.gather(
                live_and_die("front", account, round_),
                live_and_die("back", f"worker-{round_}", round_),
            )
            added += answers
            settled += ends
            added.append((await ledger.add(new_task(account))).task_id)  # the lock is free again
        assert len(await ledger.reap()) > 0
        assert await ledger.known(added) == set(added)
        assert len(settled) == len(set(settled)) >= KILLS / 2
        for task_id in settled:
            task = await ledger.get(account, task_id)
            assert task is not None
            assert task.status is Status.SUCCEEDED
        assert {status for _, status in await ledger.counts()} <= {"PENDING", "SUCCEEDED"}
        await ledger.checkpoint()
    check_books(tmp_path)


def check_books(folder: Path) -> None:
    """Ask SQLite whether the file is whole, and whether the sums that we keep are right."""
    conn = sqlite3.connect(folder / "ledger.db")
    assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    wrong = conn.execute(
        "SELECT id FROM account WHERE open != (SELECT count(*) FROM task WHERE account = account.id"
        " AND status IN ('PENDING', 'RUNNING'))"
    ).fetchall()
    assert wrong == []
    for part in ("body", "event", "result"):
        query = f"SELECT count(*) FROM {part} WHERE n NOT IN (SELECT n FROM task)"
        assert conn.execute(query).fetchone() == (0,)
    assert conn.execute(
        "SELECT count(*) FROM task WHERE (status = 'SUCCEEDED') != (n IN (SELECT n FROM result))"
    ).fetchone() == (0,)
    conn.close()


@asynccontextmanager
async def lock_holder(folder: Path) -> AsyncIterator[int]:
    """A process that takes the ledger's lock and is then stopped; gives its pid."""
    script = """
import os
from pathlib import Path
from ferrotype.ledgers.sqlite.locks import BatchLock
BatchLock(Path(sys.argv[1]) / "ledger.lock").acquire()
os.write(1, b"had\\n")
sys.stdin.read()
"""
    holder = await asyncio.create_subprocess_exec(
        *python(script), os.fspath(folder), stdin=PIPE, stdout=PIPE
    )
    assert holder.stdout is not None
    assert await asyncio.wait_for(holder.stdout.readline(), 20) == b"had\n"
    holder.send_signal(signal.SIGSTOP)
    try:
        yield holder.pid
    finally:
        holder.kill()
        await holder.communicate()


async def test_a_stuck_lock_holder_refuses_creates_and_nothing_else(tmp_path: Path) -> None:
    limits = Limits(test=True, patience=0.5)
    async with opened(tmp_path, limits) as ledger:
        account = await ledger.make_account("someone")
        before = (await ledger.add(new_task(account))).task_id
        async with lock_holder(tmp_path) as pid:
            creates = [asyncio.create_task(ledger.add(new_task(account))) for _ in range(20)]
            await asyncio.sleep(0)
            assert await ledger.get(account, before) is not None
            assert await ledger.counts() == {(MODEL, "PENDING"): 1}
            with capture_logs() as said:
                answers = await asyncio.gather(*creates, return_exceptions=True)
            refusals = [answer for answer in answers if isinstance(answer, Unavailable)]
            assert [str(one) for one in refusals] == [default_message(Unavailable)] * 20
            assert str(pid) in str(refusals[0].__cause__)
            (line,) = [line for line in said if line["event"] == "ledger busy"]
            assert (line["holder"], line["commands"]) == (str(pid), 20)
            with pytest.raises(Unavailable):
                await ledger.add(new_task(account))
        await ledger.add(new_task(account))
        assert await ledger.counts() == {(MODEL, "PENDING"): 2}


async def test_who_came_later_is_refused_later(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(patience=1.5)) as ledger:
        account = await ledger.make_account("someone")
        async with lock_holder(tmp_path):
            early = asyncio.create_task(ledger.add(new_task(account)))
            await asyncio.sleep(1.0)
            late = asyncio.create_task(ledger.add(new_task(account)))
            with pytest.raises(Unavailable):
                await early
        assert (await late).fresh
        assert await ledger.counts() == {(MODEL, "PENDING"): 1}


async def test_a_closed_ledger_takes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        waiting = [ledger.add(new_task(account)) for _ in range(10)]
        answers = asyncio.gather(*waiting)
        await asyncio.sleep(0)
    assert len(await answers) == 10
    with pytest.raises(Unavailable):
        await asyncio.wait_for(ledger.add(new_task(account)), 2)


async def test_a_failed_commit_fails_every_waiter(tmp_path: Path) -> None:
    bell = SilentBell()
    async with SqliteLedger.open(tmp_path, bell=bell, migrate=True) as ledger:
        account = await ledger.make_account("someone")
        conn = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        conn.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        conn.execute(
            "CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )
        conn.execute(
            "CREATE TRIGGER breaks AFTER INSERT ON task BEGIN INSERT INTO child VALUES (1); END"
        )
        await ledger._store.writer.do(
            lambda batch: batch.conn.execute("PRAGMA foreign_keys = ON"), bare=True
        )
        creates = [ledger.add(new_task(account)) for _ in range(10)]
        with capture_logs() as said:
            answers = await asyncio.gather(*creates, return_exceptions=True)
        assert all(isinstance(answer, Unavailable) for answer in answers), answers
        assert {str(answer) for answer in answers} == {default_message(Unavailable)}
        assert all("FOREIGN KEY" in line["error"] for line in said)
        assert not bell.rings
        conn.execute("DROP TRIGGER breaks")
        assert await ledger.counts() == {}
        assert (await ledger.add(new_task(account))).fresh
        conn.close()


async def test_one_bad_command_does_not_hurt_its_batch(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        creates = [ledger.add(new_task(account if n % 2 else "nobody")) for n in range(10)]
        answers = await asyncio.gather(*creates, return_exceptions=True)
        assert sum(isinstance(answer, Exception) for answer in answers) == 5
        assert await ledger.counts() == {(MODEL, "PENDING"): 5}


async def test_a_command_that_breaks_off_has_written_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        writer = ledger._store.writer

        def write(batch: Batch, name: str, breaks: bool) -> None:
            batch.conn.execute("INSERT INTO meta VALUES (?, 1)", (name,))
            if breaks:
                raise Conflict

        names = [f"name-{number}" for number in range(6)]
        commands = [partial(write, name=name, breaks=n % 2 > 0) for n, name in enumerate(names)]
        answers = [writer.do(command) for command in commands]
        await asyncio.gather(*answers, return_exceptions=True)
        rows = ledger._store.reader.execute("SELECT name FROM meta ORDER BY name").fetchall()
        assert rows == [("name-0",), ("name-2",), ("name-4",)]


async def test_a_command_that_the_database_refuses_tells_the_log_why(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        with capture_logs() as said, pytest.raises(Broken) as refused:
            await ledger._store.writer.do(lambda batch: batch.conn.execute("SELECT torn"))
        assert str(refused.value) == default_message(Broken)
        (line,) = said
        assert line["event"] == "ledger command failed"
        assert "torn" in str(refused.value.__cause__)


async def test_a_bare_command_runs_in_no_transaction(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        writer = ledger._store.writer

        def inside(batch: Batch) -> bool:
            return batch.conn.in_transaction

        answers = [writer.do(inside, bare=n % 3 == 1) for n in range(9)]
        assert await asyncio.gather(*answers) == [True, False, True] * 3


async def test_a_full_queue_refuses(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(queue=5, patience=0.5)) as ledger:
        account = await ledger.make_account("someone")
        async with lock_holder(tmp_path):
            creates = [ledger.add(new_task(account)) for _ in range(8)]
            answers = await asyncio.gather(*creates, return_exceptions=True)
            refusals = [answer for answer in answers if isinstance(answer, Unavailable)]
            assert [str(one) for one in refusals] == [default_message(Unavailable)] * 8
            assert sum("writes wait already" in str(one.__cause__) for one in refusals) == 3


async def test_a_cancelled_claim_keeps_no_task(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        for _ in range(5):
            task_id = (await ledger.add(new_task(account))).task_id
            claiming = asyncio.create_task(ledger.claim("one", [MODEL]))
            await asyncio.sleep(0)
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
            task = await ledger.get(account, task_id)
            assert task is not None
            assert task.status is Status.PENDING
            await ledger.settle((await must_claim(ledger, "one")).lease, DONE)


async def test_a_claim_that_is_refused_while_it_is_cancelled_is_cancelled(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        claiming = asyncio.create_task(ledger.claim("nobody", [MODEL]))
        await asyncio.sleep(0)
        claiming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claiming


async def test_a_killed_worker_is_found_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger, nursery() as born:
        account = await ledger.make_account("someone")
        for _ in range(200):
            await ledger.add(new_task(account))
        back = await born.start("back", tmp_path, tmp_path / "told", "gone")
        await back.until(answers=1)
        assert list(await ledger.reap()) == []
        await back.kill()
        assert list(await ledger.reap()) == ["gone"]
        assert not (tmp_path / "workers" / "gone").exists()
        assert (MODEL, "RUNNING") not in await ledger.counts()


async def test_a_worker_whose_row_outlived_its_file_is_dead(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        task_id = (await ledger.add(new_task(account))).task_id
        await must_claim(ledger, "one")
        await ledger.backup(tmp_path / "copy.db")
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "copy.db").rename(restored / "ledger.db")
    async with opened(restored) as ledger:
        assert await ledger.workers() == []
        assert list(await ledger.reap()) == ["one"]
        task = await ledger.get(account, task_id)
        assert task is not None
        assert task.status is Status.PENDING


async def test_a_backup_while_others_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger, nursery() as born:
        account = await ledger.make_account("someone")
        front = await born.start("front", tmp_path, tmp_path / "told", account)
        await front.until(answers=200)
        before = set(front.answers())
        await ledger.backup(tmp_path / "copy.db")
        await front.kill()
        with pytest.raises(FileExistsError):
            await ledger.backup(tmp_path / "copy.db")
    conn = sqlite3.connect(tmp_path / "copy.db")
    assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # it is one file
    assert before <= {row[0] for row in conn.execute("SELECT id FROM task")}
    assert conn.execute("SELECT count(*) FROM task").fetchone() == (
        conn.execute("SELECT count(*) FROM body").fetchone()
    )
    conn.close()
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
