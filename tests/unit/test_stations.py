"""Which engine processes a worker has, and what each is made with."""

from pathlib import Path
from typing import Any

import pytest

from ferrotype import plugins
from ferrotype.catalogue import Catalogue
from ferrotype.plugins import Plugin
from ferrotype.settings import Settings, SettingsError
from ferrotype.settings.recipes import read_recipes, resolve
from ferrotype.wiring import back
from ferrotype.wiring.back import make_stations
from ferrotype.worker import Station, Workshop

ONE, TWO, THREE = "wan2.2-t2i-plus", "wan2.2-t2i-flash", "wan2.5-t2i-preview"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every room is made with, in order."""
    seen: list[dict[str, Any]] = []

    def room(recipe: Any, folder: Path, **more: Any) -> object:
        seen.append({"engine": recipe.engine, "options": recipe.options, **more})
        return object()

    monkeypatch.setattr(back, "ProcessRoom", room)
    monkeypatch.setitem(plugins.BUILT_IN, "together", Plugin("x:Y", "", shares=True))
    return seen


def stations(folder: Path, recipes: dict[str, Any]) -> list[Station]:
    settings = Settings(
        data_dir=folder, weights_dir=folder / "weights", recipes=read_recipes(recipes)
    )
    with Workshop(folder / "work") as workshop:
        return make_stations(settings, Catalogue.load(), workshop)


def recipe(engine: str, **more: Any) -> dict[str, Any]:
    label = "test pattern" if engine == "echo" else "same weights"
    return {"engine": engine, "label": label, **more}


def test_a_recipe_has_a_process_on_each_of_its_devices(
    tmp_path: Path, made: list[dict[str, Any]]
) -> None:
    devices = ["cuda:0", "cuda:1"]
    found = stations(tmp_path, {ONE: recipe("echo", devices=devices), TWO: recipe("echo")})
    assert [station.models for station in found] == [{ONE}, {ONE}, {TWO}]
    assert [station.device for station in found] == ["cuda:0", "cuda:1", ""]
    assert [room["options"] for room in made] == [{"device": "cuda:0"}, {"device": "cuda:1"}, {}]


def test_recipes_of_a_sharing_engine_have_one_process_a_device(
    tmp_path: Path, made: list[dict[str, Any]]
) -> None:
    found = stations(
        tmp_path,
        {
            ONE: recipe("together", options={"steps": 4}, batch=4, stall="9s", deadline="1h"),
            TWO: recipe("together", devices=["cuda:1"]),
            THREE: recipe("together", stall="7s"),
        },
    )
    assert [station.models for station in found] == [{ONE, THREE}, {TWO}]
    assert made[0]["options"] == {
        "device": "",
        "weights": str(tmp_path / "weights"),
        "recipes": {ONE: {"steps": 4, "batch": 4}, THREE: {"batch": 1}},
    }
    assert made[0]["stalls"] == {ONE: 9.0, THREE: 7.0}
    assert found[0].batches == {ONE: 4}
    assert found[0].patience(ONE) == 3600.0
    assert made[1]["options"]["device"] == "cuda:1"


def test_a_secret_comes_from_the_workers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "sk-1")
    options = {
        "key": {"env": "UPSTREAM_KEY"},
        "regions": [{"key": {"env": "UPSTREAM_KEY"}}],
        "n": 3,
    }
    assert resolve(options, "r") == {"key": "sk-1", "regions": [{"key": "sk-1"}], "n": 3}
    monkeypatch.delenv("UPSTREAM_KEY")
    with pytest.raises(SettingsError, match="r key: the variable UPSTREAM_KEY is not set"):
        resolve(options, "r")
