"""Edits of a caller's picture: what changes, what must not, sizes, seeds, hostile input."""

import asyncio
import hashlib
import subprocess
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ferrotype.engines.illustrator import styles
from ferrotype.engines.illustrator.edits import instruction, moods
from ferrotype.engines.illustrator.edits.edit import Edited, edit
from ferrotype.engines.illustrator.edits.functions import FUNCTIONS
from ferrotype.engines.illustrator.edits.sources import Sources, sources
from ferrotype.engines.illustrator.engine import Illustrator
from ferrotype.media import File
from ferrotype.ports.engine import Job

SIDE = 256
BOX = (70, 90, 180, 200)
HOSTILE = [
    "", "😀" * 500, "\u202e\u0000\u0007<script>", "花" * 2000, "w" * 2000, "((((((",
    "add add add 999999 cats #zzzzzz", "图" * 2000 + "1", " " * 2000, "image 1 " * 300,
]  # fmt: skip


def job(prompt: str = "", size: tuple[int, int] = (512, 512), **fields: Any) -> Job:
    return Job(
        task="t-1", attempt=1, model="wanx2.1-imageedit", kind="image-edit", prompt=prompt,
        negative="", size=size, n=1, seed=7, fields=fields, inputs={}, duration=None, fps=None,
        workdir="", memo=None,
    )  # fmt: skip


def outdoors(side: int = SIDE) -> Image.Image:
    """A blue sky, a green field with some texture, a red ball."""
    y = np.linspace(0, 1, side)[:, None, None]
    sky = np.array([70, 130, 220]) + y * 120
    field = np.array([70, 130, 50]) + np.random.default_rng(1).normal(0, 9, (side, side, 1))
    land = (y > 0.55) & np.ones((side, side, 1), bool)
    picture = Image.fromarray(np.clip(np.where(land, field, sky), 0, 255).astype(np.uint8))
    ImageDraw.Draw(picture).ellipse([v * side // 256 for v in (96, 120, 166, 190)], (200, 40, 36))
    return picture


def pixels(picture: Image.Image) -> NDArray[np.int16]:
    return np.asarray(picture.convert("RGB"), np.int16)


def apart(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(pixels(one) - pixels(other)).mean())


def masked(size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle(BOX, 255)
    return mask


def made(
    function: str, prompt: str = "", seed: int = 7, mask: bool = False, **fields: Any
) -> Edited:
    given = Sources((outdoors(),), masked() if mask else None)
    return edit(job(prompt, function=function, **fields), given, seed)


@pytest.mark.parametrize("name", styles.LOOKS)
def test_each_look_changes_the_picture_and_goes_by_its_seed(name: str) -> None:
    picture = outdoors()
    first = styles.restyled(picture, name, 1)
    assert first.size == picture.size
    assert apart(first, picture) > 4
    assert first.tobytes() == styles.restyled(picture, name, 1).tobytes()
    assert apart(first, styles.restyled(picture, name, 2)) > 0.1


@pytest.mark.parametrize("name", moods.MOODS)
def test_each_mood_changes_the_picture(name: str) -> None:
    assert apart(moods.apply(outdoors(), name, 1), outdoors()) > 0.5


def test_light_goes_where_it_was_asked_to_go() -> None:
    before = pixels(outdoors()).mean()
    assert pixels(moods.apply(outdoors(), "brighter", 1)).mean() > before + 10
    assert pixels(moods.apply(outdoors(), "night", 1)).mean() < before - 30


@pytest.mark.parametrize("prompt", ["make the sky purple", "把天空变成紫色"])
def test_a_colour_goes_to_the_place_that_was_named(prompt: str) -> None:
    after = made("description_edit", prompt, strength=1.0)
    assert after.done == ("sky purple",)
    was, now = pixels(outdoors()), pixels(after.picture)
    assert (now[:90, :, 0] - was[:90, :, 0]).mean() > 10  # more red in the sky
    assert np.abs(now[200:] - was[200:]).mean() < 14  # the field is graded at most


def test_one_colour_becomes_another() -> None:
    now = pixels(made("description_edit", "turn the red ball blue", strength=1.0).picture)
    red, _, blue = now[150:170, 120:140].mean((0, 1))
    assert blue > red + 20


@pytest.mark.parametrize(
    "prompt", ["a cat", "make it blue", "watercolor", "remove it", "wooden", "zorgle", "夜晚"]
)
def test_an_edit_by_mask_changes_nothing_outside_of_it(prompt: str) -> None:
    after = made("description_edit_with_mask", prompt, mask=True)
    changed = np.abs(pixels(after.picture) - pixels(outdoors())).max(2)
    inside = np.asarray(masked()) > 0
    assert changed[~inside].max() == 0
    assert changed[inside].mean() > 2


def test_removing_by_mask_leaves_what_lies_around() -> None:
    after = made("remove_watermark", mask=True)
    ball = pixels(after.picture)[140:170, 115:150]
    assert (ball[..., 0] > ball[..., 1] + 60).mean() < 0.1
    assert np.abs(pixels(after.picture) - pixels(outdoors()))[np.asarray(masked()) == 0].max() == 0


def test_a_mark_is_removed_only_where_one_is_found() -> None:
    plain = outdoors(640).filter(ImageFilter.GaussianBlur(2))
    left = edit(job(function="remove_watermark"), Sources((plain,)), 7)
    assert left.picture.tobytes() == plain.tobytes() and "nothing changed" in left.done[0]
    marked = plain.copy()
    ImageDraw.Draw(marked).text(
        (440, 595), "AI Generated", (255, 255, 255), ImageFont.load_default(26)
    )
    after = edit(job(function="remove_watermark"), Sources((marked,)), 7)
    assert after.done == ("lettering in the lower right corner removed",)
    assert apart(after.picture, plain) < 0.3 * apart(marked, plain)


def test_expanding_keeps_the_picture_at_its_place() -> None:
    after = made(
        "expand", left_scale=1.5, top_scale=1.25, right_scale=1.0, bottom_scale=1.1
    ).picture
    assert after.size == (SIDE + 128, SIDE + 64 + int(SIDE * 0.1))
    assert after.crop((128, 64, 128 + SIDE, 64 + SIDE)).tobytes() == outdoors().tobytes()
    sky = pixels(after)[:40, :100].mean((0, 1))
    assert sky[2] > sky[0] + 20  # more sky above the sky


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_enlarging_gives_the_size_and_the_same_picture(factor: int) -> None:
    after = made("super_resolution", upscale_factor=factor).picture
    assert after.size == (SIDE * factor, SIDE * factor)
    assert apart(after.resize((SIDE, SIDE), Image.Resampling.BOX), outdoors()) < 3


def test_growth_ends_at_4096_pixels_and_says_so() -> None:
    wide = Image.new("RGB", (2048, 512), "#8090a0")
    after = edit(job(function="super_resolution", upscale_factor=4), Sources((wide,)), 1)
    assert after.picture.size == (4096, 1024) and "not 4 times" in after.done[1]


def test_colouring_gives_a_grey_picture_colours_and_keeps_its_light() -> None:
    grey = outdoors().convert("L").convert("RGB")
    after = edit(job("blue sky, green grass", function="colorization"), Sources((grey,)), 7).picture
    assert np.asarray(after.convert("HSV"))[..., 1].mean() > 30
    assert (
        np.abs(np.asarray(after.convert("L"), int) - np.asarray(grey.convert("L"), int)).mean() < 6
    )
    assert pixels(after)[:60, :, 2].mean() > pixels(after)[:60, :, 0].mean() + 10


def test_a_sketch_is_coloured_within_its_lines() -> None:
    sketch = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(sketch).rectangle((80, 80, 170, 170), outline="black", width=5)
    after = edit(job("red", function="doodle", is_sketch=True), Sources((sketch,)), 7)
    assert after.done == ("sketch coloured",)
    red, green, _ = pixels(after.picture)[110:140, 110:140].mean((0, 1))
    assert red > green + 50
    assert pixels(after.picture)[81:84, 90:160].mean() < 110  # the line is still there


def test_a_cartoon_figure_is_set_into_a_scene() -> None:
    figure = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(figure).ellipse((100, 60, 200, 260), "#d02080")
    for prompt in ("a green meadow with mountains", "a quantum flux"):
        after = edit(job(prompt, function="control_cartoon_feature"), Sources((figure,)), 7)
        assert after.done[0].startswith("figure set")
        near = (np.abs(pixels(after.picture) - np.array([208, 32, 128])).sum(2) < 30).mean()
        assert 0.05 < near < 0.5


@pytest.mark.parametrize("function", FUNCTIONS)
def test_seeds_repeat_and_differ(function: str) -> None:
    prompt = "watercolor" if function.startswith("style") else "make the sky purple"
    extra: dict[str, Any] = {"upscale_factor": 2, "right_scale": 1.5}

    def one(seed: int) -> Image.Image:
        return made(
            function,
            prompt,
            seed,
            mask=function in ("description_edit_with_mask", "remove_watermark"),
            **extra,
        ).picture

    assert one(3).tobytes() == one(3).tobytes()
    assert one(3).tobytes() != one(4).tobytes()


@pytest.mark.parametrize("prompt", ["", "watercolor", "zorgle", "make the sky purple"])
def test_pictures_of_one_task_differ_clearly(prompt: str) -> None:
    given = Sources((outdoors(),))
    one, two = (edit(job(prompt), given, seed).picture for seed in (7, 8))
    assert apart(one, two) > 0.8


@pytest.mark.parametrize("prompt", HOSTILE)
def test_no_instruction_breaks_an_edit(prompt: str) -> None:
    one, two = outdoors(64), outdoors(64).rotate(90)
    for given in (Sources((one,)), Sources((one, two))):
        assert edit(job(prompt, (96, 80)), given, 7).picture.size == (96, 80)
    for function in ("description_edit_with_mask", "stylization_local", "colorization", "doodle"):
        given = Sources((one,), Image.new("L", one.size, 255))
        assert edit(job(prompt, function=function), given, 7).picture.size == (64, 64)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("function", [*FUNCTIONS, ""])
def test_tiny_and_narrow_pictures_pass(function: str, size: tuple[int, int]) -> None:
    picture = Image.effect_noise(size, 60).convert("RGB")
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, (size[0] + 1) // 2, (size[1] + 1) // 2))
    fields = {"function": function, "right_scale": 2.0, "top_scale": 1.5, "upscale_factor": 2}
    after = edit(job("purple sky, night, snow", (60, 50), **fields), Sources((picture,), mask), 7)
    assert after.picture.size == (60, 50) if not function else min(after.picture.size) >= 1


@pytest.mark.parametrize(
    ("prompt", "added"),
    [
        ("put the cat of image 1 into the scene of image 2", ()),
        ("把图1的猫放到图2的街道上", ()),
        ("add a red balloon to image 1", ("balloon",)),
    ],
)
def test_what_a_picture_holds_already_is_not_added(prompt: str, added: tuple[str, ...]) -> None:
    assert tuple(thing.concept for thing in instruction.read(prompt).add) == added


@pytest.mark.parametrize("prompt", ["make it colourful", "把天空变成彩色"])
def test_many_colours_ask_for_livelier_ones(prompt: str) -> None:
    assert edit(job(prompt), Sources((outdoors(),)), 7).done == ("vivid",)


@pytest.mark.parametrize("count", (2, 3, 5, 9))
@pytest.mark.parametrize(
    "prompt", ["", "put image 1 beside image 2", "上下拼接", "put image 2 into image 1"]
)
def test_several_pictures_make_one_of_the_size_asked(count: int, prompt: str) -> None:
    pictures = tuple(
        Image.new("RGB", (60 + 90 * (k % 3), 200), (40 * (k % 5), 90, 200)) for k in range(count)
    )
    after = edit(job(prompt, (320, 192)), Sources(pictures), 7)
    assert after.picture.size == (320, 192)
    assert any("image" in what for what in after.done)


def test_beside_means_the_first_on_the_left() -> None:
    red, blue = (Image.new("RGB", (200, 200), colour) for colour in ("#ff0000", "#0000ff"))
    now = pixels(
        edit(job("put image 1 beside image 2", (600, 300)), Sources((red, blue)), 7).picture
    )
    assert now[150, 150, 0] > 200 and now[150, 450, 2] > 200


def test_the_size_follows_the_last_picture_where_the_request_leaves_it_open() -> None:
    given = Sources((Image.new("RGB", (100, 100)), Image.new("RGB", (200, 100), "#446688")))
    after = edit(job("", (1024, 1024), size_follows="images"), given, 7).picture
    assert after.width % 16 == after.height % 16 == 0
    assert after.width / after.height == pytest.approx(2, rel=0.03)
    assert after.width * after.height == pytest.approx(1024 * 1024, rel=0.03)


@pytest.mark.parametrize(("prompt", "wish"), [
    ("sky orange and grass blue", {"recolour": (("sky", "orange"), ("green", "blue"))}),
    ("把红色的汽车改成蓝色", {"recolour": (("red", "blue"),)}),
    ("转换成法国绘本风格", {"looks": ("picture book",)}),
    ("把房子变成木板风格", {"material": "wood", "regions": ("subject",)}),
    ("black and white", {"looks": ("black and white",), "recolour": ()}),
    ("keep the sky blue, make it autumn", {"recolour": (), "moods": ("autumn",)}),
    ("make the dress red", {"recolour": (), "unknown": ("dress",)}),
    ("remove the person", {"remove": True, "recolour": ()}),
    ("带上一个frobnicator", {"unknown": ("带", "frobnicator")}),
])  # fmt: skip
def test_instructions_are_read(prompt: str, wish: dict[str, Any]) -> None:
    read = instruction.read(prompt)
    assert {name: getattr(read, name) for name in wish} == wish


def test_what_was_not_understood_is_said() -> None:
    after = edit(job("zorgle the blimfark"), Sources((outdoors(),)), 7)
    assert after.unknown == ("zorgle", "blimfark")
    assert "nothing that can be done was understood" in after.done[0]


def test_inputs_are_opened_by_role(tmp_path: Path) -> None:
    outdoors().save(tmp_path / "base.png")
    masked((128, 128)).save(tmp_path / "mask.png")
    file = File(path=str(tmp_path / "base.png"), type="image/png", width=SIDE, height=SIDE)
    mask = File(path=str(tmp_path / "mask.png"), type="image/png", width=128, height=128)
    assert sources(job()) is None
    given = job()
    given.inputs.update({"base_image_url": [file], "mask_image_url": [mask]})
    found = sources(given)
    assert found and found.mask and found.mask.size == found.pictures[0].size == (SIDE, SIDE)


def test_the_same_seed_edits_the_same_in_another_process() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import hashlib, test_illustrator_edits as t\n"
        "print(hashlib.sha256(t.made('expand', right_scale=1.5).picture.tobytes()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    mine = hashlib.sha256(made("expand", right_scale=1.5).picture.tobytes()).hexdigest()
    assert other.stdout.strip() == mine


class Bench:
    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self.stopping, self.final = threading.Event(), False

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        assert 0 < fraction <= 1

    def report(self, *, usage: object = None, shown: object = None) -> None:
        raise AssertionError("nothing to report")

    def note(self, memo: bytes) -> Awaitable[None]:
        raise AssertionError("the illustrator keeps no notes")


def test_the_engine_edits_where_a_job_brings_pictures(tmp_path: Path) -> None:
    outdoors().save(tmp_path / "base.png")
    base = File(path=str(tmp_path / "base.png"), type="image/png", width=SIDE, height=SIDE)
    asked = job("make the sky purple, zorgle", function="description_edit", watermark=True)
    asked.inputs["base_image_url"] = [base]
    (output,) = asyncio.run(Illustrator().run(asked, Bench(tmp_path)))
    assert output.path and (output.width, output.height) == (SIDE, SIDE)
    with Image.open(output.path) as picture:
        text: dict[str, str] = picture.text  # type: ignore[attr-defined]
        assert apart(picture, outdoors()) > 4
    assert (text["Drawn"], text["Words left out"]) == ("edit: sky purple", "zorgle")
