"""What every store of results and of callers' files must do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from ferrotype.errors import Conflict, Missing, UploadFailed
from ferrotype.ports.input_store import InputStore
from ferrotype.ports.media_store import MediaStore, Stored
from ferrotype.task import day_of, new_task_id

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PNG = "image/png"
WHOSE = "0123456789abcdef" * 2
Stores = tuple[MediaStore, InputStore]


def new_prefix() -> str:
    """Return the prefix of a task's files."""
    task = new_task_id()
    return f"{day_of(task)}/{task}"


def upload(name: str, whose: str = WHOSE) -> str:
    """Return the key of an upload."""
    return f"dashscope-instant/{whose}/2026-01-02/some-id/{name}"


class MediaStoreSuite:
    """Subclass it, say how the two stores are opened and how a stored file is read; run pytest."""

    def open_stores(self, folder: Path) -> AbstractAsyncContextManager[Stores]:
        """Open both stores in one place of the folder's own. The subclass must say how."""
        raise NotImplementedError

    async def read(self, stored: Stored) -> bytes:
        """Read a file as those do to whom it is handed out. The subclass must say how."""
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def stores(self, tmp_path: Path) -> AsyncIterator[Stores]:
        """Both stores."""
        async with self.open_stores(tmp_path / "place") as stores:
            yield stores

    @pytest.mark.parametrize("size", [0, 1, 6 << 20])
    async def test_what_was_put_is_found(self, stores: Stores, tmp_path: Path, size: int) -> None:
        media, _ = stores
        key, file = f"{new_prefix()}/1/0.png", tmp_path / "file"
        file.write_bytes(b"x" * size)
        assert await media.find(key) is None
        await media.put(key, file, PNG)
        found = await media.find(key)
        assert found is not None
        assert (found.bytes, found.type) == (size, PNG)
        assert found.etag.startswith('"')
        assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=2)
        assert await self.read(found) == b"x" * size

    async def test_the_last_put_holds(self, stores: Stores, tmp_path: Path) -> None:
        media, _ = stores
        key, file = f"{new_prefix()}/1/0.png", tmp_path / "file"
        for data in (b"first", b"second"):
            file.write_bytes(data)
            await media.put(key, file, PNG)
        found = await media.find(key)
        assert found is not None
        assert await self.read(found) == b"second"

    @pytest.mark.parametrize(
        "key", ["", "x", "../x", "20260101/a/1/0.png", "20260101/../1/0.png", "uploads/x"]
    )
    async def test_only_keys_of_ours(self, stores: Stores, tmp_path: Path, key: str) -> None:
        media, inputs = stores
        (tmp_path / "file").write_bytes(b"x")
        assert await media.find(key) is None
        with pytest.raises(ValueError, match="key"):
            await media.put(key, tmp_path / "file", PNG)
        with pytest.raises(ValueError, match="prefix"):
            await media.drop(key)
        with pytest.raises(ValueError, match="key"):
            await inputs.put(key, b"x")
        with pytest.raises(ValueError, match="key"):
            await inputs.bring(key, tmp_path / "into")

    async def test_a_file_that_is_not_there_is_not_put(
        self, stores: Stores, tmp_path: Path
    ) -> None:
        media, _ = stores
        key = f"{new_prefix()}/1/0.png"
        with pytest.raises(UploadFailed):
            await media.put(key, tmp_path / "missing", PNG)
        assert await media.find(key) is None

    async def test_a_task_goes_with_all_its_files(self, stores: Stores, tmp_path: Path) -> None:
        media, inputs = stores
        mine, other = new_prefix(), new_prefix()
        day, task = mine.split("/")
        (tmp_path / "file").write_bytes(b"x")
        for prefix in (mine, other):
            for attempt in (1, 2):
                await media.put(f"{prefix}/{attempt}/0.png", tmp_path / "file", PNG)
        await inputs.put(f"{mine}/in/0", b"input")
        assert await media.days() == [day]
        assert set(await media.tasks(day)) == {task, other.split("/")[1]}
        assert await media.drop(f"{mine}/1") == 1
        assert await media.find(f"{mine}/2/0.png") is not None
        assert await media.drop(mine) == 2
        assert await media.drop(mine) == 0
        assert await media.find(f"{mine}/2/0.png") is None
        assert await media.find(f"{other}/1/0.png") is not None
        with pytest.raises(Missing):
            await inputs.bring(f"{mine}/in/0", tmp_path / "into")
        await media.drop(other)
        assert await media.days() == []

    async def test_an_input_comes_back(self, stores: Stores, tmp_path: Path) -> None:
        _, inputs = stores
        prefix = new_prefix()
        for number, data in enumerate((b"", b"some bytes" * 500_000)):
            await inputs.put(f"{prefix}/in/{number}", data)
            await inputs.bring(f"{prefix}/in/{number}", tmp_path / f"{number}")
            assert (tmp_path / f"{number}").read_bytes() == data

    async def test_an_upload_counts_once_it_is_whole(self, stores: Stores, tmp_path: Path) -> None:
        _, inputs = stores
        key, target = upload("a.png"), f"{new_prefix()}/in/0"
        async with inputs.receive(key) as incoming:
            await incoming.write(b"half")
            assert not await inputs.take(key, target, LONG_AGO)
        assert not await inputs.take(key, target, LONG_AGO)
        assert await inputs.used(WHOSE) == 0
        async with inputs.receive(key) as incoming:
            for _ in range(20):
                await incoming.write(b"x" * 1_000_000)
            await incoming.keep()
        assert await inputs.used(WHOSE) == 20_000_000
        assert await inputs.used("f" * 32) == 0
        assert await inputs.take(key, target, LONG_AGO)
        await inputs.bring(target, tmp_path / "into")
        assert (tmp_path / "into").read_bytes() == b"x" * 20_000_000

    async def test_an_upload_is_never_overwritten(self, stores: Stores, tmp_path: Path) -> None:
        _, inputs = stores
        key, target = upload("b.png"), f"{new_prefix()}/in/0"

        async def bring(data: bytes) -> None:
            async with inputs.receive(key) as incoming:
                await incoming.write(data)
                await incoming.keep()

        await bring(b"first")
        await bring(b"first")
        with pytest.raises(Conflict):
            await bring(b"other")
        assert await inputs.used(WHOSE) == 5
        assert await inputs.take(key, target, LONG_AGO)
        await inputs.bring(target, tmp_path / "into")
        assert (tmp_path / "into").read_bytes() == b"first"

    async def test_an_upload_has_its_time(self, stores: Stores) -> None:
        _, inputs = stores
        key = upload("c.png")
        async with inputs.receive(key) as incoming:
            await incoming.write(b"x")
            await incoming.keep()
        soon = datetime.now(UTC) + timedelta(minutes=1)
        assert not await inputs.take(key, f"{new_prefix()}/in/0", soon)
        assert await inputs.drop_before(LONG_AGO) == 0
        assert await inputs.drop_before(soon) == 1
        assert not await inputs.take(key, f"{new_prefix()}/in/0", LONG_AGO)

    async def test_many_at_once(self, stores: Stores, tmp_path: Path) -> None:
        media, _ = stores
        prefix, file = new_prefix(), tmp_path / "file"
        file.write_bytes(b"x" * 100_000)
        keys = [f"{prefix}/1/{number}.png" for number in range(20)]
        await asyncio.gather(*(media.put(key, file, PNG) for key in keys))
        found = await asyncio.gather(*(media.find(key) for key in keys))
        assert all(one and one.bytes == 100_000 for one in found)
        assert await media.drop(prefix) == 20
