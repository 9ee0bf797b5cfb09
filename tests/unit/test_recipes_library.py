"""`recipes/`: every file is a settings file whose recipes hold against catalogue and engines."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from ferrotype import plugins
from ferrotype.settings import load
from ferrotype.weights import wants
from ferrotype.wiring.shared import load_catalogue

LIBRARY = Path(__file__).parents[2] / "recipes"
FILES = sorted(LIBRARY.glob("*.toml"))
SAID = ("Weights", "Memory", "Speed", "Narrowed")
ELSEWHERE = {"upstream-dashscope", "vllm-omni", "sglang"}  # whose memory is not ours to tell


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_the_library_can_be_served(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = load(config=path, environ={})
    assert chosen.recipes
    catalogue = load_catalogue(chosen)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-a-key")
    for recipe in chosen.recipes:
        if recipe.model != "*":
            limits = {limit.place.name for limit in catalogue.models[recipe.model].limits}
            assert limits == set(recipe.narrow)
        if recipe.engine not in plugins.BUILT_IN:
            continue
        kind = plugins.load_options(plugins.find_engine(recipe.engine))
        assert kind is not None
        given = {**recipe.options}
        if "key" in given:
            given["key"] = "sk-a-key"
        problems = list(msgspec.convert(given, kind).problems())
        left = [said for said in problems if "needs a revision" not in said]
        assert left == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_revisions_are_commits_or_left_to_be_pinned(path: Path) -> None:
    text = path.read_text("utf-8")
    for want in wants(tomllib.loads(text)):
        assert want.pinned or want.revision == ""
        assert want.pinned or "ferrotype recipes pin" in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_licence_memory_speed_and_narrowing_are_told(path: Path) -> None:
    head = path.read_text("utf-8").partition("\n\n")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    for word in SAID if path.stem not in ELSEWHERE else ("Weights", "Narrowed"):
        assert re.search(rf"^# {word}\b", head, re.MULTILINE), word
    if re.search(r"\d s a ", head):
        assert "as published" in head
        assert "measured here" in head


def test_nothing_in_the_library_is_pinned_twice_to_other_commits() -> None:
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for want in wants(tomllib.loads(path.read_text("utf-8"))):
            pins.setdefault(want.hub, set()).add(want.revision)
    assert {hub: revisions for hub, revisions in pins.items() if len(revisions) > 1} == {}
