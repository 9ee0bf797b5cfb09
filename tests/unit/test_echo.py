"""The echo engine does what a prompt directs."""

import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ferrotype.engines import echo
from ferrotype.media import Output
from ferrotype.ports.engine import EngineRefusal, EngineUnfit, Job


@dataclass
class Notebook:
    """A bench that remembers what the engine said."""

    workdir: Path
    stopping: threading.Event = field(default_factory=threading.Event)
    final: bool = False
    said: list[float] = field(default_factory=list)
    notes: list[bytes] = field(default_factory=list)
    told: list[tuple[object, object]] = field(default_factory=list)

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        self.said.append(fraction)

    async def note(self, memo: bytes) -> None:
        self.notes.append(memo)

    def report(
        self, *, usage: Mapping[str, Any] | None = None, shown: Mapping[str, Any] | None = None
    ) -> None:
        self.told.append((usage, shown))


def job(prompt: str, folder: Path, *, n: int = 1, seed: int = 0) -> Job:
    return Job(
        task="t",
        attempt=1,
        model="m",
        kind="text-to-image",
        prompt=prompt,
        negative="",
        size=(1, 1),
        n=n,
        seed=seed,
        fields={},
        inputs={},
        duration=None,
        fps=None,
        workdir=str(folder),
        memo=None,
    )


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", {}),
        ("a flower shop", {}),
        ("echoes of delay=5", {}),
        ("echo", {}),
        ("echo crash", {"crash": ""}),
        ("echo  delay=0.5\tsteps=10", {"delay": "0.5", "steps": "10"}),
        ("echo fail-item=1:Some.Code note=a=b", {"fail-item": "1:Some.Code", "note": "a=b"}),
    ],
)
def test_directives(prompt: str, expected: dict[str, str]) -> None:
    assert echo.directives(prompt) == expected


async def test_pictures_of_one_pixel_follow_from_the_seed(tmp_path: Path) -> None:
    first = await echo.Echo().run(job("a cat", tmp_path, n=2, seed=7), Notebook(tmp_path))
    colours = [_colour(output) for output in first]
    assert len(set(colours)) == 2
    again = await echo.Echo().run(job("a dog", tmp_path, seed=8), Notebook(tmp_path))
    assert _colour(again[0]) == colours[1]


def test_a_negative_or_large_seed_has_a_colour_too() -> None:
    for seed in (-(2**31), 2**32):
        Image.open(io.BytesIO(echo.pixel(seed))).verify()


def _colour(output: Output) -> object:
    assert output.path is not None
    with Image.open(output.path) as picture:
        assert (picture.size, picture.format) == ((output.width, output.height), "PNG")
        return picture.getpixel((0, 0))


async def test_a_delay_says_how_far_it_is(tmp_path: Path) -> None:
    bench = Notebook(tmp_path)
    await echo.Echo().run(job("echo delay=0.01 steps=4 note=half", tmp_path), bench)
    assert bench.said == [0.25, 0.5, 0.75, 1.0]
    assert bench.notes == [b"half"]


async def test_refusals_and_items_that_fail(tmp_path: Path) -> None:
    with pytest.raises(EngineRefusal) as refused:
        await echo.Echo().run(job("echo refuse=DataInspectionFailed", tmp_path), Notebook(tmp_path))
    assert refused.value.refusal == "DataInspectionFailed"
    made = await echo.Echo().run(
        job("echo fail-item=1:Some.Code", tmp_path, n=3), Notebook(tmp_path)
    )
    assert [output.error_code for output in made] == [None, "Some.Code", None]
    assert made[1].path is None


async def test_an_exception_on_demand(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        await echo.Echo().run(job("echo raise", tmp_path), Notebook(tmp_path))


async def test_it_reports_as_an_upstream_does(tmp_path: Path) -> None:
    bench = Notebook(tmp_path)
    await echo.Echo().run(job("echo usage=7", tmp_path), bench)
    assert bench.told == [({"image_count": 7}, None)]


async def test_it_is_unfit_for_a_model_for_a_while(tmp_path: Path) -> None:
    engine = echo.Echo()
    with pytest.raises(EngineUnfit):
        await engine.run(job("echo unfit=60", tmp_path), Notebook(tmp_path))
    assert engine.unfit.keys() == {"m"}
    engine = echo.Echo()
    with pytest.raises(EngineUnfit):
        await engine.run(job("echo unfit=0", tmp_path), Notebook(tmp_path))
    assert not engine.unfit
