"""Guards of the SQLite ledger that stand behind its own questions: nobody passes them by mistake.

And what no port sets yet, but the schema holds: weights and limits of single accounts.
"""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from sqlite_house import SilentBell, opened

from ferrotype.conformance.ledger_base import DONE, MODEL, card, must_claim, new_task
from ferrotype.errors import AllocationQuotaExceeded, Conflict
from ferrotype.ledgers.sqlite import Limits, SqliteLedger, caps, store, upkeep
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.task import RULES, Move, Status, Who


async def change(ledger: SqliteLedger, sql: str) -> None:
    """Write to the database as the ledger would."""

    def command(batch: Batch) -> None:
        batch.conn.execute(sql)

    await ledger._store.writer.do(command)


@pytest.mark.parametrize("move", [Move.CANCEL, Move.ASK_STOP, Move.DROP, Move.LOSE])
async def test_a_move_is_made_by_those_who_may(tmp_path: Path, move: Move) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        task_id = (await ledger.add(new_task(account))).task_id
        if Status.PENDING not in RULES[move].sources:
            await must_claim(ledger, "one")
        for who in set(Who) - RULES[move].who:
            with pytest.raises(Conflict):
                await ledger._store.move(move, task_id, who)
        await ledger._store.move(move, task_id, *list(RULES[move].who)[:1])


async def test_who_is_not_claimable_is_not_claimed(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        held = (await ledger.add(new_task(account, delay=30.0))).task_id
        with pytest.raises(Conflict):
            await ledger._store.move(Move.CLAIM, held, Who.WORKER, worker="one")
        turn = {"turn": 0.0, "slot": 0}
        with pytest.raises(Conflict):
            await ledger._store.move(Move.DUE, held, Who.JANITOR, **turn)
        ready = (await ledger.add(new_task(account, attended_for=30.0))).task_id
        for move in (Move.DUE, Move.ADMIT):
            with pytest.raises(Conflict):
                await ledger._store.move(move, ready, Who.JANITOR, **turn)
        with pytest.raises(Conflict):
            await ledger._store.move(Move.ABANDON, ready, Who.JANITOR)


async def test_what_a_worker_serves_again_is_not_unserved(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        canceled, waiting = [(await ledger.add(new_task(account))).task_id for _ in range(2)]
        await ledger.set_clock_offset(61)
        found = ledger._unserved(60_000_000, ledger._store.reader)
        assert found == [(canceled, MODEL), (waiting, MODEL)]
        await ledger.cancel(account, canceled)
        await ledger.enrol(card("one"))
        writer = ledger._store.writer
        assert await writer.do(lambda batch: upkeep._end_unserved(found, batch)) == 0
        await change(ledger, "DELETE FROM worker")
        assert await writer.do(lambda batch: upkeep._end_unserved(found, batch)) == 1


@pytest.mark.parametrize("cap", [None, 4])
async def test_an_account_of_twice_the_weight_goes_twice_as_often(
    tmp_path: Path, cap: int | None
) -> None:
    async with opened(tmp_path) as ledger:
        heavy, light = [await ledger.make_account(name) for name in ("heavy", "light")]
        await change(ledger, "UPDATE account SET weight = 2 WHERE name = 'heavy'")
        await ledger.set_cap(None, None, cap)
        await ledger.enrol(card("one"))
        for account in (light, heavy):
            for _ in range(24):
                await ledger.add(new_task(account))
        order = []
        for _ in range(24):
            order.append(await ledger.settle((await must_claim(ledger, "one")).lease, DONE))
        assert 14 <= sum(task.account == heavy for task in order) <= 17


async def test_an_account_may_have_a_limit_of_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(max_pending=2)) as ledger:
        small, large = [await ledger.make_account(name) for name in ("small", "large")]
        await change(ledger, "UPDATE account SET max_pending = 1 WHERE name = 'small'")
        await change(ledger, "UPDATE account SET max_pending = 3 WHERE name = 'large'")
        for account, most in ((small, 1), (large, 3)):
            for _ in range(most):
                await ledger.add(new_task(account))
            with pytest.raises(AllocationQuotaExceeded):
                await ledger.add(new_task(account))


async def test_a_changed_cap_reaches_every_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caps, "CHUNK", 2)
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        for _ in range(9):
            await ledger.add(new_task(account))
        await ledger.set_cap(account, None, 1)
        await ledger.admit_due()
        await must_claim(ledger, "one")
        assert await ledger.claim("one", [MODEL]) is None


async def test_an_expired_key_opens_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        key = await ledger.add_key(await ledger.make_account("someone"), "mine", "sk-mine")
        digest = sha256(b"sk-mine").digest()
        assert await ledger.find_key(digest) == key
        now = ledger._store.now(ledger._store.reader)
        await change(ledger, f"UPDATE key SET expires_at = {now + 10_000_000}")
        assert await ledger.find_key(digest) is not None
        await ledger.set_clock_offset(11)
        assert await ledger.find_key(digest) is None


async def test_a_moved_clock_moves_only_ledgers_that_are_opened_for_tests(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.set_clock_offset(1_000)
    async with opened(tmp_path, Limits()) as ledger:
        assert ledger._store.now(ledger._store.reader) < 1_000_000 + ledger._store.writer._clock(
            ledger._store.reader
        )


async def test_what_is_due_now_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000_000_000  # microseconds; it moves when we say so
    monkeypatch.setattr(store, "time_ns", lambda: now * 1_000)
    limits = Limits(retention=10.0, test=True)
    async with opened(tmp_path, limits) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        attended = (await ledger.add(new_task(account, attended_for=10.0))).task_id
        await ledger.add(new_task(account, delay=10.0, model="later"))
        now += 9_999_999
        assert await ledger.abandon() == 0
        assert await ledger.claim("one", ["later"]) is None
        now += 1
        assert await ledger.abandon() == 1
        assert await ledger.admit_due() == 1
        await ledger.settle((await must_claim(ledger, "one", "later")).lease, DONE)
        now += 9_999_999
        assert await ledger.get(account, attended) is not None
        assert list(await ledger.expired(10)) == []
        now += 1
        assert await ledger.get(account, attended) is None
        assert len(await ledger.expired(10)) == 2


class Reading(SilentBell):
    """A bell that looks into the database when it is rung, as those whom it wakes would."""

    def __init__(self, database: Path) -> None:
        super().__init__()
        self._database = database
        self.seen: list[tuple[frozenset[str], list[tuple[str]]]] = []

    def ring(self, topics: Collection[str]) -> None:
        with closing(sqlite3.connect(self._database)) as conn:
            rows = conn.execute("SELECT status FROM task ORDER BY n").fetchall()
        self.seen.append((frozenset(topics), rows))
        raise RuntimeError("a bell that breaks breaks nothing else")


async def test_whoever_is_woken_sees_what_it_was_woken_for(tmp_path: Path) -> None:
    bell = Reading(tmp_path / "ledger.db")
    async with SqliteLedger.open(tmp_path, bell=bell, migrate=True) as ledger:
        account = await ledger.make_account("someone")
        task_id = (await ledger.add(new_task(account))).task_id
        await ledger.cancel(account, task_id)
    added, canceled = bell.seen
    assert added == (frozenset({f"work:{MODEL}"}), [("PENDING",)])
    assert canceled == (frozenset({f"task:{task_id}"}), [("CANCELED",)])


async def test_forgotten_tasks_leave_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(retention=10.0, test=True)) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        await ledger.add(new_task(account, idempotency=("a", b"digest")))
        lease = (await must_claim(ledger, "one")).lease
        await ledger.note(lease, b"a note")
        await ledger.settle(lease, DONE)
        await ledger.set_clock_offset(11)
        (swept,) = await ledger.expired(10)
        await ledger.forget([swept.task_id])
        conn = ledger._store.reader
        for table in ("task", "body", "result", "note", "event", "idempotency"):
            assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


async def test_reads_cannot_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        for conn in (ledger._store.reader, ledger._store.scanner):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                conn.execute("INSERT INTO meta VALUES ('a', 1)")


async def test_commits_are_on_the_disk_and_the_log_is_folded_back_by_us_alone(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as ledger:
        asked = {"synchronous": 2, "wal_autocheckpoint": 0, "journal_mode": "wal"}

        def settings(batch: Batch) -> dict[str, object]:
            return {name: batch.conn.execute(f"PRAGMA {name}").fetchone()[0] for name in asked}

        assert await ledger._store.writer.do(settings, bare=True) == asked
