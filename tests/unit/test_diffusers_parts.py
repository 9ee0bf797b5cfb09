"""The parts of the diffusers engine that need no torch: options, weights, sizes, wishes, health."""

import asyncio
import json
import struct
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ferrotype.engines.diffusers.canvas import Canvas, canvas_for, chosen, frames_for, in_ratio
from ferrotype.engines.diffusers.gathering import Gathering
from ferrotype.engines.diffusers.health import PAUSES, Health
from ferrotype.engines.diffusers.options import read_options
from ferrotype.engines.diffusers.seat import Seat
from ferrotype.engines.diffusers.weights import Weights, bytes_of
from ferrotype.engines.diffusers.wish import Mode, read
from ferrotype.media import File, Output
from ferrotype.ports.engine import EngineRefusal, Job

REVISION = "0123456789abcdef0123456789abcdef01234567"


def problems(pulled: str = "", **table: Any) -> list[str]:
    return list(read_options({"weights": "/", **table}).problems(pulled))


def safetensors(path: Path, **tensors: tuple[str, list[int]]) -> None:
    """Write a file that has only a header: enough to count by."""
    header = {name: {"dtype": kind, "shape": shape} for name, (kind, shape) in tensors.items()}
    body = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(body)) + body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipeline of two parts, as far as it can be seen unloaded."""
    index = {
        "_class_name": "FluxPipeline",
        "transformer": ["diffusers", "FluxTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "image_encoder": [None, None],
    }
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    safetensors(tmp_path / "transformer" / "a.safetensors", w=("BF16", [10, 10]), n=("I64", [3]))
    safetensors(tmp_path / "vae" / "a.safetensors", w=("F32", [4]))
    safetensors(tmp_path / "vae" / "a.fp16.safetensors", w=("F16", [4]))
    return tmp_path


def test_a_good_recipe_has_no_problem(folder: Path) -> None:
    assert problems(weights=str(folder), attention="_flash_3", memory="60GiB", batch=4) == []


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"weights": "/no/such"}, "There is no folder /no/such."),
        ({"weights": "someone"}, "an absolute folder or a hub id"),
        ({"weights": "../x/y"}, "an absolute folder or a hub id"),
        ({"weights": "someone/flux"}, "the 40 hex digits of a commit"),
        ({"weights": "someone/flux", "revision": "main"}, "the 40 hex digits of a commit"),
        ({"attention": "_flash_3_hub"}, "which is never run here"),
        ({"attention": "flashy"}, "There is no attention 'flashy'; there are"),
        ({"memory": "lots"}, 'memory is "auto" or such as "60GiB"'),
        ({"compile": True, "offload": "sequential"}, "compile has no effect"),
        ({"lora": [{"weights": "/no/such"}]}, "There is no folder /no/such."),
        ({"lora": [{"weights": "/", "file": "a.bin"}]}, "a .safetensors in its folder"),
        ({"lora": [{"weights": "/", "file": "../a.safetensors"}]}, "in its folder"),
        ({"lora": [{"weights": "/"}]}, "has 0 .safetensors files; say which"),
    ],
)
def test_problems_that_can_be_seen_are_told_in_a_sentence(
    table: dict[str, Any], why: str, folder: Path
) -> None:
    found = problems(**({"weights": str(folder)} | table))
    assert len(found) == 1
    assert why in found[0]


def test_weights_of_a_hub_are_looked_for_where_they_were_pulled_to(folder: Path) -> None:
    named = {"weights": "someone/flux", "revision": REVISION}
    assert problems(**named) == []  # nobody said where
    assert "is not here yet: ferrotype recipes pull" in problems(str(folder), **named)[0]
    own = Weights("someone/flux", REVISION)
    assert own.folder("/w") == Path("/w/someone--flux") / REVISION
    assert own.title == f"someone/flux@{REVISION}"
    assert Weights("/srv/models/flux").title == "flux"


def test_pickles_and_broken_files_are_seen(folder: Path) -> None:
    (folder / "vae" / "a.safetensors").rename(folder / "vae" / "a.bin")
    (folder / "vae" / "a.fp16.safetensors").unlink()
    assert "a format that can run programs" in problems(weights=str(folder))[0]
    (folder / "model_index.json").write_text('{"_class_name": ["pipeline", "Evil"]}')
    assert "names no class of diffusers" in problems(weights=str(folder))[0]
    (folder / "model_index.json").write_text('{"_class_name": "X", "vae": []}')
    assert problems(weights=str(folder)) == []
    (folder / "model_index.json").write_text("{")
    assert "cannot be read" in problems(weights=str(folder))[0]


def test_what_weights_will_take_is_counted_from_their_headers(folder: Path) -> None:
    assert bytes_of(folder, {"": 2}) == {"transformer": 203, "vae": 8}
    assert bytes_of(folder, {"": 2, "vae": 4, "transformer": 1}) == {"transformer": 103, "vae": 16}
    for broken in (b"\x10", struct.pack("<Q", 2) + b"[]"):
        (folder / "vae" / "a.safetensors").write_bytes(broken)
        with pytest.raises(ValueError, match=r"vae/a\.safetensors is no safetensors file"):
            bytes_of(folder, {"": 2})


def test_recipes_that_load_alike_are_told_from_those_that_do_not() -> None:
    plain = read_options({"weights": "/w"})
    for more in ({"steps": 4}, {"guidance": 1.0}, {"batch": 4}, {"negative": "people"}):
        assert read_options({"weights": "/w", **more}).loading == plain.loading
    cache = {"kind": "mag_cache", "ratios": [1.0]}
    changes: tuple[Mapping[str, Any], ...] = (
        {"dtype": "float16"}, {"lora": [{"weights": "/l"}]}, {"cache": cache}, {"compile": True},
    )  # fmt: skip
    assert len({read_options({"weights": "/w", **more}).loading for more in changes}) == 4
    four, eight = (
        read_options({"weights": "/w", "cache": cache, "steps": steps}) for steps in (4, 8)
    )
    assert four.loading != eight.loading


def test_an_unknown_option_or_value_is_an_error_that_names_it() -> None:
    for table, why in (
        ({"offloads": "model"}, "offloads"),
        ({"offload": "some"}, r"\$.offload"),
        ({"cache": {"kind": "magic"}}, "magic"),
        ({"lora": [{"path": "/x"}]}, "path"),
    ):
        with pytest.raises(msgspec.ValidationError, match=why):
            read_options({"weights": "/", **table})


@pytest.mark.parametrize(
    ("asked", "multiple", "most", "drawn"),
    [
        ((1024, 1024), 16, None, (1024, 1024)),
        ((1920, 1080), 16, None, (1920, 1088)),
        ((100, 70), 16, None, (112, 80)),
        ((7, 7), 32, None, (32, 32)),
        ((2048, 1024), 16, 1024 * 512, (1024, 512)),
    ],
)
def test_what_is_drawn_covers_what_was_asked(
    asked: tuple[int, int], multiple: int, most: int | None, drawn: tuple[int, int]
) -> None:
    canvas = canvas_for(asked, multiple, most)
    assert canvas.drawn == drawn
    scaled, (left, top) = canvas.middle
    assert (scaled[0] - asked[0]) // 2 == left
    assert (scaled[1] - asked[1]) // 2 == top
    assert scaled[0] >= asked[0]
    assert scaled[1] >= asked[1]


def test_a_picture_is_cut_in_the_middle_and_enlarged_where_it_must_be() -> None:
    from PIL import Image

    drawn = Image.new("RGB", (112, 80))
    drawn.paste((255, 255, 255), (6, 5, 106, 75))
    whole = Canvas((100, 70), (112, 80)).finish(drawn)
    assert whole.size == (100, 70)
    assert whole.getextrema() == ((255, 255),) * 3  # nothing of the edge is left
    assert Canvas((300, 100), (112, 80)).finish(drawn).size == (300, 100)


def test_frames_are_counted_up_and_chosen_back() -> None:
    assert [frames_for(count, 4) for count in (1, 2, 5, 80, 81, 82)] == [1, 5, 5, 81, 81, 85]
    assert chosen(81, 80, 1.0, to_the_end=False) == list(range(80))
    between = chosen(81, 80, 1.0, to_the_end=True)
    assert (between[0], between[-1], len(between)) == (0, 80, 80)
    assert chosen(9, 12, 16 / 24, to_the_end=False)[:4] == [0, 1, 1, 2]
    assert chosen(1, 3, 1.0, to_the_end=True) == [0, 0, 0]


def test_an_area_takes_the_ratio_of_a_picture() -> None:
    assert in_ratio((1280, 720), (1000, 1000), 2) == (960, 960)
    wide, high = in_ratio((832, 480), (10_000, 10), 2)
    assert wide / high == pytest.approx(8, rel=0.02)


def job(kind: str, *, fields: Any = None, duration: float | None = None, **inputs: File) -> Job:
    return Job(
        task="t", attempt=1, model="m", kind=kind, prompt="a cat", negative="", size=(640, 480),
        n=1, seed=1, fields=fields or {}, inputs={role: [file] for role, file in inputs.items()},
        duration=duration, fps=None, workdir="/tmp", memo=None,
    )  # fmt: skip


PNG = File(path="/x.png", type="image/png", width=800, height=400)


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        (job("text-to-image"), Mode.DRAW),
        (job("image-edit", images=PNG), Mode.EDIT),
        (job("image-edit", base_image_url=PNG, fields={"function": "description_edit"}), Mode.EDIT),
        (job("text-to-video"), Mode.FILM),
        (job("text-to-video", first_frame=PNG), Mode.FIRST),
        (job("text-to-video", first_frame=PNG, last_frame=PNG), Mode.BETWEEN),
        (job("image-to-video", img_url=PNG), Mode.FIRST),
        (job("first-last-frame-to-video", first_frame_url=PNG, last_frame_url=PNG), Mode.BETWEEN),
        (job("reference-to-video", reference_image=PNG), Mode.REFER),
        (job("video-edit", ref_images_url=PNG, fields={"function": "image_reference"}), Mode.REFER),
    ],
)
def test_a_job_says_by_kind_and_files_what_is_to_be_done(asked: Job, mode: Mode) -> None:
    assert read(asked).mode is mode


@pytest.mark.parametrize(
    "asked",
    [
        job("image-edit"),
        job("image-edit", images=PNG, mask_image_url=PNG),
        job("image-edit", base_image_url=PNG, fields={"function": "expand"}),
        job("text-to-image", fields={"color_palette": [1]}),
        job("text-to-video", last_frame=PNG),
        job("image-to-video", img_url=msgspec.structs.replace(PNG, type="video/mp4")),
        job("text-to-video", fields={"sound": True}),
        job("text-to-image", fields={"steps": 0}),
        job("video-edit", ref_images_url=PNG, fields={"function": "video_edit"}),
        job("video-edit", fields={"function": "image_reference"}),
    ],
)
def test_what_no_pipeline_can_follow_is_refused(asked: Job) -> None:
    with pytest.raises(EngineRefusal) as refused:
        read(asked)
    assert refused.value.refusal == "InvalidParameter"


def test_a_size_follows_the_picture_it_is_to_follow() -> None:
    assert read(job("image-to-video", img_url=PNG)).size == (784, 392)
    assert read(job("image-edit", images=PNG)).size == (640, 480)
    asked = job("image-edit", images=PNG, fields={"size_follows": "images"})
    wide, high = read(asked).size
    assert wide / high == pytest.approx(2, rel=0.05)


def test_a_recipe_that_fails_is_tried_again_with_growing_pauses() -> None:
    now = [0.0]
    health = Health(lambda: now[0])
    for pause in (*PAUSES, PAUSES[-1]):
        health.ail("a", "no room")
        assert health.unfit == {"a": "no room"}
        now[0] += pause - 0.1
        assert health.unfit
        now[0] += 0.2
        assert health.unfit == {}
    health.ail("b", "other weights", for_good=True)
    now[0] += 1e9
    assert health.unfit == {"b": "other weights"}
    health.heal("a")
    health.ail("a", "no room")
    now[0] += PAUSES[0] + 0.1
    assert set(health.unfit) == {"b"}


class Bench:
    """A bench that nobody stops."""

    workdir, final = Path("/"), True

    def __init__(self) -> None:
        self.stopping = threading.Event()

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None: ...

    async def note(self, memo: bytes) -> None: ...

    def report(self, *, usage: Any = None, shown: Any = None) -> None: ...


def seat(task: str, *mates: str) -> Seat:
    return Seat(msgspec.structs.replace(job("text-to-image"), task=task, mates=mates), Bench())


async def test_mates_begin_together_once_all_are_there() -> None:
    begun: list[list[str]] = []
    gathering = Gathering(lambda party: begun.append([seat.job.task for seat in party]))
    gathering.join(seat("a", "b", "c"))
    gathering.join(seat("x"))
    gathering.join(seat("c", "a", "b"))
    assert begun == [["x"]]
    gathering.join(seat("b", "c", "a"))
    assert begun == [["x"], ["a", "c", "b"]]


async def test_a_mate_that_does_not_come_is_not_waited_for_long() -> None:
    gone: asyncio.Queue[list[str]] = asyncio.Queue()
    gathering = Gathering(lambda party: gone.put_nowait([seat.job.task for seat in party]))
    gathering.join(seat("a", "b"))
    assert await asyncio.wait_for(gone.get(), 5) == ["a"]
    left = seat("a", "b")
    left.bench.stopping.set()
    gathering.join(left)
    gathering.join(seat("b", "a"))
    assert await asyncio.wait_for(gone.get(), 5) == ["b"]


async def test_a_seat_is_ended_once_and_left_by_whoever_gives_up() -> None:
    first = seat("a")
    first.give([Output(path="0.png")])
    first.fail(ValueError("too late"))
    assert [output.path for output in await first.outcome()] == ["0.png"]
    second = seat("b")
    waiting = asyncio.create_task(second.outcome())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert second.left
