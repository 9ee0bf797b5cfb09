"""Who lives and who is dead: the locks and leases of workers on one machine."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic, time

import pytest
from sqlite_house import opened

from ferrotype.conformance.ledger_base import MODEL, card, must_claim, new_task
from ferrotype.errors import Broken, Conflict
from ferrotype.ledgers.sqlite import Limits, upkeep
from ferrotype.ledgers.sqlite.locks import FileLock
from ferrotype.task import Status


class Clocks:
    """The wall's clock and the steady one, as the janitor reads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = time()
        self.steady = monotonic()
        monkeypatch.setattr(upkeep, "time", lambda: self.wall)
        monkeypatch.setattr(upkeep, "monotonic", lambda: self.steady)

    def pass_(self, seconds: float, jump: float = 0.0) -> None:
        self.steady += seconds
        self.wall += seconds + jump


async def put_forward(folder: Path, seconds: float) -> None:
    """Move the ledger's clock but no lease, as a host's clock that jumps does."""
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as conn:
        conn.execute(
            "INSERT OR REPLACE INTO meta VALUES ('clock_offset', ?)", (int(seconds * 1_000_000),)
        )


async def test_a_clock_that_jumps_forward_kills_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as ledger:
        clocks = Clocks(monkeypatch)
        for worker in ("lively", "silent"):
            await ledger.enrol(card(worker))
        assert list(await ledger.reap()) == []
        clocks.pass_(1, jump=3_600)
        await put_forward(tmp_path, 3_600)
        assert list(await ledger.reap()) == []
        await ledger.renew("lively", {})
        clocks.pass_(14)
        assert list(await ledger.reap()) == []
        clocks.pass_(2)  # everybody had the time of a whole lease to renew
        assert list(await ledger.reap()) == ["silent"]


async def test_time_that_passes_on_both_clocks_is_no_jump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as ledger:
        clocks = Clocks(monkeypatch)
        await ledger.enrol(card("silent"))
        clocks.pass_(16, jump=1)
        await put_forward(tmp_path, 17)
        assert list(await ledger.reap()) == ["silent"]


async def test_a_lease_lasts_fifteen_seconds(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.enrol(card("silent"))
        await put_forward(tmp_path, 14)
        assert list(await ledger.reap()) == []
        await put_forward(tmp_path, 16)
        assert list(await ledger.reap()) == ["silent"]
        with pytest.raises(Conflict):
            await ledger.renew("silent", {})


async def test_one_id_one_worker(tmp_path: Path) -> None:
    file = tmp_path / "workers" / "one"
    async with opened(tmp_path) as first, opened(tmp_path, Limits(patience=0.1)) as second:
        await first.enrol(card("one"))
        for ledger in (first, second):
            with pytest.raises(Conflict, match="runs already"):
                await ledger.enrol(card("one"))
        assert list(await second.reap()) == []
        assert not FileLock(file).taken
        await first.retire("one")
        assert not file.exists()
        await second.enrol(card("one"))


@pytest.mark.parametrize("name", ["", "../one", "a/b", "a.b", "x" * 65, "one\n"])
async def test_an_id_is_a_plain_name(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path) as ledger:
        with pytest.raises(ValueError, match="letters, digits"):
            await ledger.enrol(card(name))


async def test_a_worker_never_stands_on_a_file_that_was_unlinked(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        file = tmp_path / "workers" / "one"
        reaper = FileLock(file)
        enrolling = asyncio.create_task(ledger.enrol(card("one")))
        await asyncio.sleep(0.1)
        reaper.close(unlink=True)
        await enrolling
        assert not FileLock(file).taken


async def test_a_worker_that_could_not_enrol_leaves_no_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as conn:
            conn.execute("INSERT INTO worker VALUES ('one', 'here', 1, '0', '[]', 0, '[]')")
        with pytest.raises(Broken) as refused:
            await ledger.enrol(card("one"))
        assert isinstance(refused.value.__cause__, sqlite3.IntegrityError)
        assert not (tmp_path / "workers" / "one").exists()


async def test_a_row_without_a_file_is_a_dead_worker(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        task_id = (await ledger.add(new_task(account))).task_id
        await must_claim(ledger, "one")
        (tmp_path / "workers" / "one").unlink()
        assert list(await ledger.reap()) == ["one"]
        task = await ledger.get(account, task_id)
        assert task is not None
        assert task.status is Status.PENDING


async def test_a_lock_is_held_until_its_tasks_are_free(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger, opened(tmp_path) as other:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("one"))
        await ledger.add(new_task(account))
        await must_claim(ledger, "one")
        file = tmp_path / "workers" / "one"
        ledger._store.incarnations.pop("one").close()  # as if its process had ended
        assert list(await other.reap()) == ["one"]
        assert not file.exists()
        assert await other.counts() == {(MODEL, "PENDING"): 1}


async def test_children_inherit_no_lock(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.enrol(card("one"))
        held = {
            int(fd)
            for fd in os.listdir("/proc/self/fd")  # noqa: PTH208
            if os.path.islink(f"/proc/self/fd/{fd}")  # noqa: PTH114
            and os.fspath(tmp_path) in os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
        }
        assert held
        assert not [fd for fd in held if os.get_inheritable(fd)]
