"""The local media store: files are whole, promises durable, and nobody leads it astray."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest

from ferrotype.errors import UploadFailed
from ferrotype.media_stores.local import LocalStore

TASK = "0192a000-0000-7000-8000-0000000000ab"
OTHER = "0192a000-0000-7000-8000-0000000000cd"
KEY = f"20261123/{TASK}/1/0.png"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "media")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "picture"
    file.write_bytes(b"\x89PNG" + os.urandom(3_000_000))
    return file


async def test_what_was_put_is_found(store: LocalStore, picture: Path) -> None:
    await store.put(KEY, picture, "image/png")
    found = await store.find(KEY)
    data = picture.read_bytes()
    md5 = hashlib.md5(data)
    assert found is not None
    assert found.path is not None
    assert found.path.read_bytes() == data
    assert found.bytes == len(data)
    assert found.type == "image/png"
    assert found.etag == f'"{md5.hexdigest().upper()}"'
    assert found.md5 == b64encode(md5.digest()).decode()
    assert abs(found.modified_at.timestamp() - time.time()) < 60
    assert found.url is None


async def test_everything_is_for_its_owner_only(store: LocalStore, picture: Path) -> None:
    await store.put(KEY, picture, "image/png")
    found = await store.find(KEY)
    assert found is not None
    assert found.path is not None
    assert found.path.stat().st_mode & 0o777 == 0o600
    for folder in list(found.path.parents)[:4]:
        assert folder.stat().st_mode & 0o777 == 0o700


async def test_the_last_put_of_a_key_holds(store: LocalStore, tmp_path: Path) -> None:
    for text in (b"first", b"second", b"second"):
        (tmp_path / "file").write_bytes(text)
        await store.put(KEY, tmp_path / "file", "image/png")
    found = await store.find(KEY)
    assert found is not None
    assert found.path is not None
    assert found.path.read_bytes() == b"second"
    assert len(list(found.path.parent.iterdir())) == 1


async def test_neighbours_are_not_mistaken_for_each_other(
    store: LocalStore, tmp_path: Path
) -> None:
    keys = [f"20261123/{TASK}/{attempt}/{i}.png" for attempt in (1, 11) for i in (0, 1, 10)]
    for key in keys:
        (tmp_path / "file").write_text(key)
        await store.put(key, tmp_path / "file", "image/png")
    for key in keys:
        found = await store.find(key)
        assert found is not None
        assert found.path is not None
        assert found.path.read_text() == key
    assert await store.find(f"20261123/{TASK}/1/0.jpg") is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        f"20261123/{TASK}/1/../0.png",
        f"../20261123/{TASK}/1/0.png",
        f"20261123/{TASK}/1/0.png\n",
        f"20261123/{TASK}/1/0.png\0",
        f"20261123/{TASK}/1/0.svg",
        f"20261123/{TASK}/1/.part",
        f"20261123/{TASK}/1/0.d41d8cd98f00b204e9800998ecf8427e.png",
        f"20261123/{TASK}/0/0.png",
        f"20261123/{TASK}/1/00.png",
        f"20261123/{TASK.upper()}/1/0.png",
        f"２０２６１１２３/{TASK}/1/0.png",
        f"20261123//{TASK}/1/0.png",
        f"20261123/{TASK}/1",
        "%2e%2e/" * 8 + "etc/passwd",
    ],
)
async def test_an_odd_key_is_no_file_and_no_place(
    store: LocalStore, picture: Path, key: str
) -> None:
    assert await store.find(key) is None
    with pytest.raises(ValueError, match="not a media key"):
        await store.put(key, picture, "image/png")


async def test_the_type_must_be_the_keys(store: LocalStore, picture: Path) -> None:
    with pytest.raises(ValueError, match="not a media key"):
        await store.put(KEY, picture, "image/jpeg")


@pytest.mark.parametrize("prefix", ["", "20261123", f"20261123/{TASK}/0", "../..", "20261123/.."])
async def test_only_a_tasks_prefix_is_dropped(store: LocalStore, prefix: str) -> None:
    with pytest.raises(ValueError, match="not a task's prefix"):
        await store.drop(prefix)


async def test_drop_takes_one_task_and_its_leftovers(store: LocalStore, picture: Path) -> None:
    for key in (KEY, f"20261123/{TASK}/2/0.png", f"20261123/{OTHER}/1/0.png"):
        await store.put(key, picture, "image/png")
    found = await store.find(KEY)
    assert found is not None
    assert found.path is not None
    found.path.with_name(".0123.part").write_bytes(b"of a killed put")
    assert await store.drop(f"20261123/{TASK}") == 3
    assert await store.find(KEY) is None
    assert await store.tasks("20261123") == [OTHER]
    assert await store.drop(f"20261123/{TASK}") == 0
    assert await store.drop(f"20261123/{OTHER}") == 1
    assert await store.days() == []


async def test_drop_takes_one_attempt_alone(store: LocalStore, picture: Path) -> None:
    for attempt in (1, 2):
        await store.put(f"20261123/{TASK}/{attempt}/0.png", picture, "image/png")
    assert await store.drop(f"20261123/{TASK}/1") == 1
    assert await store.find(f"20261123/{TASK}/2/0.png") is not None
    assert await store.drop(f"20261123/{TASK}/2") == 1
    assert await store.days() == []


async def test_days_and_tasks_are_listed(store: LocalStore, picture: Path, tmp_path: Path) -> None:
    for day in ("20261123", "20251231", "20260101"):
        await store.put(f"{day}/{TASK}/1/0.png", picture, "image/png")
    (tmp_path / "media" / "lost+found").mkdir()
    assert await store.days() == ["20251231", "20260101", "20261123"]
    assert await store.tasks("20260101") == [TASK]
    assert await store.tasks("20260102") == []
    with pytest.raises(ValueError, match="not a day"):
        await store.tasks("..")


async def test_no_link_is_followed(store: LocalStore, picture: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "1").mkdir(parents=True)
    name = f"0.{'0' * 32}.png"
    (outside / "1" / name).write_bytes(b"secret")
    day = tmp_path / "media" / "20261123"
    day.mkdir()
    (day / TASK).symlink_to(outside)
    assert await store.find(KEY) is None
    assert await store.tasks("20261123") == []
    with pytest.raises(UploadFailed):
        await store.put(KEY, picture, "image/png")
    with pytest.raises(OSError, match="symbolic link"):
        await store.drop(f"20261123/{TASK}")
    assert (outside / "1" / name).exists()

    (day / OTHER / "1").mkdir(parents=True)
    (day / OTHER / "1" / name).symlink_to(outside / "1" / name)
    assert await store.find(f"20261123/{OTHER}/1/0.png") is None

    (tmp_path / "link").symlink_to(picture)
    os.mkfifo(tmp_path / "pipe")
    for source in ("link", "pipe", "nothing"):
        with pytest.raises(UploadFailed):
            await store.put(f"20260101/{TASK}/1/0.png", tmp_path / source, "image/png")


async def test_file_and_every_folder_are_flushed(
    store: LocalStore, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(fd: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{fd}").readlink())
        real_fsync(fd)

    def rename(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        flushed.append(Path("rename"))
        real_rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    await store.put(KEY, picture, "image/png")
    media = tmp_path / "media"
    attempt = media / "20261123" / TASK / "1"
    assert flushed[0].parent == attempt
    assert flushed[0].suffix == ".part"
    assert flushed[1:] == [Path("rename"), attempt, attempt.parent, media / "20261123", media]


def test_a_new_root_is_flushed_with_each_folder_made_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: flushed.append(Path(f"/proc/self/fd/{fd}").readlink())
    )
    LocalStore(tmp_path / "new" / "media")
    assert flushed == [tmp_path, tmp_path / "new"]
    LocalStore(tmp_path / "new" / "media")
    assert len(flushed) == 2


async def test_a_full_disk_is_an_upload_that_failed(
    store: LocalStore, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UploadFailed):
        await store.put(KEY, picture, "image/png")
    monkeypatch.undo()
    assert await store.find(KEY) is None
    assert await store.drop(f"20261123/{TASK}") == 0


async def test_a_day_that_vanishes_while_it_is_filled_is_made_again(
    store: LocalStore, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_mkdir = os.mkdir
    vanished: list[str] = []

    def mkdir(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if path == TASK and not vanished:
            vanished.append(path)
            (tmp_path / "media" / "20261123").rmdir()
        real_mkdir(path, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", mkdir)
    await store.put(KEY, picture, "image/png")
    assert await store.find(KEY) is not None
    assert vanished


async def test_free_fraction_is_a_fraction(store: LocalStore) -> None:
    free = await store.free_fraction()
    assert free is not None
    assert 0 <= free <= 1


WRITER = """
import asyncio, sys
from pathlib import Path
from ferrotype.media_stores.local import LocalStore

async def main(root, file):
    store = LocalStore(Path(root))
    for i in range(100000):
        key = f"20261123/{i:08x}-0000-7000-8000-000000000000/1/0.png"
        await store.put(key, Path(file), "image/png")
        print(i, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_writer_killed_at_any_moment_leaves_whole_files_only(
    tmp_path: Path, picture: Path
) -> None:
    whole = picture.read_bytes()
    partial = 0
    for turn in range(8):
        root = tmp_path / f"media{turn}"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root), str(picture)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            acknowledged = [int(writer.stdout.readline()) for _ in range(2)]
            await asyncio.sleep(turn * 0.0013)
            writer.send_signal(signal.SIGKILL)
            acknowledged += [int(line) for line in writer.stdout.read().split()]
        store = LocalStore(root)
        found = set()
        for task in await store.tasks("20261123"):
            stored = await store.find(f"20261123/{task}/1/0.png")
            if stored is not None:
                assert stored.path is not None
                assert stored.path.read_bytes() == whole
                found.add(int(task[:8], 16))
        assert set(acknowledged) <= found
        partial += len(list(root.rglob("*.part")))
        for task in await store.tasks("20261123"):
            await store.drop(f"20261123/{task}")
        assert list(root.rglob("*")) == []
    assert partial, "no kill fell into a put: make the files larger"
