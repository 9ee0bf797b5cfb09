"""The worker takes whole, plain files of a job's own folder, and nothing else."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from test_echo import Notebook, job

from ferrotype.engines.echo import Echo, pixel
from ferrotype.media import Output
from ferrotype.worker.outputs import MAX_TOLD, BadOutput, inspect, weigh

LIMIT = 1000


async def made(prompt: str, folder: Path, n: int = 1) -> list[Output]:
    folder.mkdir(exist_ok=True)
    return list(await Echo().run(job(prompt, folder, n=n), Notebook(folder)))


def picture(path: str | None = "0.png", type: str = "image/png", side: int = 1) -> Output:
    return Output(path=path, type=type, width=side, height=side)


async def test_good_outputs_are_measured(tmp_path: Path) -> None:
    outputs = await made("echo fail-item=1:Some.Code", tmp_path / "job", n=2)
    first, second = inspect(outputs, tmp_path / "job", 2, LIMIT)
    data = (tmp_path / "job" / "0.png").read_bytes()
    assert (first.bytes, first.sha256) == (len(data), sha256(data).hexdigest())
    assert (second.path, second.output.error_code) == (None, "Some.Code")


def test_a_path_may_be_relative_to_the_folder(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(pixel(1))
    (piece,) = inspect([picture()], tmp_path, 1, LIMIT)
    assert piece.path == tmp_path / "0.png"


@pytest.mark.parametrize(
    "kind", ["link", "hardlink", "outside", "text", "folder", "missing", "untyped", "oversized"]
)
async def test_what_echo_does_wrong_is_refused(kind: str, tmp_path: Path) -> None:
    outputs = await made(f"echo output={kind}", tmp_path / "job")
    with pytest.raises(BadOutput):
        inspect(outputs, tmp_path / "job", 1, LIMIT)


@pytest.mark.parametrize(
    "output",
    [
        Output(),
        picture("../outside.png"),
        picture("inner/../0.png"),
        picture("."),
        picture(""),
        picture("0.png\0"),
        picture("linked/0.png"),
        picture("loop"),
        picture("pipe"),
        picture("empty"),
        picture("/dev/zero"),
        picture(type="image/jpeg"),
        picture(type=""),
        picture(side=2),
        picture(side=0),
        Output(path="0.png", type="image/png", width=-1, height=-1),
    ],
    ids=repr,
)
def test_what_else_is_refused(output: Output, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    for made in (folder, tmp_path / "elsewhere"):
        made.mkdir()
        (made / "0.png").write_bytes(pixel(1))
    (tmp_path / "outside.png").write_bytes(pixel(1))
    (folder / "inner").mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "empty").touch()
    os.mkfifo(folder / "pipe")
    with pytest.raises(BadOutput):
        inspect([output], folder, 1, LIMIT)


async def test_the_limit_is_for_all_outputs_together(tmp_path: Path) -> None:
    outputs = await made("a cat", tmp_path / "job", n=3)
    size = (tmp_path / "job" / "0.png").stat().st_size
    inspect(outputs, tmp_path / "job", 3, 3 * size)
    with pytest.raises(BadOutput, match="are left"):
        inspect(outputs, tmp_path / "job", 3, 3 * size - 1)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_as_many_as_were_asked_for(count: int, tmp_path: Path) -> None:
    outputs = await made("a cat", tmp_path / "job", n=2)
    with pytest.raises(BadOutput, match="asked for"):
        inspect(outputs, tmp_path / "job", count, LIMIT)


def test_what_an_answer_is_to_tell_is_small_and_flat() -> None:
    weigh(None)
    weigh({"image_count": 1, "sizes": [{"width": 1, "x": [[None]]}]})
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": [deep]}
    for told, why in ((deep, "nested"), ({"a": "x" * MAX_TOLD}, f"more than {MAX_TOLD}")):
        with pytest.raises(BadOutput, match=why):
            weigh(told)
