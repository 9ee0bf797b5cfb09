# ruff: noqa: E501  (a table of the vendor's sizes reads best on few lines)
"""Films through the engine port: sizes, lengths, sound, seeds, stops, the caller's pictures."""

import asyncio
import hashlib
import subprocess
import sys
import threading
import wave
from collections.abc import Awaitable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.engine import Illustrator
from ferrotype.engines.illustrator.ground import survey
from ferrotype.engines.illustrator.reader import read
from ferrotype.engines.illustrator.video import scenery, sound
from ferrotype.engines.illustrator.video.camera import MOVES, asked
from ferrotype.engines.illustrator.video.planes import Layer, blank
from ferrotype.media import File, Output
from ferrotype.ports.engine import EngineRefusal, Job

Pixels = NDArray[np.uint8]
SIZES = (
    (832, 480), (480, 832), (624, 624), (1280, 720), (720, 1280), (960, 960), (1088, 832), (832, 1088),
    (1104, 832), (832, 1104), (1920, 1080), (1080, 1920), (1440, 1440), (1632, 1248), (1248, 1632),
    (1648, 1248), (1248, 1648),
)  # fmt: skip
LAKE = "a red sailboat on a mountain lake at sunset"
SHOP = "A flower shop with a wooden door"
HOSTILE = [
    "\u202e\u0000<svg>&xxe;",
    "zoom in " * 900,
    "😀" * 500,
    "雨" * 2000,
    "",
    "% { } \\N rain",
]


class Bench:
    def __init__(self, workdir: Path, stop_after: float = 2.0) -> None:
        self.workdir, self.stop_after = workdir, stop_after
        self.stopping, self.final = threading.Event(), False
        self.seen: list[float] = []

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        self.seen.append(fraction)
        if fraction >= self.stop_after:
            self.stopping.set()

    def report(self, *, usage: object = None, shown: object = None) -> None:
        raise AssertionError("nothing to report")

    def note(self, memo: bytes) -> Awaitable[None]:
        raise AssertionError("the illustrator keeps no notes")


def job(prompt: str, size: tuple[int, int] = (416, 256), **more: Any) -> Job:
    facts: dict[str, Any] = {
        "task": "t-1", "attempt": 1, "model": "wan2.5-t2v-preview", "kind": "text-to-video",
        "prompt": prompt, "negative": "", "size": size, "n": 1, "seed": 7, "fields": {}, "inputs": {},
        "duration": 0.4, "fps": 30, "workdir": "", "memo": None,
    }  # fmt: skip
    fields = {"sound": True} | more.pop("fields", {})
    return Job(**facts | more | {"fields": fields})


def film(folder: Path, made: Job, quick: bool = False) -> Output:
    folder.mkdir(exist_ok=True)
    (output,) = asyncio.run(Illustrator(quick=quick).run(made, Bench(folder)))
    return output


def frames(output: Output) -> list[Pixels]:
    assert output.path
    with av.open(output.path) as source:
        return [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in source.decode(video=0)]


def heard(output: Output) -> NDArray[np.float32] | None:
    assert output.path
    with av.open(output.path) as source:
        if not source.streams.audio:
            return None
        return np.concatenate([frame.to_ndarray() for frame in source.decode(audio=0)], axis=1)


def picture(path: Path, colour: str, size: tuple[int, int] = (400, 300)) -> File:
    made = Image.new("RGB", size, colour)
    made.paste("#ffffff", (size[0] // 3, size[1] // 3, size[0] // 2, size[1] // 2))
    made.save(path)
    return File(path=str(path), type="image/png", width=size[0], height=size[1])


def track(path: Path, seconds: float) -> File:
    t = np.arange(int(44_100 * seconds)) / 44_100
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(44_100)
        out.writeframes((np.sin(t * 2765) * 16_000).astype("<i2").tobytes())
    return File(path=str(path), type="audio/wav", seconds=seconds)


def check(output: Output, size: tuple[int, int], count: int, sounding: bool) -> None:
    assert output.path and output.type == "video/mp4"
    assert (output.width, output.height, output.seconds) == (*size, count / 30)
    raw = Path(output.path).read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")
    with av.open(output.path) as source:
        stream = source.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (*size, count)
        assert stream.average_rate == Fraction(30)
        assert (stream.codec_context.name, stream.format.name) == ("h264", "yuv420p")
        assert stream.duration and float(
            stream.duration * (stream.time_base or 0)
        ) == pytest.approx(count / 30)
        assert stream.codec_context.colorspace == stream.codec_context.color_primaries == 1
        assert bool(source.streams.audio) == sounding
        if sounding:
            voice = source.streams.audio[0]
            assert (voice.codec_context.name, voice.rate, voice.channels) == ("aac", 48_000, 2)
            assert voice.duration
            assert float(voice.duration * (voice.time_base or 0)) == pytest.approx(
                count / 30, abs=0.05
            )
        assert sum(1 for _ in source.decode(video=0)) == count


@pytest.mark.parametrize("size", SIZES)
def test_every_size_of_the_catalogue_is_exact(tmp_path: Path, size: tuple[int, int]) -> None:
    made = job("the inner life of a bureaucrat", size, duration=0.1, fields={"quick": True})
    check(film(tmp_path, made), size, 3, True)


@pytest.mark.parametrize("seconds", [2, 3, 7, 15, 30])
def test_every_length_is_exact(tmp_path: Path, seconds: int) -> None:
    made = job("fog", (256, 256), duration=float(seconds))
    check(film(tmp_path, made, quick=True), (256, 256), seconds * 30, True)


@pytest.mark.parametrize(
    ("prompt", "size"),
    [
        (LAKE, (640, 360)),
        (SHOP, (360, 640)),
        ("two cats run in the rain on a meadow, zoom in", (480, 480)),
    ],
)
def test_a_drawn_film_moves_and_is_drawn_in_full(
    tmp_path: Path, prompt: str, size: tuple[int, int]
) -> None:
    output = film(tmp_path, job(prompt, size, duration=1.0))
    check(output, size, 30, True)
    shown = [frame.astype(int) for frame in frames(output)]
    assert abs(shown[0] - shown[-1]).mean() > 1
    jumps = [abs(a - b).mean() for a, b in pairwise(shown)]
    assert max(jumps) < 12, "one frame is a step, never a jump"


@pytest.mark.parametrize(
    ("fields", "sounding"),
    [
        ({"sound": False}, False),
        ({}, True),
        ({"audio": False}, False),
        ({"audio": True}, True),
        ({"sound": False, "audio": True}, False),
    ],
)
def test_sound_goes_by_model_and_by_the_caller(
    tmp_path: Path, fields: dict[str, bool], sounding: bool
) -> None:
    output = film(tmp_path, job(LAKE, fields=fields), quick=True)
    assert (heard(output) is not None) == sounding


@pytest.mark.parametrize("bed", sorted(sound.BEDS))
def test_no_sound_clicks_at_its_ends(bed: str) -> None:
    made = sound.ambience([bed], 3 * sound.RATE, 5)
    assert 0.01 < abs(made).max() <= 1
    assert abs(made[:, :200]).max() < 0.01 and abs(made[:, -200:]).max() < 0.01


def test_the_callers_track_is_laid_under_and_followed_by_silence(tmp_path: Path) -> None:
    made = job(LAKE, duration=2.0, inputs={"audio_url": [track(tmp_path / "a.wav", 1.0)]})
    voice = heard(film(tmp_path, made, quick=True))
    assert voice is not None
    assert abs(voice[:, 10_000:40_000]).mean() > 0.1
    assert abs(voice[:, 52_000:]).max() < 0.01
    mute = film(tmp_path, job(LAKE, fields={"audio": False}, inputs=made.inputs), quick=True)
    assert heard(mute) is None


def test_the_same_seed_films_the_same_in_another_process(tmp_path: Path) -> None:
    made = job("a cat runs on a meadow in the snow", duration=0.5)
    mine = hashlib.sha256(b"".join(f.tobytes() for f in frames(film(tmp_path, made)))).hexdigest()
    program = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from test_illustrator_video import film, frames, job\n"
        "made = job('a cat runs on a meadow in the snow', duration=0.5)\n"
        "shown = frames(film(Path(sys.argv[2]), made))\n"
        "print(hashlib.sha256(b''.join(f.tobytes() for f in shown)).hexdigest())\n"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path / "other")]
    other = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert other.stdout.strip() == mine
    changed = film(tmp_path, job(made.prompt, duration=0.5, seed=8))
    assert hashlib.sha256(b"".join(f.tobytes() for f in frames(changed))).hexdigest() != mine


@pytest.mark.parametrize("when", [0.0, 0.1, 0.5])
def test_a_stop_leaves_no_file(tmp_path: Path, when: float) -> None:
    bench = Bench(tmp_path, stop_after=when)
    if not when:
        bench.stopping.set()
    assert asyncio.run(Illustrator().run(job(LAKE, duration=2.0), bench)) == []
    assert list(tmp_path.iterdir()) == []
    assert not bench.seen or max(bench.seen) < when + 0.15


@pytest.mark.parametrize("prompt", HOSTILE)
def test_no_prompt_breaks_a_film(tmp_path: Path, prompt: str) -> None:
    check(film(tmp_path, job(prompt, duration=0.2), quick=True), (416, 256), 6, True)


def test_a_film_says_what_it_is(tmp_path: Path) -> None:
    output = film(tmp_path, job("a cat in a meadow with a trombone"), quick=True)
    assert output.path
    with av.open(output.path) as source:
        comment, about = source.metadata["comment"], source.metadata["description"]
    assert about == "a cat in a meadow with a trombone"
    for fact in (
        "illustrator",
        "illustration",
        "wan2.5-t2v-preview",
        "t-1",
        "seed: 7",
        "cat",
        "left out: trombone",
        "algorithmicMedia",
    ):
        assert fact in comment


def test_the_watermark_is_in_the_lower_right_corner_only(tmp_path: Path) -> None:
    plain = frames(film(tmp_path, job(LAKE, (640, 360), duration=0.1)))[-1].astype(int)
    marked = frames(
        film(tmp_path, job(LAKE, (640, 360), duration=0.1, fields={"watermark": True}))
    )[-1]
    changed = np.argwhere((abs(marked - plain) > 40).any(axis=2))
    assert len(changed) > 40
    assert changed[:, 0].min() > 320 and changed[:, 1].min() > 400


def test_a_first_frame_is_met_whole_and_keeps_its_ratio(tmp_path: Path) -> None:
    inputs = {"img_url": [picture(tmp_path / "a.png", "#3060a0", (900, 300))]}
    made = job(
        "petals drift", (640, 360), kind="image-to-video", model="wan2.2-i2v-plus", inputs=inputs
    )
    output = film(tmp_path, made)
    assert output.width / output.height == pytest.approx(3, rel=0.02)
    assert output.width * output.height == pytest.approx(640 * 360, rel=0.02)
    assert output.width % 2 == output.height % 2 == 0
    given = Image.open(tmp_path / "a.png").resize((output.width, output.height))
    assert abs(frames(output)[0].astype(int) - np.asarray(given)).mean() < 3


@pytest.mark.parametrize("seed", range(6))
def test_first_and_last_frames_are_the_callers(tmp_path: Path, seed: int) -> None:
    first, last = picture(tmp_path / "a.png", "#3060a0"), picture(tmp_path / "b.png", "#a06030")
    made = job("", (400, 300), kind="first-last-frame-to-video", model="wan2.2-kf2v-flash", seed=seed,
               inputs={"first_frame_url": [first], "last_frame_url": [last]})  # fmt: skip
    shown = frames(film(tmp_path, made))
    for frame, file in ((shown[0], first), (shown[-1], last)):
        assert abs(frame.astype(int) - np.asarray(Image.open(file.path))).mean() < 3


def test_a_clip_keeps_its_length_or_is_carried_on(tmp_path: Path) -> None:
    source = film(tmp_path / "clip", job(LAKE, (640, 360), duration=0.5), quick=True)
    assert source.path
    clip = File(path=source.path, type="video/mp4", width=640, height=360, seconds=0.5)
    edit = job(
        "black and white",
        (640, 360),
        model="wan2.7-videoedit",
        kind="video-edit",
        duration=0.0,
        inputs={"video": [clip]},
    )
    toned = film(tmp_path / "edit", edit)
    check(toned, (640, 360), 15, True)
    grey = frames(toned)[5].astype(int)
    assert abs(grey[..., 0] - grey[..., 2]).mean() < 3
    longer = job(
        "warm", (640, 360), model="wan2.7-i2v", duration=1.0, inputs={"first_clip": [clip]}
    )
    check(film(tmp_path / "more", longer), (640, 360), 30, True)


def test_a_clip_is_painted_in_the_style_that_is_asked(tmp_path: Path) -> None:
    """Ten pictures a second change; black and white leaves no colour."""
    made = film(tmp_path, job("a dog running in a meadow", duration=1.0))
    assert made.path
    (tmp_path / "in.mp4").write_bytes(Path(made.path).read_bytes())
    clip = File(path=str(tmp_path / "in.mp4"), type="video/mp4", width=416, height=256, seconds=1.0)
    edit = job("black and white", kind="video-edit", duration=1.0, inputs={"video_url": [clip]})
    grey = frames(film(tmp_path, edit))
    assert max(np.ptp(one.astype(int), axis=2).max() for one in grey) < 24
    changes = [k for k in range(1, 30) if abs(grey[k].astype(int) - grey[k - 1]).mean() > 0.5]
    assert 7 <= len(changes) <= 10


def test_a_drawn_film_moves_in_its_style(tmp_path: Path) -> None:
    shown = frames(film(tmp_path, job("a dog running in a meadow, watercolor", duration=2.0)))
    assert all(one[:3].mean() > 225 for one in shown)  # bare paper at the edge, in all pictures
    middle = [one[100:240, 60:-60].astype(int) for one in (shown[0], shown[29], shown[59])]
    assert min(abs(a - b).mean() for a, b in pairwise(middle)) > 1


def test_references_are_all_shown(tmp_path: Path) -> None:
    files = [
        picture(tmp_path / f"{k}.png", colour)
        for k, colour in enumerate(("#ff0000", "#00ff00", "#0000ff"))
    ]
    made = job("character1 and character2 on a meadow", (640, 360), model="wan2.6-r2v", kind="reference-to-video",
               duration=1.2, inputs={"reference_urls": files})  # fmt: skip
    last = frames(film(tmp_path, made))[-1].astype(int)
    for channel in range(3):
        others = [c for c in range(3) if c != channel]
        assert (last[..., channel] - last[..., others].max(axis=2) > 150).sum() > 1500


def test_a_size_out_of_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineRefusal):
        film(tmp_path, job(LAKE, (100, 512)))


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("slowly zoom in on a cat", "in"),
        ("镜头拉远", "out"),
        ("pan left over a lake", "left"),
        ("固定镜头", "hold"),
        ("a cat", None),
    ],
)
def test_the_camera_does_what_it_is_told(prompt: str, name: str | None) -> None:
    assert asked(prompt) == name


@pytest.mark.parametrize("move", sorted(MOVES))
def test_the_camera_never_looks_past_the_picture(move: str) -> None:
    for k in range(101):
        left, top, right, bottom = MOVES[move].box(k / 100, (1920, 1080))
        assert left > -1e-6 and top > -1e-6 and right < 1920 + 1e-6 and bottom < 1080 + 1e-6
        assert (right - left) / (bottom - top) == pytest.approx(16 / 9)


def test_a_layer_moves_by_quarters_of_a_pixel_evenly() -> None:
    sheet = Image.new("RGBA", (64, 16))
    sheet.paste("#ffffff", (20, 4, 40, 12))
    layer, middles = Layer(sheet), []
    for k in range(40):
        canvas = blank(64, 16)
        layer.onto(canvas, k / 4)
        light = canvas[0][8].astype(float) - 16
        middles.append(float((light * np.arange(64)).sum() / light.sum()))
    steps = np.diff(middles)
    assert steps == pytest.approx([-0.25] * 39, abs=0.02)


def test_only_animals_and_vehicles_go_along_the_ground() -> None:
    drawing = Drawing(read("a dog and a bus running past a bench and a campfire"), 320, 180, 3)
    moving = list(scenery.actors(drawing, survey(drawing)))
    assert sorted(actor.rigid for actor in moving) == [False, True]
