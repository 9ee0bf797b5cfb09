# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""The illustrator through the engine port: sizes, seeds, metadata, hostile prompts, stops."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from PIL import Image

from ferrotype.engines.illustrator.cutouts import DRAWER, Drawer
from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.engine import TEMPLATES, Illustrator
from ferrotype.engines.illustrator.reader import read
from ferrotype.media import File, Output
from ferrotype.ports.engine import EngineRefusal, Job

DEMO = "A flower shop with exquisite windows, a beautiful wooden door, and flowers on display"
LAKE = "a red sailboat on a mountain lake at sunset, watercolor"
HOSTILE = [
    "A flower shop \"</text><image href='file:///etc/passwd'/>\"",
    'a shop with a sign "<script>x</script>"',
    "&xxe; ]]> <!ENTITY a SYSTEM 'file:///etc/passwd'> a lake",
    "😀" * 2000,
    "\u202eהחנות\u202c a bakery \u0000\u0007\ud7ff",
    "a lake" + " " * 5000 + "\n" * 500,
    "花" * 2000,
    "w" * 2000,
]


class Bench:
    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self.stopping, self.final = threading.Event(), False
        self.seen: list[float] = []

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        self.seen.append(fraction)

    def report(self, *, usage: object = None, shown: object = None) -> None:
        raise AssertionError("nothing to report")

    def note(self, memo: bytes) -> Awaitable[None]:
        raise AssertionError("the illustrator keeps no notes")


def job(prompt: str, size: tuple[int, int] = (512, 512), n: int = 1, **more: Any) -> Job:
    facts: dict[str, Any] = {
        "task": "t-1", "attempt": 1, "model": "wan2.5-t2i-preview", "kind": "text-to-image",
        "prompt": prompt, "negative": "", "size": size, "n": n, "seed": 7, "fields": {}, "inputs": {},
        "duration": None, "fps": None, "workdir": "", "memo": None,
    }  # fmt: skip
    return Job(**facts | more)


def draw(folder: Path, made: Job) -> tuple[list[Output], Bench]:
    bench = Bench(folder)
    return list(asyncio.run(Illustrator().run(made, bench))), bench


def pixels(output: Output) -> bytes:
    assert output.path
    with Image.open(output.path) as picture:
        return picture.convert("RGB").tobytes()


@pytest.mark.parametrize("prompt", [DEMO, LAKE, "a girl reading in a room"])
@pytest.mark.parametrize("size", [(512, 512), (1440, 512), (512, 1440), (256, 1024), (1024, 256)])
def test_every_size_is_exact(tmp_path: Path, prompt: str, size: tuple[int, int]) -> None:
    (output,), _ = draw(tmp_path, job(prompt, size))
    assert (output.type, output.width, output.height) == ("image/png", *size)
    assert len(pixels(output)) == size[0] * size[1] * 3


@pytest.mark.parametrize("prompt", [DEMO, LAKE, "a girl reading in a room"])
def test_pictures_of_one_task_differ_and_go_by_seed(tmp_path: Path, prompt: str) -> None:
    outputs, bench = draw(tmp_path, job(prompt, n=3))
    shown = [np.frombuffer(pixels(o), np.uint8).astype(int) for o in outputs]
    assert bench.seen == pytest.approx([1 / 3, 2 / 3, 1])
    assert min(abs(shown[a] - shown[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))) > 3
    (again,), _ = draw(tmp_path, job(prompt, seed=8))
    assert pixels(again) == shown[1].astype(np.uint8).tobytes()


ELSEWHERE = """
import asyncio, json, sys, threading, types
from pathlib import Path
import msgspec
from ferrotype.engines.illustrator.engine import Illustrator
from ferrotype.ports.engine import Job
for line in sys.argv[2:]:
    job = msgspec.json.decode(line, type=Job)
    bench = types.SimpleNamespace(
        workdir=Path(sys.argv[1]) / job.task, stopping=threading.Event(), progress=lambda *a: None
    )
    bench.workdir.mkdir()
    asyncio.run(Illustrator().run(job, bench))
lines = Path("/proc/self/status").read_text().splitlines()
(peak,) = (line for line in lines if line.startswith("VmHWM"))  # rusage counts our parent's, too
print(peak.split()[1])
"""


def elsewhere(folder: Path, *jobs: Job) -> int:
    """Do jobs in a process of their own, each in a folder by its task; return its peak in KiB."""
    command = [sys.executable, "-c", ELSEWHERE, str(folder)]
    command += [msgspec.json.encode(one).decode() for one in jobs]
    child = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return int(child.stdout)


STYLES = {
    "oil painting": "oil", "铅笔素描": "pencil", "水墨画": "ink", "pixel art": "pixel",
    "watercolor": "watercolour", "flat illustration": "flat", "彩铅": "coloured pencil",
}  # fmt: skip


def test_every_style_is_read_drawn_and_the_same_in_another_process(tmp_path: Path) -> None:
    jobs = [
        job(f"a red sailboat on a mountain lake at sunset, {word}", (320, 256), task=f"t{k}")
        for k, word in enumerate((*STYLES, "a shop"))
    ]
    elsewhere(tmp_path, *jobs)
    shown = []
    for word, made in zip((*STYLES, ""), jobs, strict=True):
        (output,), _ = draw(tmp_path, made)
        assert output.path
        with Image.open(output.path) as picture:
            text: dict[str, str] = picture.text  # type: ignore[attr-defined]
        assert text["Style"] == STYLES.get(word, "flat")
        assert not {word} & set(text["Words left out"].split(", "))
        with Image.open(tmp_path / made.task / "0.png") as picture:
            assert picture.convert("RGB").tobytes() == pixels(output)
        shown.append(np.frombuffer(pixels(output), np.uint8).astype(int))
    for k, one in enumerate(shown[: len(STYLES)]):
        assert min(abs(one - other).mean() for j, other in enumerate(shown) if j != k) > 4


@pytest.mark.parametrize(
    ("value", "style"),
    [("<oil painting>", "oil"), ("<sketch>", "pencil"), ("<chinese painting>", "ink"),
     ("<watercolor>", "watercolour"), ("<anime>", "anime"), ("<auto>", "flat")],
)  # fmt: skip
def test_the_style_field_chooses_the_style(value: str, style: str) -> None:
    assert read("a lake", style=value).style == style


def test_a_style_that_we_lack_is_said() -> None:
    assert "<photography>" in read("a lake", style="<photography>").unknown


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    (output,), _ = draw(tmp_path, job("a cat in a meadow with a trombone"))
    assert output.path
    with Image.open(output.path) as picture:
        text: dict[str, str] = picture.text  # type: ignore[attr-defined]
    assert text["Model asked"] == "wan2.5-t2i-preview"
    assert (text["Task"], text["Seed"], text["Words left out"]) == ("t-1", "7", "trombone")
    assert text["Words understood"] == "cat, meadow"
    assert text["DigitalSourceType"].endswith("/algorithmicMedia")
    ElementTree.fromstring(text["XML:com.adobe.xmp"].split("?>", 1)[1].rsplit("<?", 1)[0])


@pytest.mark.parametrize("prompt", HOSTILE)
def test_no_prompt_breaks_a_picture_or_becomes_markup(tmp_path: Path, prompt: str) -> None:
    (output,), _ = draw(tmp_path, job(prompt))
    assert len(pixels(output)) == 512 * 512 * 3
    scene = read(prompt)
    drawing = Drawing(scene, 512, 512, 7)
    list(TEMPLATES[scene.template](drawing))
    svg = drawing.svg([shape for sheet in drawing.sheets() for shape in sheet])
    ElementTree.fromstring(svg)
    assert not any(word in svg for word in ("<text", "<image", "<script", "passwd", "file:"))


def test_the_watermark_is_in_the_lower_right_corner_only(tmp_path: Path) -> None:
    (plain,), _ = draw(tmp_path, job(DEMO))
    before = np.frombuffer(pixels(plain), np.uint8).reshape(512, 512, 3).copy()
    (marked,), _ = draw(tmp_path, job(DEMO, fields={"watermark": True}))
    after = np.frombuffer(pixels(marked), np.uint8).reshape(512, 512, 3)
    changed = np.argwhere((before != after).any(axis=2))
    assert len(changed) > 100
    assert changed[:, 0].min() > 460 and changed[:, 1].min() > 256


@pytest.mark.parametrize("mode", ["repaint", "refonly"])
def test_a_reference_colours_or_carries_the_picture(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (300, 300), "#d02020").save(tmp_path / "ref.png")
    file = File(path=str(tmp_path / "ref.png"), type="image/png", width=300, height=300)
    fields = {"ref_mode": mode, "ref_strength": 1.0}
    (output,), _ = draw(tmp_path, job("a green meadow", fields=fields, inputs={"ref_img": [file]}))
    red, green, _ = np.frombuffer(pixels(output), np.uint8).reshape(-1, 3).mean(axis=0)
    assert red > green


def test_a_stop_ends_the_job_early(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.stopping.set()
    assert asyncio.run(Illustrator().run(job(DEMO, n=4), bench)) == []


@pytest.mark.parametrize("size", [(159, 512), (4096, 4097), (16_385, 1024)])
def test_a_size_out_of_reach_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(EngineRefusal) as refused:
        draw(tmp_path, job(DEMO, size))
    assert refused.value.refusal == "InvalidParameter"


def test_a_stop_between_layers_hands_out_no_part_of_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)

    def stopped(drawing: Drawing) -> Iterator[None]:
        bench.stopping.set()
        yield

    monkeypatch.setitem(TEMPLATES, "shop", stopped)
    assert asyncio.run(Illustrator().run(job(DEMO), bench)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_large_picture_stays_within_its_memory(tmp_path: Path) -> None:
    assert (
        elsewhere(tmp_path, job(LAKE, (2560, 2560)), job(DEMO, (2560, 2560), task="t2"))
        < 450 * 1024
    )


@pytest.mark.parametrize(
    ("prompt", "plain", "place"),
    [
        ("a red door of a bakery", "a bakery", (256, 400)),
        ("a bakery with a blue awning", "a bakery", (256, 165)),
        ("a black cat in front of a bakery", "a bakery", (256, 490)),
    ],
)
def test_a_shop_shows_what_is_asked_of_it(
    tmp_path: Path, prompt: str, plain: str, place: tuple[int, int]
) -> None:
    shown = []
    for text in (prompt, plain):
        (output,), _ = draw(tmp_path, job(text))
        shown.append(np.frombuffer(pixels(output), np.uint8).reshape(512, 512, 3).astype(int))
    x, y = place
    changed = abs(shown[0] - shown[1]).sum(axis=2) > 40
    assert changed[y - 25 : y + 20, x - 60 : x + 60].sum() > 300
    assert changed.mean() < 0.2


def test_a_picture_does_not_go_by_what_was_drawn_before_it(tmp_path: Path) -> None:
    shown = []
    for before in ((), (DEMO, 9), ("a bakery at night", 8)):
        DRAWER.kept.clear()
        if before:
            draw(tmp_path, job(before[0], seed=before[1]))
        (output,), _ = draw(tmp_path, job(DEMO, seed=8))
        shown.append(pixels(output))
    assert shown[0] == shown[1] == shown[2]


def test_cut_outs_are_kept_within_their_room_the_last_used_longest() -> None:
    drawer, made = Drawer(room=3 * 400), []

    def take(mark: str) -> Image.Image:
        def cut() -> Image.Image:
            made.append(mark)
            return Image.new("RGBA", (10, 10))

        return drawer.take(mark, cut)

    for mark in "abcadb":
        take(mark)
    assert made == ["a", "b", "c", "d", "b"]
    assert drawer.used <= drawer.room


def test_the_style_field_of_the_request_is_drawn(tmp_path: Path) -> None:
    shown = []
    for style in ("<flat illustration>", "<watercolor>"):
        (output,), _ = draw(tmp_path, job("a green meadow", fields={"style": style}))
        shown.append(np.frombuffer(pixels(output), np.uint8).reshape(512, 512, 3))
    assert shown[1][:4].mean() > 235 > shown[0][:4].mean()  # a wash ends short of the paper's edge


def test_a_faint_reference_leaves_the_picture_its_own_colours(tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), "#d02020").save(tmp_path / "ref.png")
    file = File(path=str(tmp_path / "ref.png"), type="image/png", width=300, height=300)
    reds = []
    for strength in (0.0, 1.0):
        fields = {"ref_mode": "refonly", "ref_strength": strength}
        made = job("a green meadow", fields=fields, inputs={"ref_img": [file]})
        (output,), _ = draw(tmp_path, made)
        reds.append(np.frombuffer(pixels(output), np.uint8).reshape(-1, 3).mean(axis=0)[0])
    assert reds[0] + 10 < reds[1]
