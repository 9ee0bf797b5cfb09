"""`ferrotype doctor`: it sees what is wrong, says what to do, and ends with 1."""

import asyncio
import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from commands import Run, runner

from ferrotype.cli import doctor, first
from ferrotype.conformance.ledger_base import card, must_claim, new_task
from ferrotype.settings import load
from ferrotype.wiring.ledger import open_ledger


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERROTYPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FERROTYPE_ENGINE", "echo")
    return runner(monkeypatch, capsys)


def start(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    asyncio.run(first.prepare(load()))


def test_nothing_is_wrong_before_the_first_start_and_after(run: Run, tmp_path: Path) -> None:
    before = run("doctor")
    assert before.code == 0
    assert "ok      echo serves all models: test pattern" in before.out
    start(tmp_path / "data")
    done = run("doctor")
    assert done.code == 0, done.out
    assert "broken" not in done.out


def test_an_open_folder_and_an_open_key_are_broken(run: Run, tmp_path: Path) -> None:
    start(tmp_path / "data")
    (tmp_path / "data").chmod(0o755)
    (tmp_path / "data" / "api-key").chmod(0o644)
    done = run("doctor")
    assert done.code == 1
    assert done.out.count("broken ") == 2
    assert f"chmod 700 {tmp_path / 'data'}" in done.out
    assert f"chmod 600 {tmp_path / 'data' / 'api-key'}" in done.out


def test_a_network_file_system_is_broken(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\nnone /other weird\n")
    assert doctor.file_system(tmp_path / "data", mounts) == "nfs4"
    assert doctor.file_system(Path("/"), mounts) == "ext4"
    assert doctor.file_system(Path("/"), tmp_path / "none") is None
    monkeypatch.setattr(doctor, "MOUNTS", mounts)
    done = run("doctor")
    assert done.code == 1
    assert "network file system (nfs4)" in done.out


def test_an_engine_that_is_not_there_is_broken(run: Run) -> None:
    Path("ferrotype.toml").write_text('[recipes."*"]\nengine = "gone"\nlabel = "upstream"\n')
    done = run("doctor")
    assert done.code == 1
    assert "echo, illustrator" in done.out


def test_a_held_lock_is_named(run: Run, tmp_path: Path) -> None:
    start(tmp_path / "data")
    with (tmp_path / "data" / "ledger.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("doctor")
    assert done.code == 1
    assert "lock is held by process" in done.out


def test_what_keeps_the_ledger_from_writing_is_named(run: Run, tmp_path: Path) -> None:
    start(tmp_path / "data")
    with closing(sqlite3.connect(tmp_path / "data" / "ledger.db", isolation_level=None)) as conn:
        conn.execute("DELETE FROM secret")
        conn.execute(
            "CREATE TRIGGER breaks BEFORE INSERT ON secret"
            " BEGIN SELECT RAISE(ROLLBACK, 'torn'); END"
        )
    done = run("doctor")
    assert done.code == 1
    assert "please try again later. (torn)" in done.out


def test_tasks_that_begin_again_and_again_are_named(run: Run, tmp_path: Path) -> None:
    start(tmp_path / "data")
    ids = asyncio.run(begin_twenty_times(6))
    done = run("doctor")
    assert done.code == 1
    assert f"6 tasks began 20 times or more and did not end: {', '.join(ids[:5])}\n" in done.out


async def begin_twenty_times(tasks: int) -> list[str]:
    """Put tasks into the ledger that 20 claims did not bring to an end."""
    async with open_ledger(load()) as ledger:
        account = await ledger.make_account("default")
        await ledger.enrol(card("hand"))
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(tasks)]
        for _ in range(20 * tasks):
            await ledger.give_back((await must_claim(ledger, "hand")).lease, "a test")
        await ledger.retire("hand")
    return ids


def test_receivers_of_events_are_looked_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = "http://127.0.0.1:9/hook?token=hunter2,http://10.0.0.7/hook,http://localhost/"
    monkeypatch.setenv("FERROTYPE_EVENT_URLS", urls)
    done = run("doctor")
    assert done.code == 1
    assert "ok      events may go to 127.0.0.1:9\n" in done.out
    assert "broken  no event can go to 10.0.0.7: 10.0.0.7 has the closed address" in done.out
    monkeypatch.setenv("FERROTYPE_FETCH_ALLOW_HOSTS", "10.0.0.7")
    done = run("doctor")
    assert done.code == 0, done.out
    assert "ok      events may go to 10.0.0.7\n" in done.out
    assert "hunter2" not in done.out
