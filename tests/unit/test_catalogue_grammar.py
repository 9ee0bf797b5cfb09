"""The grammar carries every family of models as data: a good and some bad bodies of each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ferrotype import errors
from ferrotype.catalogue import Catalogue, Checked
from ferrotype.media import Produced

CATALOGUE = Catalogue.load([Path(__file__).with_name("catalogue_sketches.toml")])
VIDEO = "video-generation/video-synthesis"
FRAMES = "image2video/video-synthesis"
EDIT = "image2image/image-synthesis"
ASYNC = "image-generation/generation"
SYNC = "multimodal-generation/generation"
A, B = "https://example.com/a", "https://example.com/b"


def ask(route: str, model: str, given: Any, parameters: Any = None) -> Checked:
    body = {"model": model, "input": given, "parameters": parameters}
    return CATALOGUE.check(route, body, asynchronous=route != SYNC)


def say(*content: Mapping[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


def media(**roles: str) -> dict[str, Any]:
    return {"media": [{"type": role, "url": url} for role, url in roles.items()]}


TEXT, PICTURE = {"text": "a kite"}, {"image": A}
BOXES = [[[1, 2, 3, 4]], []]
COLOURS = [{"hex": "#00ff00", "ratio": "33.33%"}] * 3


@pytest.mark.parametrize(
    ("route", "model", "given", "parameters", "expected"),
    [
        (EDIT, "i2i", {"prompt": "p", "images": [A, B]}, {},
         {"inputs": {"images": [A, B]}, "size": (1280, 1280), "size_follows": "images"}),
        (EDIT, "i2i", {"prompt": "p", "images": [A]}, {"size": "1000*800"},
         {"size": (1000, 800), "fields": {}}),
        (EDIT, "imageedit",
         {"prompt": "p", "function": "description_edit_with_mask", "base_image_url": A,
          "mask_image_url": B}, {}, {"strength": 0.5}),
        (EDIT, "mt-image",
         {"image_url": A, "source_lang": "en",
          "ext": {"sensitives": ["x"], "terminologies": [{"src": "a", "tgt": "b"}], "new": 1}}, {},
         {"ext": {"sensitives": ["x"], "terminologies": [{"src": "a", "tgt": "b"}]}}),
        (ASYNC, "image", say(TEXT, PICTURE), {"size": "2K"},
         {"prompt": "a kite", "inputs": {"images": [A]}, "size": (2048, 2048), "n": 4,
          "size_follows": "images"}),
        (SYNC, "image", say(PICTURE, TEXT), {"size": "1024*1024"},
         {"size": (1024, 1024), "fields": {"enable_interleave": False}}),
        (ASYNC, "image", say(TEXT), {"enable_interleave": True}, {"n": 1, "size": (1280, 1280)}),
        ("text2image/image-synthesis", "image", {"prompt": "p"}, {}, {"prompt": "p"}),
        (ASYNC, "image-pro", say(TEXT), {"size": "4K"}, {"size": (4096, 4096)}),
        (ASYNC, "image-pro", say(TEXT, PICTURE), {"bbox_list": BOXES, "color_palette": COLOURS},
         {"bbox_list": BOXES, "color_palette": COLOURS}),
        (VIDEO, "t2v-size", {"prompt": "p", "audio_url": A}, {"duration": 10.0},
         {"duration": 10, "size": (1280, 720), "inputs": {"audio_url": [A]}}),
        (VIDEO, "t2v-ratio", {"prompt": "p"}, {"ratio": "1:1"}, {"size": (1440, 1440)}),
        (VIDEO, "i2v", {"image_url": A, "prompt": None}, {"resolution": "480P"},
         {"prompt": "", "inputs": {"img_url": [A]}, "size_follows": "img_url"}),
        (FRAMES, "kf2v", {"head_frame": A, "last_frame_url": B}, {},
         {"inputs": {"first_frame_url": [A], "last_frame_url": [B]}}),
        (VIDEO, "media-i2v", media(first_frame=A, driving_audio=B), {},
         {"inputs": {"first_frame": [A], "driving_audio": [B]}}),
        (VIDEO, "r2v", {"prompt": "p", "reference_video_urls": [A]}, {},
         {"inputs": {"reference_urls": [A]}}),
        (VIDEO, "all-in-one", media(reference_image=A, link=B), {"duration": -1}, {"duration": -1}),
        (VIDEO, "vace",
         {"prompt": "p", "function": "image_reference", "ref_images_url": [A, B]},
         {"obj_or_bg": ["obj", "bg"]}, {"obj_or_bg": ["obj", "bg"], "mask_type": "tracking"}),
        (FRAMES, "animate", {"image_url": A, "video_url": B}, {"mode": "wan-pro"},
         {"mode": "wan-pro", "watermark": False}),
        (ASYNC, "style-repaint", {"image_url": A, "style_index": 3}, {}, {"style_index": 3}),
    ],
)  # fmt: skip
def test_a_good_body(
    route: str, model: str, given: Any, parameters: Any, expected: dict[str, Any]
) -> None:
    checked = ask(route, model, given, parameters)
    for name, value in expected.items():
        found = getattr(checked.order, name, None)
        assert (checked.order.fields[name] if found is None else found) == value
    assert checked.refusal is None


@pytest.mark.parametrize(
    ("route", "model", "given", "parameters", "message"),
    [
        (EDIT, "i2i", {"prompt": "p", "images": []}, {}, "a list of 1 to 3"),
        (EDIT, "i2i", {"prompt": "p", "images": [A, 5]}, {}, "input.images[1]"),
        (EDIT, "imageedit",
         {"prompt": "p", "function": "description_edit_with_mask", "base_image_url": A}, {},
         "Field required: input.mask_image_url"),
        (EDIT, "mt-image", {"image_url": A, "source_lang": "en",
                            "ext": {"terminologies": [{"src": "a"}]}}, {},
         "Field required: input.ext.terminologies[0].tgt"),
        (ASYNC, "image", {}, {}, "No messages found in input"),
        (ASYNC, "image", {"messages": []}, {}, "No messages found in input"),
        (ASYNC, "image", {"messages": [1, 2]}, {}, "messages length only support 1"),
        (ASYNC, "image", say(TEXT), {}, "lack of image or text"),
        (ASYNC, "image", say(PICTURE, {"text": " "}), {}, "lack of image or text"),
        (ASYNC, "image", say(TEXT, *[PICTURE] * 5), {}, "content length only support 5"),
        (ASYNC, "image", say(TEXT, PICTURE, {"image": "x"}), {}, "content[2].image"),
        (ASYNC, "image", {"messages": [{"role": "system", "content": []}]}, {}, "input.messages"),
        (ASYNC, "image", say(TEXT, PICTURE), {"size": "4K"}, "[1K, 2K, W*H"),
        (ASYNC, "image", say(TEXT, PICTURE), {"size": "1025*1024"}, "multiples of 16"),
        (ASYNC, "image", say(TEXT), {"enable_interleave": True, "n": 2}, "parameters.n must be 1"),
        (ASYNC, "image-pro", say(TEXT, PICTURE), {"size": "4K"}, "at most 4194304 pixels"),
        (ASYNC, "image-pro", say(TEXT), {"bbox_list": [[[1, 2, 3]]]}, "parameters.bbox_list[0][0]"),
        (ASYNC, "image-pro", say(TEXT), {"color_palette": [{"hex": "red", "ratio": "1.00%"}] * 3},
         "parameters.color_palette[0].hex"),
        (VIDEO, "t2v-size", {"prompt": "p"}, {"duration": 7}, "one of 5, 10"),
        (VIDEO, "t2v-size", {"prompt": "p"}, {"duration": True}, "one of 5, 10"),
        (VIDEO, "t2v-ratio", {"prompt": "p"}, {"ratio": "4:3"}, "one of 16:9, 1:1"),
        (VIDEO, "i2v", {"prompt": "p"}, {}, "Field required: input.img_url"),
        (FRAMES, "kf2v", {"first_frame_url": A}, {}, "Field required: input.last_frame_url"),
        (VIDEO, "media-i2v", media(last_frame=A), {}, "first_clip + last_frame"),
        (VIDEO, "media-i2v", {"media": [{"type": "first_frame", "url": A}] * 2}, {}, "1 to 3"),
        (VIDEO, "media-i2v", {"media": [{"type": [], "url": A}]}, {}, "1 to 3"),
        (VIDEO, "media-i2v", {"media": [{"type": "first_frame"}]}, {}, "input.media[0].url"),
        (VIDEO, "r2v", {"prompt": "p", "reference_urls": [A] * 6}, {}, "a list of 1 to 5"),
        (VIDEO, "all-in-one", {}, {}, "Field required: input.prompt or input.first_frame"),
        (VIDEO, "all-in-one", {"prompt": "p"}, {"duration": 0}, "from 2 to 30 or -1"),
        (VIDEO, "vace", {"prompt": "p", "function": "image_reference", "ref_images_url": [A]},
         {"obj_or_bg": ["obj", "bg"]}, "ref_images_url and obj_or_bg must be the same length."),
        (FRAMES, "animate", {"image_url": A, "video_url": B}, {},
         "Field required: parameters.mode"),
        (ASYNC, "style-repaint", {"image_url": A, "style_index": "3"}, {}, "input.style_index"),
    ],
)  # fmt: skip
def test_a_bad_body(route: str, model: str, given: Any, parameters: Any, message: str) -> None:
    with pytest.raises(errors.Refused) as caught:
        ask(route, model, given, parameters)
    assert message in caught.value.message


def test_a_rule_may_be_told_at_the_task() -> None:
    checked = ask(VIDEO, "all-in-one", media(first_frame=A, link=B))
    assert checked.refusal == (
        "InvalidParameter",
        "first_frame and link must not be given together",
    )


def test_a_model_may_have_another_body_on_another_route() -> None:
    assert CATALOGUE.on_route("image", ASYNC).dialect == "choices"
    assert CATALOGUE.on_route("image", "text2image/image-synthesis").dialect == "results"
    assert ask(SYNC, "image", say(TEXT, PICTURE)).attended
    twin = CATALOGUE.with_model("twin", like="image")
    assert twin.on_route("twin", SYNC).name == "twin"


def test_a_model_that_answers_at_once_makes_no_task() -> None:
    body = {"model": "image", "input": say(TEXT, PICTURE)}
    with pytest.raises(errors.Denied) as caught:
        CATALOGUE.check(SYNC, body, asynchronous=True)
    assert caught.value.message == "current user api does not support asynchronous calls"


def test_usage_measures_and_constants() -> None:
    made = [Produced(width=1024, height=768), Produced(code="x")]
    order = ask(ASYNC, "image", say(TEXT, PICTURE)).order
    usage = CATALOGUE.on_route("image", ASYNC).usage(order, made)
    assert usage == {"size": "1024*768", "image_count": 1, "input_tokens": 0}
    other = CATALOGUE.on_route("image", "text2image/image-synthesis")
    assert other.usage(order, made) == {"width": 1024, "height": 768, "image_count": 1}


def test_roles_have_rules_of_their_own() -> None:
    rules = CATALOGUE.models["media-i2v"].input_rules
    assert rules["first_clip"].types == ("video/mp4", "video/quicktime")
    assert rules["first_frame"].max_bytes == 20 << 20
    assert CATALOGUE.models["image-pro"].input_rules["images"].max_bytes == 20 << 20
    assert "image/jpeg" in CATALOGUE.models["r2v"].input_rules["reference_urls"].types
