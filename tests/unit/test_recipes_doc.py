"""`docs/recipes.md`: its settings can be read, and it names every key, label and file there is."""

import re
from pathlib import Path

import pytest

from ferrotype.settings import load
from ferrotype.settings.recipes import KEYS, LABELS
from ferrotype.weights.pull import SUFFIXES
from ferrotype.wiring.shared import load_catalogue

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_a_settings_file(block: str, tmp_path: Path) -> None:
    (tmp_path / "ferrotype.toml").write_text(block)
    chosen = load(config=tmp_path / "ferrotype.toml", environ={})
    known = load_catalogue(chosen)
    for recipe in chosen.recipes:
        assert recipe.model == "*" or recipe.model in known.models


def test_the_first_block_is_five_lines() -> None:
    assert len(BLOCKS[0].splitlines()) == 5


def test_every_key_label_and_kind_of_file_is_there() -> None:
    for name in (*KEYS, *LABELS, *SUFFIXES):
        assert f"`{name}`" in PAGE


def test_every_file_of_the_library_is_linked() -> None:
    linked = set(re.findall(r"\(\.\./recipes/([^)]+)\)", PAGE))
    assert linked == {path.name for path in (ROOT / "recipes").glob("*.toml")}
