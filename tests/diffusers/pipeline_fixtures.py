"""Tiny weights on disk, and engine processes that load them as they would load large ones."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.rooms import CALM, Room

HERE = Path(__file__).parent

if not (HERE / ".torch" / ".done").exists():
    pytest.skip("tests/diffusers/ready installs torch", allow_module_level=True)

Open = Callable[..., Room]
STEPS = {"steps": 3}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny pipeline of each family."""
    folder = tmp_path_factory.mktemp("models")
    paths = os.pathsep.join((str(HERE.parents[1]), str(HERE.parents[1] / "src")))
    subprocess.run(
        (sys.executable, str(HERE / "tiny.py"), str(folder)),
        env=os.environ | {"PYTHONPATH": paths}, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def menu(models: Path) -> dict[str, dict[str, Any]]:
    """One recipe for each family, under its name."""
    recipes: dict[str, dict[str, Any]] = {
        path.parent.name: {"weights": str(path.parent), **STEPS}
        for path in models.glob("*/model_index.json")
    }
    for name in recipes:
        if name.startswith(("wan", "vace", "ltx")):
            recipes[name]["fps"] = 16
    recipes["z-image"]["guidance"] = 0.0
    return recipes


@pytest.fixture(scope="session")
def studio(
    menu: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Room]:
    """One engine process that serves every family."""
    room = Room(tmp_path_factory.mktemp("studio"), menu, first=CALM)
    room.start()
    yield room
    room.close()


@pytest.fixture
def open_room(tmp_path: Path) -> Iterator[Open]:
    """Make engine processes that end with the test."""
    rooms: list[Room] = []

    def make(recipes: dict[str, dict[str, Any]], first: str = "") -> Room:
        room = Room(tmp_path / f"room-{len(rooms)}", recipes, first=CALM + first)
        rooms.append(room)
        room.start()
        return room

    yield make
    for room in rooms:
        room.close()
