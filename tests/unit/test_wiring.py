"""What settings come to in the parts that are made from them."""

from pathlib import Path
from typing import Any

import pytest

from ferrotype.errors import FerrotypeError, InvalidParameter, ModelNotFound
from ferrotype.settings import SettingsError, load
from ferrotype.wiring.shared import load_catalogue, make_janitor


@pytest.mark.parametrize(
    ("flags", "error"), [({}, InvalidParameter), ({"unknown_model": "404"}, ModelNotFound)]
)
def test_an_unknown_model_is_answered_as_the_operator_says(
    flags: dict[str, object], error: type[FerrotypeError]
) -> None:
    catalogue = load_catalogue(load(flags, environ={}))
    with pytest.raises(error):
        catalogue.check("text2image/image-synthesis", {"model": "nonesuch"}, asynchronous=True)


def config(folder: Path, text: str) -> Path:
    path = folder / "ferrotype.toml"
    path.write_text(text)
    return path


def test_a_name_of_ones_own_has_the_rules_of_the_model_that_it_is_like(tmp_path: Path) -> None:
    text = '[recipes.mine]\nengine = "echo"\nlike = "qwen-image"\n'
    catalogue = load_catalogue(load(config=config(tmp_path, text), environ={}))
    mine, theirs = catalogue.models["mine"], catalogue.models["qwen-image"]
    assert (mine.name, mine.like) == ("mine", "qwen-image")
    assert (mine.input, mine.parameters) == (theirs.input, theirs.parameters)
    messages = "multimodal-generation/generation"
    assert catalogue.on_route("mine", messages).routes == {messages: ("sync",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[recipes.wan2-t2i]\nengine = "echo"', "no such model"),
        ('[recipes."wan2.2-t2i-flsh"]\nengine = "echo"', "Did you mean wan2.2-t2i-flash"),
        ('[recipes.mine]\nengine = "echo"\nlike = "yours"', "no model 'yours'"),
        ('[recipes.wanx-v1]\nengine = "echo"\nlike = "qwen-image"', "a model of that name"),
        ('[recipes."*"]\nengine = "echo"\nlike = "qwen-image"', "for one model"),
    ],
)
def test_a_recipe_for_no_model_is_told_in_one_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        load_catalogue(load(config=config(tmp_path, text), environ={}))
    assert "\n" not in str(caught.value)


async def test_a_result_that_is_held_back_for_its_latency_is_not_overdue(tmp_path: Path) -> None:
    asked: list[tuple[Any, float]] = []

    class Upkeep:
        async def lead(self) -> bool:
            return True

        async def end_overdue(self, deadlines: Any, default: float) -> int:
            asked.append((deadlines, default))
            return 0

        def __getattr__(self, name: str) -> Any:
            async def nothing(*_: object) -> tuple[()]:
                return ()

            return nothing

    upkeep: Any = Upkeep()
    chosen = load({"latency": "20m", "data_dir": tmp_path}, environ={})
    store: Any = type("Store", (), {"days": upkeep.days})()
    uploads: Any = type("Uploads", (), {"sweep": upkeep.days})()
    await make_janitor(chosen, upkeep, store, uploads).round()
    ((deadlines, default),) = asked
    assert not deadlines
    assert default >= 300 + 0.6 * 20 * 60
    await make_janitor(chosen, upkeep, store, uploads, knows_all=False).round()
    assert len(asked) == 1
