"""`ferrotype backup` and `restore`: everything comes back, and nothing else gets in."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

import pytest
from commands import Run, runner

from ferrotype.cli import first
from ferrotype.ports.ledger import WorkerCard
from ferrotype.settings import Settings, load
from ferrotype.task import NewTask, Order, Status
from ferrotype.wiring.ledger import open_ledger

ORDER = Order(kind="text-to-image", prompt="a fox", size=(8, 8), seed=1)
PICTURE = "20260101/01890000-0000-7000-8000-000000000000/1/0.0123.png"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


@pytest.fixture
def tasks(tmp_path: Path) -> dict[Status, str]:
    """Fill the folder `data` as a service leaves it: one task waits, one is being worked on."""
    settings = load({"data_dir": "data"})
    settings.data_dir.mkdir(mode=0o700)
    picture = settings.media_dir / PICTURE
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"picture")
    (picture.parent / ".half.part").write_bytes(b"pic")
    return asyncio.run(fill(settings))


async def fill(settings: Settings) -> dict[Status, str]:
    await first.prepare(settings)
    async with open_ledger(settings) as ledger:
        account = await ledger.make_account("default")
        card = WorkerCard(id="w-1", host="here", pid=1, version="0", models=("m",))
        await ledger.enrol(card)
        ids = [
            (await ledger.add(new_task(account))).task_id,
            (await ledger.add(new_task(account))).task_id,
        ]
        claim = await ledger.claim("w-1", {"m"})
        assert claim is not None and claim.task.id == ids[0]
    return {Status.RUNNING: ids[0], Status.PENDING: ids[1]}


def new_task(account: str) -> NewTask:
    return NewTask(
        account=account,
        key="",
        model="m",
        route="r",
        order=ORDER,
        request_id="q",
        served_by="echo; test pattern",
    )


def test_all_comes_back_and_running_tasks_start_again(run: Run, tasks: dict[Status, str]) -> None:
    assert run("backup", "safe", "--data-dir", "data").code == 0
    done = run("restore", "safe", "--data-dir", "new")
    assert done.code == 0, done.err
    assert Path("new/api-key").read_bytes() == Path("data/api-key").read_bytes()
    assert Path("new/media", PICTURE).read_bytes() == b"picture"
    assert not Path("new/media", PICTURE).with_name(".half.part").exists()
    assert Path("new").stat().st_mode & 0o777 == 0o700
    assert asyncio.run(states("new", tasks)) == [Status.PENDING, Status.PENDING]
    assert asyncio.run(secrets("new")) == asyncio.run(secrets("data"))


async def states(folder: str, tasks: dict[Status, str]) -> list[Status]:
    async with open_ledger(load({"data_dir": folder})) as ledger:
        account = await ledger.make_account("default")
        found = [await ledger.get(account, task) for task in tasks.values()]
        assert not await ledger.workers()
    return [task.status for task in found if task]


async def secrets(folder: str) -> list[bytes]:
    async with open_ledger(load({"data_dir": folder})) as ledger:
        return [secret.bytes for secret in await ledger.secrets()]


def test_results_are_linked_not_copied(run: Run, tasks: dict[Status, str]) -> None:
    run("backup", "safe", "--data-dir", "data")
    assert Path("safe/media", PICTURE).samefile(Path("data/media", PICTURE))
    assert all(path.stat().st_mode & 0o077 == 0 for path in Path("safe").glob("*"))


def test_a_backup_needs_a_new_folder(run: Run, tasks: dict[Status, str]) -> None:
    Path("safe").mkdir()
    Path("safe/mine").touch()
    assert run("backup", "safe", "--data-dir", "data").code == 2


def test_a_restore_needs_an_empty_folder(run: Run, tasks: dict[Status, str]) -> None:
    run("backup", "safe", "--data-dir", "data")
    done = run("restore", "safe", "--data-dir", "data")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_a_damaged_file_stops_a_restore(run: Run, tasks: dict[Status, str]) -> None:
    run("backup", "safe", "--data-dir", "data")
    copy = Path("safe/media", PICTURE)
    copy.unlink()
    copy.write_bytes(b"pictura")
    assert run("restore", "safe", "--data-dir", "new").code == 1
    assert [path.name for path in Path().iterdir() if "new" in path.name] == []
    copy.unlink()
    assert run("restore", "safe", "--data-dir", "new").code == 1


@pytest.mark.parametrize("name", ["../evil", "media/../../evil", "/etc/hostname", "ferrotype.toml"])
def test_a_manifest_may_not_lead_elsewhere(
    run: Run, tasks: dict[Status, str], name: str, tmp_path: Path
) -> None:
    run("backup", "safe", "--data-dir", "data")
    Path("evil").write_bytes(b"x")
    manifest = json.loads(Path("safe/manifest.json").read_bytes())
    manifest["files"][name] = {"bytes": 1, "sha256": sha256(b"x").hexdigest()}
    Path("safe/manifest.json").write_text(json.dumps(manifest))
    done = run("restore", "safe", "--data-dir", "new")
    assert done.code == 2
    assert not Path("new").exists()


def test_a_link_in_a_backup_is_not_followed(run: Run, tasks: dict[Status, str]) -> None:
    run("backup", "safe", "--data-dir", "data")
    copy = Path("safe/media", PICTURE)
    copy.unlink()
    copy.symlink_to(Path("data/media", PICTURE).absolute())
    assert run("restore", "safe", "--data-dir", "new").code == 2


def test_half_a_backup_is_none(run: Run, tasks: dict[Status, str]) -> None:
    run("backup", "safe", "--data-dir", "data")
    Path("safe/manifest.json").unlink()
    assert run("restore", "safe", "--data-dir", "new").code == 2
    nowhere = run("restore", "nowhere", "--data-dir", "new")
    assert nowhere.code == 2
    assert "(manifest.json: No such file or directory)." in nowhere.err
