"""A stop ends a call within one step, and costs nobody the loaded pipeline."""

import threading
import time
from typing import Any

import pytest
from bench.rooms import mates
from test_device_memory import TOO_LARGE
from test_pipelines import only, shown

pytest_plugins = ["pipeline_fixtures"]

A_STEP = 0.3
SLOW = f"""
import time, diffusers
whole = diffusers.FluxTransformer2DModel.forward
def forward(self, *args, **more):
    time.sleep({A_STEP})
    return whole(self, *args, **more)
diffusers.FluxTransformer2DModel.forward = forward
"""


def test_a_stop_takes_a_step_at_most(menu: dict[str, dict[str, Any]], open_room: Any) -> None:
    room = open_room({"flux": menu["flux"] | {"warm": True}}, SLOW)
    pid, said, stepped = room.pid, list[float](), threading.Event()

    def progress(fraction: float) -> None:
        said.append(fraction)
        if fraction > 0:
            stepped.set()

    long = room.job("flux", "text-to-image", (64, 64), fields={"steps": 100})
    running = room.begin(long, progress)
    assert stepped.wait(60)
    room.stop(long.task)
    with pytest.raises(Exception, match="stopped as asked"):
        running.result(30)
    began = time.monotonic()
    told = shown(only(room.run([room.job("flux", "text-to-image", (64, 64))])[1]))[1]
    assert time.monotonic() - began < 20 * A_STEP  # not the 30 s that the first had left
    assert room.pid == pid
    assert A_STEP <= float(told["Seconds a step"]) < 5 * A_STEP
    assert said == sorted(said)


def test_progress_is_told_step_by_step(menu: dict[str, dict[str, Any]], open_room: Any) -> None:
    room = open_room({"flux": menu["flux"] | {"warm": True}}, SLOW)
    said: list[float] = []
    job = room.job("flux", "text-to-image", (64, 64), fields={"steps": 4})
    room.begin(job, said.append).result(60)
    assert said == pytest.approx([0.2375, 0.475, 0.7125, 0.95, 1.0])


def test_who_waits_for_a_slow_load_is_known_to_be_alive(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    slow = (
        "import time, diffusers\n"
        "whole = diffusers.DiffusionPipeline.from_pretrained.__func__\n"
        "def load(cls, *args, **more):\n"
        "    time.sleep(3.5)\n"
        "    return whole(cls, *args, **more)\n"
        "diffusers.DiffusionPipeline.from_pretrained = classmethod(load)"
    )
    room = open_room({"flux": menu["flux"]}, slow)
    said: list[float] = []
    room.begin(room.job("flux", "text-to-image", (64, 64)), said.append).result(60)
    assert said.count(0.0) >= 2


def test_who_waits_for_a_mates_call_is_known_to_be_alive(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    more = {"warm": True, "batch": 2, "true_cfg": 2.0}
    room = open_room({"flux": menu["flux"] | more}, SLOW)
    plain, guided = mates(
        [
            room.job("flux", "text-to-image", (64, 64), negative=words, fields={"steps": 5})
            for words in ("", "people")
        ]
    )
    said: list[float] = []
    running = [room.begin(plain), room.begin(guided, said.append)]
    assert [len(one.result(60).outputs) for one in running] == [1, 1]
    assert said.count(0.0) >= 4
    assert said == sorted(said)


def test_progress_never_becomes_less_when_a_call_is_made_again(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    room = open_room({"flux": menu["flux"] | {"warm": True, "batch": 2}}, SLOW + TOO_LARGE)
    said: list[float] = []
    one, other = mates([room.job("flux", "text-to-image", (64, 64), seed=i) for i in range(2)])
    running = [room.begin(one), room.begin(other, said.append)]
    assert [len(job.result(60).outputs) for job in running] == [1, 1]
    assert len(said) > 6  # of two calls
    assert said == sorted(said)
