"""Memory: what is loaded keeps to a budget, and running out costs one attempt at most."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.rooms import Room, mates
from structlog.testing import capture_logs
from test_batched_calls import jobs, pixels
from test_pipelines import only, shown

from ferrotype.ports.engine_room import EngineDied

pytest_plugins = ["pipeline_fixtures"]

FULL = """
import torch, diffusers
entire = diffusers.AutoencoderKL.decode
def decode(self, z, *args, **more):
    if {when}: raise {error}
    return entire(self, z, *args, **more)
diffusers.AutoencoderKL.decode = decode
"""
TOO_LARGE = FULL.format(
    when="len(z) > 1 and not (self.use_slicing and self.use_tiling)",
    error="torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB')",
)
NO_ROOM = "RuntimeError('DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes')"
NEVER = FULL.format(when="True", error=NO_ROOM)


def loads(logs: list[Any]) -> list[str]:
    """What the process said of loading and dropping, in order."""
    lines = [str(entry.get("line", "")) for entry in logs]
    found = []
    for line in lines:
        for word in ("loaded", "dropped"):
            if f"] {word} " in line:
                found.append(f"{word} {Path(line.rpartition('weights=')[2].split()[0]).name}")
    return found


def draw(room: Room, model: str) -> None:
    room.run([room.job(model, "text-to-image", (64, 64))])


def test_the_longest_unused_goes_when_room_is_needed(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    names = ("flux", "wan", "z-image")
    with capture_logs() as logs:
        room = open_room({name: menu[name] | {"memory": "3.4MB"} for name in names})
        for name in ("flux", "wan", "flux", "z-image", "flux", "wan"):
            draw(room, name)
        room.close()
    assert loads(logs) == [
        "loaded flux", "loaded wan",
        "dropped wan", "loaded z-image",
        "dropped z-image", "loaded wan",
    ]  # fmt: skip


def test_recipes_that_differ_in_their_calls_alone_share_what_is_loaded(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    with capture_logs() as logs:
        room = open_room({"quick": menu["flux"], "fine": menu["flux"] | {"steps": 5}})
        told = [
            shown(only(room.run([room.job(name, "text-to-image", (64, 64))])[1]))[1]["Steps"]
            for name in ("quick", "fine")
        ]
        room.close()
    assert told == ["3", "5"]
    assert loads(logs) == ["loaded flux"]


def test_a_call_that_is_too_large_is_made_in_halves(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    recipes = {name: menu[name] | {"batch": 3} for name in ("flux", "wan")}
    recipes["tiled"] = menu["flux"] | {"vae_slicing": True, "vae_tiling": True}
    with capture_logs() as logs:
        room = open_room(recipes, TOO_LARGE)
        draw(room, "wan")
        pid = room.pid
        together = room.run(jobs(room, "flux"))[1]
        apart = [only(room.run([alone])[1]) for alone in jobs(room, "tiled")]
        assert room.pid == pid
        room.close()
    others_go_first = ["loaded wan", "loaded flux", "dropped wan", "loaded flux"]
    assert loads(logs) == others_go_first
    for made, other in zip(together, apart, strict=True):
        assert np.abs(pixels(made[0]) - pixels(other)).max() <= 1


def test_too_little_for_one_ends_the_process_and_is_that_tasks_fault(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    room = open_room({"flux": menu["flux"], "wan": menu["wan"]}, NEVER)
    pid = room.pid
    with pytest.raises(EngineDied, match="exit code 3") as died:
        draw(room, "flux")
    assert died.value.alone
    draw(room, "wan")
    assert room.pid not in (None, pid)


def test_too_little_for_a_party_is_nobodys_fault(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    room = open_room({"flux": menu["flux"] | {"batch": 2}}, NEVER)
    wishes = [room.job("flux", "text-to-image", (64, 64), seed=i) for i in range(2)]
    running = [room.begin(job) for job in mates(wishes)]
    for one in running:
        with pytest.raises(EngineDied) as died:
            one.result(60)
        assert not died.value.alone
