"""A few seconds of `make fuzz`; and what it finds fault with."""

import asyncio
import io
from pathlib import Path
from random import Random

import pytest
from bench import fuzz
from bench.mutate import break_file
from PIL import Image

from ferrotype.errors import InvalidFileFormat, InvalidURL, Refused
from ferrotype.fetchers.media_process import MediaProcess
from ferrotype.gate import urls
from ferrotype.media_host import images


def test_no_broken_file_or_url_breaks_anything_else(tmp_path: Path) -> None:
    found = fuzz.fuzz(tmp_path, 6.0, seed=20_261_124)
    assert found.faults == []
    assert found.ends["written"] > 0
    assert sum(count for what, count in found.ends.items() if what.startswith("refused")) > 0


async def test_the_parent_takes_every_answer(tmp_path: Path) -> None:
    """The real way, from a new process each: a clean file, or a refusal."""
    dice, good = Random(7), fuzz.seeds()
    process = MediaProcess()

    async def try_one(i: int) -> bool:
        source = tmp_path / f"{i}"
        source.write_bytes(break_file(dice.choice(good), good, dice))
        try:
            file = await process.convert(source, tmp_path / f"clean-{i}", fuzz.RULE)
        except Refused:
            return False
        return Path(file.path).stat().st_size > 0

    assert {True, False} == set(await asyncio.gather(*(try_one(i) for i in range(24))))


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


def test_faults_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = images.rewrite

    def lie(*given: object) -> tuple[int, int, float]:
        return 9, 9, whole(*given)[2]  # type: ignore[arg-type]

    def tell(*_: object) -> None:
        raise InvalidFileFormat("cannot open /tmp/raw at 0x7f00aa11")

    for act, wrong in (
        (lie, "it says"),
        (tell, "it answers"),
        (lambda *_: 1 // 0, "ZeroDivisionError"),
    ):
        monkeypatch.setattr(images, "rewrite", act)
        assert wrong in fuzz._try_file(tmp_path, png())[1]
    monkeypatch.setattr(images, "rewrite", whole)
    assert fuzz._try_file(tmp_path, png()) == ("written", "")
    monkeypatch.setattr(urls, "parse", lambda url: 1 // 0)
    assert "ZeroDivisionError" in fuzz._try_url("http://example.com/")


def test_a_url_that_others_read_otherwise_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidURL):
        urls.parse("http://good.example\\@evil.example/")
    location = urls.parse("http://good.example/")
    monkeypatch.setattr(urls, "parse", lambda url: location)
    assert "to others" in fuzz._try_url("http://evil.example/")
