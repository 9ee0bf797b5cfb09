"""What a recipe may change about its weights: each option loads, draws and does what it says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.rooms import CALM, Room
from test_batched_calls import pixels
from test_pipelines import film, only, shown

from ferrotype.media import Output

pytest_plugins = ["pipeline_fixtures"]

LORA = "flux-lora"
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "as it is": ("flux", {}),
    "attention": ("flux", {"attention": "native"}),
    "first block": ("flux", {"cache": {"kind": "first_block", "threshold": 0.1}}),
    "taylor seer": ("flux", {"cache": {"kind": "taylor_seer", "interval": 2, "warm_steps": 1}}),
    "mag cache": ("flux", {"cache": {"kind": "mag_cache", "ratios": [1.0, 1.0, 1.0]}}),
    "group offload": ("flux", {"offload": "group"}),
    "int8": ("flux", {"quantisation": {"transformer": "int8"}}),
    "bfloat16": ("flux", {"dtype": "bfloat16"}),
    "tiles": ("flux", {"vae_tiling": True, "vae_slicing": True}),
    "shift": ("flux", {"shift": 5.0}),
    "no LoRA": ("flux", {"lora": [{"weights": LORA, "scale": 0.0}]}),
    "LoRA": ("flux", {"lora": [{"weights": LORA, "scale": 1.0}]}),
    "two LoRA": ("flux", {"lora": [{"weights": LORA}, {"weights": LORA, "scale": -1.0}]}),
}
SAME = {"as it is", "attention", "first block", "group offload", "no LoRA", "two LoRA"}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown option": ({"stepz": 3}, "unknown field `stepz`"),
    "fetched attention": ({"attention": "flash_hub"}, "never run here"),
    "attention that is not here": ({"attention": "sage"}, "sageattention"),
    "offload without a GPU": ({"offload": "model"}, "needs a GPU"),
    "guidance of a second expert": ({"guidance_2": 3.0}, "guidance_2"),
    "a LoRA that is not there": ({"lora": [{"weights": "/no/such"}]}, "no folder /no/such"),
    "a LoRA for what is not there": (
        {"lora": [{"weights": LORA, "into": "transformer_2"}]},
        "transformer_2",
    ),
    "another class": ({"pipeline": "NoPipeline"}, "has no pipeline 'NoPipeline'"),
}


def with_paths(change: dict[str, Any], models: Path) -> dict[str, Any]:
    """Put the folder of the LoRA into a change."""
    loras = [
        lora | {"weights": str(models / LORA)} if lora["weights"] == LORA else lora
        for lora in change.get("lora", ())
    ]
    return change | ({"lora": loras} if loras else {})


@pytest.fixture(scope="module")
def drawn(
    models: Path,
    menu: dict[str, dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """What each changed recipe draws of the same wish, and why the wrong ones do not."""
    recipes = {
        name: menu[family] | with_paths(change, models)
        for name, (family, change) in CHANGES.items()
    }
    for name, (change, _) in WRONG.items():
        recipes[name] = menu["flux"] | with_paths(change, models) | {"warm": True}
    room = Room(tmp_path_factory.mktemp("recipes"), recipes, first=CALM)
    room.start()
    unfit = dict(room.unfit)
    made: dict[str, Output] = {}
    for name in CHANGES:
        made[name] = only(room.run([room.job(name, "text-to-image", (64, 64), seed=4)])[1])
    yield {name: pixels(output) for name, output in made.items()}, unfit
    room.close()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_changes_what_it_should(name: str, drawn: Any) -> None:
    difference = np.abs(drawn[0][name] - drawn[0]["as it is"]).max()
    assert difference <= 1 if name in SAME else difference > 0


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_recipe_is_unfit_and_says_why(name: str, drawn: Any) -> None:
    assert WRONG[name][1] in drawn[1][name]
    assert set(drawn[1]) == set(WRONG)


def test_a_second_expert_has_a_lora_of_its_own(
    models: Path, menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    lora = {"weights": str(models / "wan-lora"), "into": "transformer_2"}
    recipes = {"plain": menu["wan-experts"], "changed": menu["wan-experts"] | {"lora": [lora]}}
    room = open_room(recipes)
    one, other = (
        film(only(room.run([room.job(name, "text-to-video", (64, 64), duration=0.3)])[1]))[0]
        for name in recipes
    )
    assert not np.array_equal(one[0], other[0])


def test_what_is_too_large_for_the_weights_is_drawn_small_and_enlarged(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    room = open_room({"flux": menu["flux"] | {"max_pixels": 64 * 64}})
    picture, said = shown(only(room.run([room.job("flux", "text-to-image", (200, 100))])[1]))
    assert picture.size == (200, 100)
    wide, high = (int(side) for side in said["Size drawn"].split("*"))
    assert wide * high < 2 * 64 * 64
    assert wide / high == pytest.approx(2, rel=0.3)


def test_a_recipes_attention_is_its_own(menu: dict[str, dict[str, Any]], open_room: Any) -> None:
    broken = (
        "from diffusers.models import attention_dispatch as found\n"
        "def attend(*args, **more): raise ValueError('not for this recipe')\n"
        "name = found.AttentionBackendName._NATIVE_MATH\n"
        "found._AttentionBackendRegistry._backends[name] = attend"
    )
    other = {"attention": "_native_math", "warm": True}
    room = open_room({"plain": menu["flux"], "other": menu["flux"] | other}, broken)
    only(room.run([room.job("plain", "text-to-image", (64, 64))])[1])
    with pytest.raises(Exception, match="not for this recipe"):
        room.run([room.job("other", "text-to-image", (64, 64))])


def test_a_wrong_recipe_is_unfit_also_when_its_weights_are_loaded(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    recipes = {"plain": menu["flux"], "wrong": menu["flux"] | {"guidance_2": 3.0}}
    room = open_room({name: table | {"warm": True} for name, table in recipes.items()})
    assert "knows no guidance_2" in room.unfit["wrong"]
    assert set(room.unfit) == {"wrong"}
