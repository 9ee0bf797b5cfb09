"""A task's files come side by side, within bounds, and all or none; data addresses are read."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from ferrotype import uploads
from ferrotype.catalogue.files import Media
from ferrotype.errors import InputDownloadFailed, InvalidFileSize, InvalidImageFormat, InvalidURL
from ferrotype.media import File
from ferrotype.ports.fetcher import FileRule
from ferrotype.ports.input_store import STORED, InputStore
from ferrotype.worker.inputs import AT_ONCE, Inputs

RULE = FileRule(types=("image/png",), max_bytes=1 << 20)


class Fetcher:
    """Answers as a test says, and keeps who is at it."""

    def __init__(self, act: Callable[[str], Awaitable[int]]) -> None:
        self._act = act
        self.now: set[str] = set()
        self.most = 0

    async def fetch(self, url: str, into: Path, name: str, rule: FileRule) -> File:
        self.now.add(name)
        self.most = max(self.most, len(self.now))
        try:
            return File(path=str(into / name), type="image/png", bytes=await self._act(url))
        finally:
            self.now.remove(name)

    async def clean(self, raw: Path, into: Path, name: str, rule: FileRule) -> File:
        return await self.fetch(f"cleaned {raw.name}", into, name, rule)


class Store:
    async def bring(self, key: str, into: Path) -> None:
        assert key == "20260101/task/in/0"


def inputs(fetcher: Fetcher, **bounds: Any) -> Inputs:
    return Inputs(fetcher, cast(InputStore, Store()), Path("/work"), **bounds)


async def test_files_come_side_by_side_and_keep_their_order() -> None:
    turns = asyncio.Semaphore(0)

    async def late(url: str) -> int:
        if url == "a0":
            await turns.acquire()  # the first one comes last
        else:
            turns.release()
            await asyncio.sleep(0)
        return 1

    fetcher = Fetcher(late)
    urls = {"a": [f"a{i}" for i in range(8)], "b": [f"{STORED}20260101/task/in/0"]}
    files = await inputs(fetcher).bring(urls, {"a": RULE, "b": RULE})
    assert [file.path for file in files["a"]] == [f"/work/a-{i}" for i in range(8)]
    assert [file.path for file in files["b"]] == ["/work/b-0"]
    assert fetcher.most == AT_ONCE


async def test_the_first_refusal_ends_the_rest() -> None:
    async def act(url: str) -> int:
        if url == "bad":
            raise InvalidImageFormat
        await asyncio.Event().wait()
        return 1

    fetcher = Fetcher(act)
    with pytest.raises(InvalidImageFormat):
        await inputs(fetcher).bring({"a": ["good", "bad", "good", "good"]}, {"a": RULE})
    assert fetcher.now == set()


async def test_they_have_one_time_together() -> None:
    async def never(url: str) -> int:
        await asyncio.Event().wait()
        return 1

    fetcher = Fetcher(never)
    with pytest.raises(InputDownloadFailed, match="too long"):
        await inputs(fetcher, patience=0.01).bring({"a": ["x", "y"]}, {"a": RULE})
    assert fetcher.now == set()


async def test_they_have_one_size_together() -> None:
    async def ten(url: str) -> int:
        return 10

    assert await inputs(Fetcher(ten), max_bytes=30).bring({"a": ["x"] * 3}, {"a": RULE})
    with pytest.raises(InvalidFileSize, match="together"):
        await inputs(Fetcher(ten), max_bytes=29).bring({"a": ["x"] * 3}, {"a": RULE})


PICTURE = Media(accepts=("http", "data"), formats=("jpeg", "png", "bmp"))


@pytest.mark.parametrize(
    "head", ["data:image/png", "DATA:Image/PNG", "data:image/jpg", "data:image/x-ms-bmp"]
)
def test_data_addresses_of_the_fields_types_are_taken(head: str) -> None:
    url = f"{head};base64,AAAA"
    assert PICTURE.read(url, "input.x") == url


@pytest.mark.parametrize(
    "url",
    [
        "data:,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,",
        "data:image/svg+xml;base64,AAAA",
        "data:image/webp;base64,AAAA",
        "data:video/mp4;base64,AAAA",
        "data:text/html;base64,AAAA",
        "data:;base64,AAAA",
        "data:image/png;base64;x,AAAA",
        "data://image/png;base64,AAAA",
        " data:image/png;base64,AAAA",
        "data:image/png;base64," + "A" * (10 << 20),
    ],
)
def test_other_data_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidURL):
        PICTURE.read(url, "input.x")
    with pytest.raises(InvalidURL):
        Media(accepts=("http",)).read("data:image/png;base64,AAAA", "input.x")


@pytest.mark.parametrize("text", ["aGk=", "aGk", " aG\r\nk=\n", "aG k"])
def test_base64_is_read_as_common_encoders_write_it(text: str) -> None:
    assert uploads._unpack(f"data:image/png;base64,{text}") == b"hi"


@pytest.mark.parametrize(
    "text", [" ", "====", "a", "aA=", "aGk==", "aG=k", "aGk=aGk=", "_-_-", "é", "\0"]
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(InvalidURL, match="base64"):
        uploads._unpack(f"data:image/png;base64,{text}")
