"""How a data folder is opened, migrated and refused."""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest
from commands import runner
from sqlite_house import opened, python

from ferrotype.conformance.ledger_base import new_task
from ferrotype.errors import Broken, Denied, Occupied, Unavailable
from ferrotype.ledgers.sqlite import Limits, schema
from ferrotype.ledgers.sqlite.locks import FileLock


async def test_a_missing_database_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(Broken, match='"ferrotype serve" migrates'):
        async with opened(tmp_path, migrate=False):
            pass
    async with opened(tmp_path):
        pass
    async with opened(tmp_path, migrate=False):
        pass
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "workers").stat().st_mode & 0o777 == 0o700


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    conn = sqlite3.connect(tmp_path / "ledger.db")
    conn.execute("PRAGMA user_version = 99")
    conn.close()
    with pytest.raises(Broken, match="newer Ferrotype"):
        async with opened(tmp_path):
            pass


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> int:
    """A release that has one migration more."""
    known = list(schema.migrations())
    number = known[-1][0] + 1
    more = [*known, (number, "CREATE TABLE more (a TEXT); -- a; b\nCREATE INDEX m ON more (a);")]
    monkeypatch.setattr(schema, "migrations", lambda: more)
    return number


async def test_an_older_database_is_copied_then_migrated(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        task_id = (await ledger.add(new_task(account))).task_id
    number = request.getfixturevalue("one_more")
    with pytest.raises(Broken, match=f"not {number}"):
        async with opened(tmp_path, migrate=False):
            pass
    async with opened(tmp_path) as ledger:
        assert await ledger.get(account, task_id) is not None
    (copy,) = (tmp_path / "backups").iterdir()
    conn = sqlite3.connect(copy)
    assert conn.execute("SELECT id FROM task").fetchall() == [(task_id,)]
    conn.close()


async def test_nobody_migrates_under_others(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = """
import asyncio, os
from pathlib import Path
from sqlite_house import opened

async def main(folder):
    async with opened(Path(folder)):
        os.write(1, b"open\\n")
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(sys.argv[1]))
"""
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(
        *python(script), os.fspath(tmp_path), stdin=pipe, stdout=pipe
    )
    assert other.stdout is not None
    assert await asyncio.wait_for(other.stdout.readline(), 20) == b"open\n"
    request.getfixturevalue("one_more")
    sentence = f"The ledger cannot be migrated, older processes still run: pid {other.pid}."
    with pytest.raises(Occupied, match=sentence):
        async with opened(tmp_path, Limits(patience=0.3)):
            pass
    run = runner(monkeypatch, capsys)  # waits for 5 s, as operators do
    done = await asyncio.to_thread(run, "keys", "create", "mine", "--data-dir", tmp_path)
    assert (done.code, done.out, done.err) == (2, "", f"ferrotype: {sentence}\n")
    await other.communicate(b"")
    async with opened(tmp_path, Limits(patience=0.3)):
        pass


async def test_what_is_being_migrated_is_not_opened(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    migrating = FileLock(tmp_path / "schema.lock")
    with pytest.raises(Unavailable, match="being migrated"):
        async with opened(tmp_path, Limits(patience=0.1)):
            pass
    migrating.close()
    async with opened(tmp_path, Limits(patience=0.1)):
        pass


async def test_a_broken_migration_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path):
        pass
    known = list(schema.migrations())
    bad = [*known, (known[-1][0] + 1, "CREATE TABLE more (a TEXT);\nCREATE TABLE more (a TEXT);")]
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: bad)
        with pytest.raises(sqlite3.OperationalError):
            async with opened(tmp_path):
                pass
    async with opened(tmp_path, migrate=False):
        pass


async def test_tests_alone_may_move_the_clock(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits()) as ledger:
        with pytest.raises(Denied):
            await ledger.set_clock_offset(1)


async def test_the_log_is_folded_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        account = await ledger.make_account("someone")
        log = tmp_path / "ledger.db-wal"
        while log.stat().st_size < 5 << 20:
            await asyncio.gather(*(ledger.add(new_task(account)) for _ in range(200)))
        await ledger.checkpoint()
        size = log.stat().st_size
        await asyncio.gather(*(ledger.add(new_task(account)) for _ in range(200)))
        assert log.stat().st_size == size  # it begins again at its front
