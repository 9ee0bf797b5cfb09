"""Tasks that share a call: each gets what it would get alone, and so does a process elsewhere."""

from typing import Any

import numpy as np
import pytest
from bench.rooms import CALM, Room, mates
from test_pipelines import film, only, shown

from ferrotype.ports.engine import Job

pytest_plugins = ["pipeline_fixtures"]

FAMILIES = ("flux", "qwen", "sd", "z-image")


@pytest.fixture(scope="module")
def batching(menu: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    recipes = {name: menu[name] | {"batch": 3} for name in (*FAMILIES, "wan")}
    room = Room(tmp_path_factory.mktemp("batching"), recipes, first=CALM)
    room.start()
    yield room
    room.close()


def jobs(room: Room, model: str, kind: str = "text-to-image", **more: Any) -> list[Job]:
    """Three jobs of one shape, with words, seeds and negatives of their own."""
    wishes = (
        {"prompt": "a cat", "seed": 1},
        {"prompt": "a long road through the hills", "seed": 20},
        {"prompt": "rain", "seed": 300, "negative": "people"},
    )
    return [room.job(model, kind, (80, 64), **wish, **more) for wish in wishes]


def pixels(output: Any) -> Any:
    return np.asarray(shown(output)[0], dtype=int)


@pytest.mark.parametrize("name", FAMILIES)
def test_pictures_of_one_call_are_those_of_three(name: str, batching: Room, studio: Room) -> None:
    together = batching.run(jobs(batching, name))[1]
    for made, alone in zip(together, jobs(studio, name), strict=True):
        other = only(studio.run([alone])[1])
        assert np.abs(pixels(made[0]) - pixels(other)).max() <= 1
        ours, theirs = shown(made[0])[1], shown(other)[1]
        told = ("Seed", "Description", "Negative prompt", "Steps", "Guidance")
        assert [ours.get(fact) for fact in told] == [theirs.get(fact) for fact in told]


def test_films_of_one_call_are_those_of_three(batching: Room, studio: Room) -> None:
    more: dict[str, Any] = {"kind": "text-to-video", "duration": 0.5}
    together = batching.run(jobs(batching, "wan", **more))[1]
    for made, alone in zip(together, jobs(studio, "wan", **more), strict=True):
        other = film(only(studio.run([alone])[1]))[0]
        for one, two in zip(film(made[0])[0], other, strict=True):
            assert np.abs(one.astype(int) - two).mean() < 1  # H.264 lies between


def test_a_seed_gives_the_same_pixels_in_another_process(studio: Room, batching: Room) -> None:
    one, other = (
        only(room.run([room.job("flux", "text-to-image", (96, 80), seed=11)])[1])
        for room in (studio, batching)
    )
    assert studio.pid != batching.pid
    assert np.array_equal(pixels(one), pixels(other))


def test_a_mate_that_is_stopped_leaves_the_others_their_pictures(batching: Room) -> None:
    wishes = [
        batching.job("flux", "text-to-image", (64, 64), seed=i, fields={"steps": 60})
        for i in range(3)
    ]
    running = [batching.begin(job) for job in mates(wishes)]
    batching.stop(wishes[1].task)
    with pytest.raises(Exception, match="stopped as asked"):
        running[1].result(30)
    for i in (0, 2):
        assert shown(running[i].result(60).outputs[0])[1]["Seed"] == str(i)


def test_a_mate_that_breaks_is_told_so_and_the_others_are_drawn(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    breaks = (
        "import diffusers\n"
        "whole = diffusers.FluxPipeline.encode_prompt\n"
        "def encode(self, prompt, *args, **more):\n"
        "    if 'broken' in str(prompt): raise ValueError('these words break it')\n"
        "    return whole(self, prompt, *args, **more)\n"
        "diffusers.FluxPipeline.encode_prompt = encode"
    )
    room = open_room({"flux": menu["flux"] | {"batch": 3}}, breaks)
    wishes = [
        room.job("flux", "text-to-image", (64, 64), prompt=words)
        for words in ("a cat", "a broken vase", "a dog")
    ]
    running = [room.begin(job) for job in mates(wishes)]
    assert [len(running[i].result(60).outputs) for i in (0, 2)] == [1, 1]
    with pytest.raises(Exception, match="these words break it"):
        running[1].result(60)
