"""What `usage` says of each family, as the vendor's pages print it."""

from typing import Any

import pytest

from ferrotype.catalogue import Catalogue
from ferrotype.media import File, Produced
from ferrotype.task import Order

CATALOGUE = Catalogue.load()
TEXT, EDIT = "text2image/image-synthesis", "image2image/image-synthesis"
TASKS, SYNC = "image-generation/generation", "multimodal-generation/generation"
FILM, FRAMES = "video-generation/video-synthesis", "image2video/video-synthesis"

PICTURE = Produced(key="k", type="image/png", width=1280, height=1280)
BAD = Produced(code="DataInspectionFailed", message="no")
LARGE = File(path="p", type="image/png", width=2048, height=2048)
SMALL = File(path="p", type="image/png", width=1500, height=1500)
CLIP = File(path="v", type="video/mp4", width=1280, height=720, seconds=3.0)
VOICE = File(path="a", type="audio/wav", seconds=9.0)


def film(seconds: float = 5.0, size: tuple[int, int] = (1280, 720)) -> Produced:
    return Produced(key="k", type="video/mp4", width=size[0], height=size[1], seconds=seconds)


def order(**fields: Any) -> Order:
    return Order(
        kind="k", prompt="a kite", negative="", size=(1024, 1024), n=1, seed=1, fields=fields,
        inputs={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "route", "fields", "outputs", "inputs", "usage"),
    [
        ("wanx-v1", TEXT, {}, [PICTURE, BAD, PICTURE], {}, {"image_count": 2}),
        ("wan2.5-i2i-preview", EDIT, {}, [PICTURE], {"images": [SMALL]}, {"image_count": 1}),
        ("wan2.6-t2i", TASKS, {}, [PICTURE, BAD], {},
         {"size": "1280*1280", "image_count": 1, "input_tokens": 0, "output_tokens": 0,
          "total_tokens": 0}),
        ("wan2.7-image", TASKS, {}, [PICTURE], {},
         {"size": "1280*1280", "image_count": 1, "input_tokens": 6, "output_tokens": 0,
          "total_tokens": 6}),
        ("qwen-image-max", SYNC, {}, [PICTURE], {},
         {"width": 1280, "height": 1280, "image_count": 1}),
        ("qwen-image", SYNC, {}, [PICTURE], {}, {"width": 1280, "height": 1280, "image_count": 1}),
        ("qwen-image", TEXT, {}, [PICTURE], {}, {"image_count": 1}),
        ("qwen-image-3.0", TASKS, {}, [PICTURE, PICTURE], {"images": [SMALL, LARGE]},
         {"output_width": 1280, "output_height": 1280, "input_image_count": 2,
          "input_image_type": "qima_input_2k", "output_image_count": 2,
          "output_image_type": "qima_output_1k"}),
        # 1500*1500 is 2,250,000 pixels: 2k begins above.
        ("qwen-image-3.0-pro", TASKS, {}, [Produced(key="k", width=1501, height=1500)],
         {"images": [SMALL]},
         {"output_width": 1501, "output_height": 1500, "input_image_count": 1,
          "input_image_type": "qima_input_1k", "output_image_count": 1,
          "output_image_type": "qima_output_2k"}),
        ("z-image-turbo", SYNC, {}, [PICTURE], {},
         {"width": 1280, "height": 1280, "image_count": 1, "input_tokens": 6, "output_tokens": 0,
          "total_tokens": 6}),
        ("wan2.5-t2v-preview", FILM, {}, [film(size=(832, 480))], {},
         {"video_duration": 5, "video_ratio": "832*480", "video_count": 1}),
        ("wan2.6-t2v", FILM, {}, [film()], {"audio_url": [VOICE]},
         {"duration": 5, "size": "1280*720", "input_video_duration": 0,
          "output_video_duration": 5, "video_count": 1, "SR": 720}),
        ("wan2.6-t2v", FILM, {}, [film(size=(1632, 1248))], {},
         {"duration": 5, "size": "1632*1248", "input_video_duration": 0,
          "output_video_duration": 5, "video_count": 1, "SR": 1080}),
        ("wan2.6-i2v", FILM, {"resolution": "720P"}, [film(size=(1110, 830))], {"img_url": [SMALL]},
         {"duration": 5, "input_video_duration": 0, "output_video_duration": 5, "video_count": 1,
          "SR": 720}),
        ("wan2.6-i2v-flash", FILM, {"resolution": "1080P"}, [film()], {},
         {"duration": 5, "input_video_duration": 0, "output_video_duration": 5, "video_count": 1,
          "SR": 1080, "audio": False}),
        ("wan2.6-i2v-flash", FILM, {"resolution": "1080P", "sound": True}, [film()], {},
         {"duration": 5, "input_video_duration": 0, "output_video_duration": 5, "video_count": 1,
          "SR": 1080, "audio": True}),
        ("wan2.2-i2v-flash", FILM, {"resolution": "480P"}, [film()], {},
         {"duration": 5, "SR": 480, "video_count": 1}),
        ("wanx2.1-i2v-turbo", FILM, {}, [film(3.0)], {},
         {"video_duration": 3, "video_ratio": "standard", "video_count": 1}),
        ("wan2.2-kf2v-flash", FRAMES, {"resolution": "480P"}, [film()], {},
         {"video_duration": 5, "video_count": 1, "SR": 480}),
        ("wanx2.1-kf2v-plus", FRAMES, {}, [film()], {},
         {"video_duration": 5, "video_count": 1, "video_ratio": "standard"}),
        ("wan2.6-r2v", FILM, {}, [film()], {"reference_urls": [CLIP, SMALL, CLIP]},
         {"duration": 11, "size": "1280*720", "input_video_duration": 6,
          "output_video_duration": 5, "video_count": 1, "SR": 720}),
        ("wan2.7-t2v", FILM, {"resolution": "720P", "ratio": "4:3"}, [film(size=(1104, 832))], {},
         {"duration": 5, "input_video_duration": 0, "output_video_duration": 5, "video_count": 1,
          "SR": 720, "ratio": "4:3"}),
        ("wan2.7-r2v", FILM, {"resolution": "720P", "ratio": "1:1", "size_follows": "first_frame"},
         [film()], {"reference_video": [CLIP], "first_frame": [SMALL]},
         {"duration": 8, "input_video_duration": 3, "output_video_duration": 5, "video_count": 1,
          "SR": 720, "ratio": "16:9"}),
        ("wan2.7-videoedit", FILM, {"resolution": "1080P"}, [film(5.0167)],
         {"video": [File(path="v", type="video/mp4", seconds=5.0167)]},
         {"duration": 10.04, "input_video_duration": 5.02, "output_video_duration": 5.02,
          "video_count": 1, "SR": 1080}),
        ("wan3.0-video", FILM, {"resolution": "480P", "ratio": "adaptive"},
         [film(size=(832, 480))], {},
         {"duration": 5, "input_video_duration": 0, "output_video_duration": 5, "video_count": 1,
          "SR": 480, "ratio": "16:9", "fps": 30}),
        ("wanx2.1-vace-plus", FILM, {}, [film()], {"video_url": [CLIP]},
         {"video_count": 1, "video_duration": 5}),
        ("wan2.2-s2v", FRAMES, {}, [film(9.0)], {"audio_url": [VOICE]},
         {"video_duration": 9, "video_count": 1}),
    ],
)  # fmt: skip
def test_usage(
    name: str,
    route: str,
    fields: dict[str, Any],
    outputs: list[Produced],
    inputs: dict[str, list[File]],
    usage: dict[str, Any],
) -> None:
    found = CATALOGUE.on_route(name, route).usage(order(**fields), outputs, inputs)
    assert found == usage
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in usage.items()
    }


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((1280, 720), "16:9"), ((480, 832), "9:16"), ((1648, 1248), "4:3"), ((832, 1104), "3:4"),
        ((624, 624), "1:1"), ((1500, 1000), "3:2"),
    ],
)  # fmt: skip
def test_a_ratio_goes_by_its_usual_name(size: tuple[int, int], ratio: str) -> None:
    model = CATALOGUE.models["wan3.0-video"]
    assert model.usage(order(), [film(size=size)])["ratio"] == ratio
