"""Every model at every value that shapes its output: what the illustrator makes is what was asked.

Here a sample of them, small and short; `tests/endurance` takes them all.
"""

import asyncio
import random
import tempfile
import threading
import wave
from collections.abc import Awaitable, Iterator
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_catalogue_limits import CATALOGUE, EACH, Hand, ask

from ferrotype.catalogue import Model
from ferrotype.catalogue.fields import Choice, Integer
from ferrotype.catalogue.grammar import Field
from ferrotype.catalogue.size import Size
from ferrotype.engines.illustrator.engine import Illustrator
from ferrotype.media import File, Output
from ferrotype.ports.engine import Job
from ferrotype.task import Order

Case = tuple[str, str, tuple[tuple[str, Any], ...]]  # model, route, parameters
SHAPING = ("size", "resolution", "ratio", "duration", "fps", "style", "audio", "function")


class Bench:
    def __init__(self, workdir: Path) -> None:
        self.workdir, self.stopping, self.final = workdir, threading.Event(), False

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        assert 0 <= fraction <= 1

    def report(self, *, usage: object = None, shown: object = None) -> None:
        raise AssertionError("nothing to report")

    def note(self, memo: bytes) -> Awaitable[None]:
        raise AssertionError("the illustrator keeps no notes")


def values(field: Field) -> list[Any]:
    match field:
        case Choice():
            return list(field.of)
        case Integer():
            return sorted({field.min, field.max, *field.also})
        case Size():
            sizes = [Hand(random.Random(k)).size(field) for k in range(12)]
            return sorted({*(field.values or sizes), *field.tiers})
    return [True, False]


def cases(model: Model, route: str) -> Iterator[Case]:
    """Every combination of the values that shape a model's output."""
    fields = {name: field for name, field in model.parameters.items() if name in SHAPING}
    for chosen in product(*(values(field) for field in fields.values())):
        yield model.name, route, tuple(zip(fields, chosen, strict=True))


@cache
def every() -> list[Case]:
    return [case for name, route in EACH for case in cases(CATALOGUE.on_route(name, route), route)]


def ordered(case: Case) -> Order:
    """Ask for a case with all that the model requires."""
    name, route, chosen = case
    model, hand = CATALOGUE.on_route(name, route), Hand(random.Random(3))
    body = {
        table: {field: hand.value(of) for field, of in fields.items() if of.required}
        for table, fields in (("input", model.input), ("parameters", model.parameters))
    }
    body["parameters"] |= dict(chosen)
    if "prompt" in body["input"]:
        body["input"]["prompt"] = "a red sailboat on a lake"
    with_rules = hand.within_rules(model, body)
    with_rules["parameters"].pop("n", None)
    return ask(name, route, with_rules).order


def files(folder: Path, role: str, model: Model) -> File:
    """Make a file that a role may hold: a picture, else a clip, else a tone."""
    types = model.input_rules[role].types
    if "image/png" in types:
        Image.linear_gradient("L").resize((400, 300)).save(folder / f"{role}.png")
        return File(path=str(folder / f"{role}.png"), type="image/png", width=400, height=300)
    if "video/mp4" in types:
        return clip(folder / f"{role}.mp4")
    with wave.open(str(folder / f"{role}.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(44_100)
        out.writeframes(bytes(2 * 44_100))
    return File(path=str(folder / f"{role}.wav"), type="audio/wav", seconds=1.0)


def clip(path: Path) -> File:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for k in range(20):
            pixels = np.full((240, 320, 3), 10 * k, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode(None))
    return File(path=str(path), type="video/mp4", width=320, height=240, seconds=2.0)


def make(case: Case, folder: Path) -> tuple[Model, Order, list[Output]]:
    name, route, _ = case
    model, order = CATALOGUE.on_route(name, route), ordered(case)
    given = {
        role: [files(folder, role, model) for _ in urls] for role, urls in order.inputs.items()
    }
    job = Job(
        task="t", attempt=1, model=name, kind=order.kind, prompt=order.prompt, negative="",
        size=order.size, n=1, seed=7, fields=order.fields, inputs=given,
        duration=order.duration, fps=order.fps, workdir=str(folder), memo=None,
    )  # fmt: skip
    return model, order, list(asyncio.run(Illustrator(quick=True).run(job, Bench(folder))))


def hold(case: Case) -> None:
    """Make a case, open what came of it, and hold it against what was asked."""
    with tempfile.TemporaryDirectory() as name:
        model, order, outputs = make(case, Path(name))
        assert len(outputs) == 1
        output = outputs[0]
        assert output.path and Path(output.path).is_relative_to(name)
        assert output.type == ("video/mp4" if model.media == "video" else "image/png")
        (film if model.media == "video" else still)(order, output)


def still(order: Order, output: Output) -> None:
    with Image.open(output.path or "") as picture:
        assert picture.format == "PNG" and picture.mode == "RGB"
        picture.load()
        assert picture.size == (output.width, output.height)
        text: dict[str, str] = picture.text  # type: ignore[attr-defined]
    assert text["DigitalSourceType"].endswith("algorithmicMedia")
    if order.kind == "text-to-image":
        assert picture.size == order.size
    assert max(picture.size) <= 8192


def film(order: Order, output: Output) -> None:
    with av.open(output.path or "") as source:
        stream = source.streams.video[0]
        fps = order.fps or 30
        size = (stream.width, stream.height)
        assert size == (output.width, output.height)
        assert stream.average_rate == Fraction(fps)
        if order.duration and order.duration > 0:
            assert stream.frames == round(order.duration * fps)
        assert output.seconds == stream.frames / fps
        if order.kind == "text-to-video":
            assert size == order.size
            assert bool(source.streams.audio) == bool(order.fields.get("sound"))
        asked = order.size[0] * order.size[1]
        assert size[0] * size[1] == pytest.approx(asked, rel=0.05)
        assert "algorithmicMedia" in source.metadata["comment"]
        assert sum(1 for _ in source.decode(video=0)) == stream.frames


@cache
def few() -> dict[str, list[Case]]:
    """The cases that are quickly made, by model."""
    found: dict[str, list[Case]] = {}
    for case in every():
        order = ordered(case)
        if order.size[0] * order.size[1] * max(0.4, order.duration or 0) < 5_000_000:
            found.setdefault(case[0], []).append(case)
    return found


@settings(max_examples=14, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(few())).flatmap(lambda name: st.sampled_from(few()[name])))
def test_what_comes_out_is_what_was_asked(case: Case) -> None:
    hold(case)


def test_few_models_are_too_heavy_to_be_tried_here() -> None:
    assert len(few()) > 70
