"""The page on upstreams: its recipes can be read, its tables say what the code has."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ferrotype.engines.dashscope.options import CLASSIC, Options, Timeouts
from ferrotype.settings.recipes import read_recipes, resolve

PAGE = (Path(__file__).parents[2] / "docs/run/upstream.md").read_text("utf-8")
RECIPES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("written", RECIPES)
def test_its_recipes_are_good(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r'env = "(\w+)"', written):
        monkeypatch.setenv(name, f"sk-{name}")
    [recipe] = read_recipes(tomllib.loads(written)["recipes"])
    assert recipe.forwards
    options = msgspec.convert(resolve(recipe.options, recipe.model), Options)
    assert list(options.problems()) == []


def test_its_tables_are_whole() -> None:
    assert len(RECIPES) == 2
    for name, (region, host) in CLASSIC.items():
        base = host or f"WORKSPACE.{region}.maas.aliyuncs.com"
        assert f"| `{name}` | `https://{base}`" in PAGE
    defaults = {field.name: field.default for field in msgspec.structs.fields(Timeouts)}
    said: dict[str, Any] = {n: float(v) for n, v in re.findall(r"`(\w+)` (\d+)", PAGE)}
    assert {name: said.get(name) for name in defaults if name != "upload"} == {
        name: value for name, value in defaults.items() if name != "upload"
    }
    for field in msgspec.structs.fields(Options):
        assert f"`{field.name}`" in PAGE
