"""What a recipe narrows: a 400 at create that says what to send, never silently less."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.catalogue.schema import of_body
from ferrotype.errors import InvalidParameter
from ferrotype.http.openapi import describe
from ferrotype.settings import load
from ferrotype.task import Order
from ferrotype.wiring.shared import load_catalogue

ALL = Catalogue.load()
FILMS = "video-generation/video-synthesis"
PICTURES = "text2image/image-synthesis"
MESSAGES = "multimodal-generation/generation"
SPECIFICATION = "the parameters must conform to the specification: "
URL = "https://files.example/a"


def asked(catalogue: Catalogue, model: str, route: str = FILMS, **tables: Any) -> Order:
    body = {"model": model, "input": {"prompt": "a cat"}, **tables}
    sync = "sync" in catalogue.on_route(model, route).routes[route]
    return catalogue.check(route, body, asynchronous=not sync).order


def refusal(catalogue: Catalogue, model: str, route: str = FILMS, **tables: Any) -> str:
    with pytest.raises(InvalidParameter) as caught:
        asked(catalogue, model, route, **tables)
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix(SPECIFICATION)


def message(*images: str) -> dict[str, Any]:
    content = [{"text": "a cat"}, *({"image": url} for url in images)]
    return {"messages": [{"role": "user", "content": content}]}


def frames(*roles: str) -> dict[str, Any]:
    return {"prompt": "a cat", "media": [{"type": role, "url": URL} for role in roles]}


SIZES = ["832*480", "480*832"]


def test_a_size_that_is_not_served_is_refused_and_the_others_are_named() -> None:
    few = ALL.narrowed("wan2.2-t2v-plus", {"size": SIZES})
    assert asked(few, "wan2.2-t2v-plus", parameters={"size": "480*832"}).size == (480, 832)
    said = refusal(few, "wan2.2-t2v-plus", parameters={"size": "1920*1080"})
    assert said == "parameters.size must be one of 832*480, 480*832 on this deployment"
    assert asked(ALL, "wan2.2-t2v-plus").size == (1920, 1080)


def test_a_default_that_is_not_served_must_be_replaced_by_the_caller() -> None:
    few = ALL.narrowed("wan2.2-t2v-plus", {"size": SIZES})
    assert refusal(few, "wan2.2-t2v-plus") == (
        "parameters.size is required on this deployment, which does not serve its default "
        "(1920*1080): it must be one of 832*480, 480*832"
    )


@pytest.mark.parametrize(
    ("model", "narrow", "tables", "said"),
    [
        ("wan2.2-t2i-flash", {"n": 1}, {"parameters": {"n": 2}}, "parameters.n must be 1 on"),
        ("wan2.2-t2i-flash", {"n": 1}, {}, "does not serve its default (4): it must be 1"),
        ("wan2.2-t2i-flash", {"n": {"max": 2}}, {"parameters": {"n": 3}}, "be at most 2 on"),
        ("wan2.2-t2i-flash", {"seed": {"min": 5, "max": 9}}, {"parameters": {"seed": 4}}, "5 to 9"),
        ("wan2.2-t2i-flash", {"negative_prompt": False}, {"input": {"negative_prompt": "x",
         "prompt": "y"}}, "input.negative_prompt must not be given on this deployment"),
        ("wan2.2-t2i-flash", {"prompt": {"max": 4}}, {}, "input.prompt must be at most 4 chara"),
        ("wan2.2-t2i-flash", {"watermark": False}, {"parameters": {"watermark": True}},
         "parameters.watermark must be false on"),
        ("wan2.2-t2i-flash", {"size": {"max_pixels": 600_000}}, {}, "at most 600000 pixels]"),
        ("wanx-v1", {"size": ["1024*1024"]}, {"parameters": {"size": "720*1280"}}, "be 1024*1024"),
        ("wanx-v1", {"ref_img": False}, {"input": {"prompt": "x", "ref_img": URL}},
         "input.ref_img must not be given"),
        ("wanx-v1", {"ref_strength": False}, {"parameters": {"ref_strength": 0}},
         "parameters.ref_strength must not be given"),
    ],
)  # fmt: skip
def test_what_a_picture_may_be_asked(
    model: str, narrow: dict[str, Any], tables: Mapping[str, Any], said: str
) -> None:
    assert said in refusal(ALL.narrowed(model, narrow), model, PICTURES, **tables)


def test_what_may_be_left_out_may_be_left_out() -> None:
    few = ALL.narrowed("wan2.2-t2i-flash", {"negative_prompt": False, "seed": 7, "n": {"max": 4}})
    assert asked(few, "wan2.2-t2i-flash", PICTURES).negative == ""
    empty = {"input": {"prompt": "x", "negative_prompt": ""}}
    assert asked(few, "wan2.2-t2i-flash", PICTURES, **empty).negative == ""


def test_a_film_without_sound_must_be_asked_for_as_such() -> None:
    few = ALL.narrowed("wan2.5-t2v-preview", {"sound": False})
    assert "parameters.audio is required" in refusal(few, "wan2.5-t2v-preview")
    order = asked(few, "wan2.5-t2v-preview", parameters={"audio": False})
    assert "sound" not in order.fields
    assert asked(ALL, "wan2.5-t2v-preview").fields["sound"] is True
    loud = {"prompt": "x", "audio_url": URL}
    said = refusal(few, "wan2.5-t2v-preview", input=loud, parameters={"audio": False})
    assert said.startswith("input.audio_url must not")


def test_a_switch_for_sound_that_is_there_is_used() -> None:
    few = ALL.narrowed("wan2.6-i2v-flash", {"sound": False})
    tables: dict[str, Any] = {"input": {"img_url": URL}}
    assert "parameters.audio is required" in refusal(few, "wan2.6-i2v-flash", **tables)
    order = asked(few, "wan2.6-i2v-flash", **tables, parameters={"audio": False})
    assert "sound" not in order.fields


def test_files_of_a_role_may_be_none_or_few() -> None:
    few = ALL.narrowed("wan2.7-i2v", {"sound": False, "first_clip": False})
    silent = {"audio": False}
    said = refusal(few, "wan2.7-i2v", input=frames("first_clip"), parameters=silent)
    assert said == "first_clip must not be given on this deployment"
    loud = frames("first_frame", "driving_audio")
    said = refusal(few, "wan2.7-i2v", input=loud, parameters=silent)
    assert said == "driving_audio must not be given on this deployment"
    assert asked(few, "wan2.7-i2v", input=frames("first_frame"), parameters=silent).inputs


def test_pictures_of_a_message_are_counted() -> None:
    few = ALL.narrowed("qwen-image-2.0", {"images": {"min": 1, "max": 1}})
    said = refusal(few, "qwen-image-2.0", MESSAGES, input=message(URL, URL))
    assert said == "images must be from 1 to 1 file on this deployment"
    assert "images must be" in refusal(few, "qwen-image-2.0", MESSAGES, input=message())
    assert asked(few, "qwen-image-2.0", MESSAGES, input=message(URL)).inputs["images"] == [URL]


def test_a_size_that_follows_an_input_is_no_size_of_a_list() -> None:
    few = ALL.narrowed("qwen-image-2.0", {"size": ["2048*2048"]})
    said = refusal(few, "qwen-image-2.0", MESSAGES, input=message(URL))
    assert "its default (the ratio of images): it must be 2048*2048" in said
    assert asked(few, "qwen-image-2.0", MESSAGES, input=message()).size == (2048, 2048)
    tiers = ALL.narrowed("wan2.6-image", {"size": ["1K"]})
    tables: dict[str, Any] = {"input": message(URL), "parameters": {"size": "1K"}}
    assert asked(tiers, "wan2.6-image", MESSAGES, **tables).size == (1280, 1280)


def test_of_a_size_that_follows_an_input_the_area_counts() -> None:
    few = ALL.narrowed("qwen-image-2.0", {"size": {"max_pixels": 1_048_576, "max_side": 1024}})
    assert "at most 1048576" in refusal(few, "qwen-image-2.0", MESSAGES, input=message(URL))
    few = ALL.narrowed("qwen-image-edit-plus", {"size": {"max_pixels": 1_048_576}})
    assert asked(few, "qwen-image-edit-plus", MESSAGES, input=message(URL)).size == (1024, 1024)


def test_a_size_that_other_fields_come_to_is_held_too() -> None:
    few = ALL.narrowed("wan2.7-t2v", {"size": {"max_pixels": 921_600}})
    said = refusal(few, "wan2.7-t2v")
    assert said.startswith("the size that is asked for (1920*1080) must be a size within")
    assert asked(few, "wan2.7-t2v", parameters={"resolution": "720P"}).size == (1280, 720)
    one = ALL.narrowed("wan2.7-t2v", {"size": "960*960"})
    square = {"resolution": "720P", "ratio": "1:1"}
    assert asked(one, "wan2.7-t2v", parameters=square).size == (960, 960)


def test_a_model_is_narrowed_on_all_its_routes() -> None:
    few = ALL.narrowed("qwen-image", {"size": ["1328*1328"], "prompt": {"max": 3}})
    bodies: dict[str, dict[str, Any]] = {PICTURES: {}, MESSAGES: {"input": message()}}
    for route, tables in bodies.items():
        assert "at most 3 characters" in refusal(
            few, "qwen-image", route, **tables, parameters={"size": "1328*1328"}
        )


@pytest.mark.parametrize(
    ("narrow", "said"),
    [
        ({"sise": "832*480"}, "no field sise; did you mean size?"),
        ({"n": 1}, "no field n; there are duration"),
        ({"size": []}, "size: the list is empty"),
        ({"size": "1*1"}, "size: 1*1 is not what the model allows (['832*480'"),
        ({"size": {"max": 3}}, "size: a table here has some of min_pixels"),
        ({"size": {"max_pixels": "many"}}, "size: Expected"),
        ({"size": {"multiple_of": 0}}, "size: multiple_of must be 1 or more"),
        ({"size": {"max_pixels": 9}}, "at most 9 pixels] leaves nothing"),
        ({"duration": 10}, "duration: 10 is not what the model allows (one of 5)"),
        ({"duration": {"min": 6}}, "duration: at least 6 leaves nothing"),
        ({"duration": {"less": 6}}, "duration: a table here has numbers for min and max"),
        ({"duration": {"min": True}}, "duration: a table here has numbers"),
        ({"seed": {"min": -9, "max": -1}}, "seed: from -9 to -1 leaves nothing"),
        ({"seed": {"min": 9, "max": 1}}, "seed: from 9 to 1 leaves nothing"),
        ({"prompt": False}, "prompt: the model requires it"),
        ({"prompt": {"min": 3}}, "prompt: a table here has numbers for max"),
        ({"negative_prompt": 3}, "negative_prompt: 3 is not what"),
        ({"watermark": {"max": 1}}, "watermark: has no bounds"),
        ({"sound": False}, "sound: what this model makes has none anyway"),
        ({"sound": True}, "sound can only be false"),
    ],
)
def test_a_narrowing_that_cannot_be_meant_is_told(narrow: dict[str, Any], said: str) -> None:
    with pytest.raises(BadCatalogue) as caught:
        ALL.narrowed("wan2.2-t2v-plus", narrow)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("model", "narrow", "said"),
    [
        ("wan2.2-t2i-flash", {"size": {"min_pixels": 2_000_000, "max_side": 1000}}, "nothing"),
        ("wan2.7-i2v", {"first_frame": 3}, "first_frame must be false or { max"),
        ("wan2.5-i2i-preview", {"images": {"min": -3, "max": -1}}, "leaves nothing"),
        ("wan2.2-i2v-flash", {"resolution": {"max": 3}}, "these are words"),
        ("wan2.2-i2v-flash", {"img_url": "x"}, "img_url must be false"),
        ("wan2.2-s2v", {"sound": False}, "films to the sound of audio_url"),
        ("qwen-image-edit", {"images": False}, "the model requires it"),
    ],
)
def test_other_fields_say_what_they_can_be(model: str, narrow: dict[str, Any], said: str) -> None:
    with pytest.raises(BadCatalogue, match=said):
        ALL.narrowed(model, narrow)


def test_settings_say_which_recipe_narrows_wrongly(tmp_path: Path) -> None:
    text = '[recipes.wanx-v1]\nengine = "echo"\nnarrow = { sise = "1024*1024" }\n'
    (tmp_path / "ferrotype.toml").write_text(text)
    chosen = load(config=tmp_path / "ferrotype.toml", environ={})
    with pytest.raises(Exception, match=r'\[recipes\."wanx-v1"\]: narrow: the model has no field'):
        load_catalogue(chosen)


@pytest.mark.parametrize("first", ["mine", "wanx-v1"])
def test_a_model_of_ones_own_is_not_narrowed_with_its_like(tmp_path: Path, first: str) -> None:
    tables = {
        "mine": '[recipes.mine]\nengine = "echo"\nlike = "wanx-v1"\n',
        "wanx-v1": '[recipes.wanx-v1]\nengine = "echo"\nnarrow = { ref_img = false }\n',
    }
    text = "".join(tables[name] for name in sorted(tables, key=lambda name: name != first))
    (tmp_path / "ferrotype.toml").write_text(text)
    known = load_catalogue(load(config=tmp_path / "ferrotype.toml", environ={}))
    names = {m: [limit.place.name for limit in known.models[m].limits] for m in tables}
    assert names == {"mine": [], "wanx-v1": ["ref_img"]}


def test_the_description_of_a_model_says_what_is_served_of_it() -> None:
    narrow = {
        "size": ["1024*1024"],
        "n": {"max": 2},
        "ref_img": False,
        "prompt": {"max": 5},
    }
    few = ALL.narrowed("wanx-v1", narrow)
    tables = of_body(few.on_route("wanx-v1", PICTURES))["properties"]
    assert tables["input"]["properties"]["ref_img"]["not"] == {}
    assert tables["input"]["properties"]["prompt"]["maxLength"] == 5
    fields, required = tables["parameters"]["properties"], tables["parameters"]["required"]
    assert (fields["size"]["enum"], fields["size"]["default"]) == (["1024*1024"], "1024*1024")
    assert (fields["n"]["minimum"], fields["n"]["maximum"]) == (1, 2)
    assert required == ["n"]  # its default is 4


def test_the_description_of_a_deployment_says_what_it_serves() -> None:
    few = ALL.narrowed("wan2.5-t2v-preview", {"sound": False, "size": {"max_pixels": 921_600}})
    schemas = json.loads(describe(few))["components"]["schemas"]
    tables = schemas[f"{FILMS.replace('/', '.')}.wan2.5-t2v-preview"]["allOf"][1]["properties"]
    parameters = tables["parameters"]
    assert parameters["properties"]["audio"]["enum"] == [False]
    assert parameters["required"] == ["audio", "size"]
    assert "default" not in parameters["properties"]["size"]
    assert "On this deployment a size within" in parameters["properties"]["size"]["description"]
    assert tables["input"]["properties"]["audio_url"]["not"] == {}
