"""Every family held against what its page says: fields, defaults, limits, usage, and odd words.

The tables are written out by hand: the data is checked against them, never against itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ferrotype import errors
from ferrotype.catalogue import Catalogue, Checked, Model
from ferrotype.catalogue.fields import Choice, Flag, Integer, Number, Text
from ferrotype.catalogue.files import Media, MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List, Object
from ferrotype.catalogue.size import Size

CATALOGUE = Catalogue.load()
TEXT, EDIT = "text2image/image-synthesis", "image2image/image-synthesis"
TASKS, SYNC = "image-generation/generation", "multimodal-generation/generation"
FILM, FRAMES = "video-generation/video-synthesis", "image2video/video-synthesis"
A, B = "https://example.com/a", "https://example.com/b"
HUGE = 2**31 - 1

SEED, MARK = f"0..{HUGE}", "flag=False"
EXTEND = "flag=True"
AREA_25 = "589824..1638400px 0.25..4.0"
FIVE_SIZES = "1664*928 1472*1104 1328*1328 1104*1472 928*1664"
S480, S720 = "832*480 480*832 624*624", "1280*720 720*1280 960*960 1088*832 832*1088"
S1080 = "1920*1080 1080*1920 1440*1440 1632*1248 1248*1632"
RATIOS = "16:9 9:16 1:1 4:3 3:4"
SCALES = {f"{side}_scale": "1..2=1.0" for side in ("top", "bottom", "left", "right")}
PLAIN = {"prompt": "800!", "negative_prompt": "500"}
FIRST = {"img_url": "image!", "prompt": "800", "negative_prompt": "500", "template": "100"}
FIRST_SOUND = {**FIRST, "prompt": "1500", "audio_url": "audio"}
COMMON = {"prompt_extend": EXTEND, "watermark": MARK, "seed": SEED}
T2V = {**COMMON, "duration": "5=5"}
SINGLE = {"shot_type": "single multi=single"}
MADE = "image_count"
SPENT = "size image_count input_tokens output_tokens total_tokens"
OLD = "video_duration video_ratio video_count"
WHOLE = "duration input_video_duration output_video_duration video_count SR"
STABLE = {"seed": SEED, "n": "1..4=1", "steps": "integer", "scale": "number"}
FLUX = {
    "seed": SEED, "n": "1=1", "steps": "integer", "guidance": "number", "offload": "flag",
    "add_sampling_metadata": "flag",
    "size": "512*1024 768*512 768*1024 1024*576 576*1024 1024*1024=1024*1024",
}  # fmt: skip
PROMPTS = {"prompt": "500!", "negative_prompt": "500"}
WAN_SIZE = "sides 512..1440 ..2073600px=1024*1024"
T2I = {**COMMON, "size": WAN_SIZE, "n": "1..4=4"}
QWEN_EDIT = {**COMMON, "negative_prompt": "500", "size": "sides 512..2048", "n": "1..6=1"}
QWEN_OWN = {**QWEN_EDIT, "size": "262144..4194304px 0.125..8.0"}
WAN27 = {
    "n": "1..4=4", "seed": SEED, "watermark": MARK, "enable_sequential": "flag=False",
    "thinking_mode": "flag=True", "bbox_list": "0..9", "color_palette": "3..10",
}  # fmt: skip

# (models, path, input, parameters, usage). A field says: its limits, "!" required, "=" default.
FAMILIES: list[tuple[str, str, dict[str, str], dict[str, str], str]] = [
    ("wan2.5-t2i-preview", TEXT, {**PROMPTS, "prompt": "2000!"},
     {**T2I, "size": "589824..2073600px 0.25..4.0=1280*1280"}, MADE),
    ("wan2.2-t2i-flash wan2.2-t2i-plus wanx2.1-t2i-turbo wanx2.1-t2i-plus wan2.1-t2i-turbo "
     "wan2.1-t2i-plus", TEXT, PROMPTS, T2I, MADE),
    ("wanx2.0-t2i-turbo", TEXT, PLAIN, T2I, MADE),
    ("wanx-v1", TEXT, {**PLAIN, "ref_img": "image"},
     {"size": "1024*1024 720*1280 768*1152 1280*720=1024*1024", "n": "1..4=4", "seed": SEED,
      "style": "<auto> <photography> <portrait> <3d cartoon> <anime> <oil painting> <watercolor> "
               "<sketch> <chinese painting> <flat illustration>=<auto>",
      "ref_strength": "0..1", "ref_mode": "repaint refonly=repaint"}, MADE),
    ("qwen-image qwen-image-plus", TEXT, PLAIN,
     {**COMMON, "size": FIVE_SIZES + "=1664*928", "n": "1=1"}, MADE),
    ("stable-diffusion-xl stable-diffusion-3.5-large stable-diffusion-3.5-large-turbo", TEXT,
     {"prompt": "2000!", "negative_prompt": "2000"},
     {**STABLE, "size": "1024*1024=1024*1024"}, MADE),
    ("stable-diffusion-v1.5", TEXT, {"prompt": "2000!", "negative_prompt": "2000"},
     {**STABLE, "size": "512*512=512*512"}, MADE),
    ("flux-schnell flux-dev flux-merged", TEXT, {"prompt": "2000!"}, FLUX, MADE),
    ("wan2.5-i2i-preview", EDIT,
     {"prompt": "2000!", "negative_prompt": "500", "images": "1..3 image!"},
     {**COMMON, "size": AREA_25, "n": "1..4=4"}, MADE),
    ("wanx2.1-imageedit", EDIT,
     {"function": "stylization_all stylization_local description_edit description_edit_with_mask "
                  "remove_watermark expand super_resolution colorization doodle "
                  "control_cartoon_feature!",
      "prompt": "800!", "base_image_url": "image!", "mask_image_url": "image"},
     {"n": "1..4=1", "seed": SEED, "watermark": MARK, "strength": "0..1=0.5", **SCALES,
      "upscale_factor": "1..4=1", "is_sketch": "flag=False"}, MADE),
    ("wanx-x-painting wanx-sketch-to-image-lite", EDIT,
     {"prompt": "800", "base_image_url": "image", "mask_image_url": "image",
      "sketch_image_url": "image"}, {"n": "1..4=1", "seed": SEED, "watermark": MARK}, MADE),
    ("qwen-mt-image", EDIT,
     {"image_url": "image!", "source_lang": "40!", "target_lang": "40!",
      "ext": "domainHint sensitives terminologies config"}, {"n": "1=1"}, MADE),
    ("wan2.6-t2i", TASKS, {"messages": "2100 0..0!"},
     {**COMMON, "size": "589824..2073600px 0.25..4.0=1280*1280", "n": "1..4=4",
      "negative_prompt": "500"}, SPENT),
    ("wan2.6-image", TASKS, {"messages": "2000 1..4!"},
     {**COMMON, "size": "1K 2K 589824..4194304px 0.25..4.0 /16=1K", "n": "1..4=4",
      "negative_prompt": "500", "enable_interleave": "flag=False", "stream": "flag"}, SPENT),
    ("wan2.7-image-pro", TASKS, {"messages": "5000 0..9!"},
     {**WAN27, "size": "1K 2K 4K 589824..16777216px 0.125..8.0=2K"}, SPENT),
    ("wan2.7-image", TASKS, {"messages": "5000 0..9!"},
     {**WAN27, "size": "1K 2K 589824..4194304px 0.125..8.0=2K"}, SPENT),
    ("qwen-image-3.0 qwen-image-3.0-pro", TASKS, {"messages": "4500 0..3!"},
     {**QWEN_OWN, "prompt_extend_mode": "direct agent=direct"},
     "output_width output_height input_image_count input_image_type output_image_count "
     "output_image_type"),
    ("qwen-image-2.0 qwen-image-2.0-2026-03-03 qwen-image-2.0-pro qwen-image-2.0-pro-2026-03-03 "
     "qwen-image-2.0-pro-2026-04-22 qwen-image-2.0-pro-2026-06-22", SYNC,
     {"messages": "1300 0..3!"}, {**QWEN_OWN, "size": QWEN_OWN["size"] + "=2048*2048"},
     "width height image_count"),
    ("qwen-image-max qwen-image-max-2025-12-30 qwen-image-plus-2026-01-09 qwen-image "
     "qwen-image-plus", SYNC, {"messages": "800 0..0!"},
     {**COMMON, "negative_prompt": "500", "size": FIVE_SIZES + "=1664*928", "n": "1=1"},
     "width height image_count"),
    ("qwen-image-edit-plus qwen-image-edit-plus-2025-10-30 qwen-image-edit-plus-2025-12-15 "
     "qwen-image-edit-max qwen-image-edit-max-2026-01-16", SYNC, {"messages": "800 1..3!"},
     QWEN_EDIT, "width height image_count"),
    ("qwen-image-edit", SYNC, {"messages": "800 1..3!"},
     {"negative_prompt": "500", "watermark": MARK, "seed": SEED, "n": "1=1"},
     "width height image_count"),
    ("z-image-turbo", SYNC, {"messages": "800 0..0!"},
     {"prompt_extend": "flag=False", "seed": SEED, "n": "1=1",
      "size": "262144..4194304px 0.125..8.0=1024*1536"},
     "width height image_count input_tokens output_tokens total_tokens"),
    ("wanx-style-repaint-v1", TASKS,
     {"image_url": "image!", "style_index": "-1..100!", "style_ref_url": "image"}, {"n": "1=1"},
     MADE),
    ("wanx-background-generation-v2", "background-generation/generation",
     {"base_image_url": "image!", "ref_image_url": "image", "ref_prompt": "800",
      "neg_ref_prompt": "800", "title": "200", "sub_title": "200"},
     {"n": "1..4=1", "noise_level": "0..999", "ref_prompt_weight": "0..1"}, MADE),
    ("wan2.6-t2v", FILM, {**PLAIN, "prompt": "1500!", "audio_url": "audio"},
     {**COMMON, **SINGLE, "size": f"{S720} {S1080}=1920*1080", "duration": "2..15=5"},
     "duration size input_video_duration output_video_duration video_count SR"),
    ("wan2.6-t2v-us", FILM, {**PLAIN, "prompt": "1500!", "audio_url": "audio"},
     {**COMMON, **SINGLE, "size": f"{S720} {S1080}=1920*1080", "duration": "5 10 15=5"},
     "duration size input_video_duration output_video_duration video_count SR"),
    ("wan2.5-t2v-preview", FILM, {**PLAIN, "prompt": "1500!", "audio_url": "audio"},
     {**COMMON, "size": f"{S480} {S720} {S1080}=1920*1080", "duration": "5 10=5"}, OLD),
    ("wan2.2-t2v-plus", FILM, PLAIN, {**T2V, "size": f"{S480} {S1080}=1920*1080"}, OLD),
    ("wanx2.1-t2v-turbo wan2.1-t2v-turbo", FILM, PLAIN,
     {**T2V, "size": f"{S480} {S720}=1280*720"}, OLD),
    ("wanx2.1-t2v-plus wan2.1-t2v-plus", FILM, PLAIN, {**T2V, "size": f"{S720}=1280*720"}, OLD),
    ("wan2.7-t2v wan2.7-t2v-2026-04-25 wan2.7-t2v-2026-06-12", FILM,
     {**PLAIN, "prompt": "5000!", "audio_url": "audio"},
     {**COMMON, "resolution": "720P 1080P=1080P", "ratio": RATIOS + "=16:9",
      "duration": "2..15=5"}, WHOLE + " ratio"),
    ("happyhorse-1.0-t2v happyhorse-1.1-t2v", FILM, {"prompt": "5000!"},
     {"resolution": "720P 1080P=1080P", "ratio": RATIOS + "=16:9", "duration": "3..15=5",
      "watermark": "flag=True", "seed": SEED}, WHOLE + " ratio"),
    ("wan3.0-video wan3.0-video-prime", FILM,
     {"prompt": "20000", "media": "0..10 first_frame last_frame reference_image reference_video "
                                  "reference_audio file link"},
     {**COMMON, "resolution": "480P 720P 1080P=1080P",
      "ratio": "adaptive 16:9 4:3 1:1 3:4 9:16=adaptive", "duration": "2..30 -1=5",
      "audio": "flag=True", "enable_thinking": "flag"}, WHOLE + " ratio fps"),
    ("wan2.6-i2v-flash", FILM, FIRST_SOUND,
     {**COMMON, **SINGLE, "resolution": "720P 1080P=1080P", "duration": "2..15=5",
      "audio": "flag=True"}, WHOLE + " audio"),
    ("wan2.6-i2v", FILM, FIRST_SOUND,
     {**COMMON, **SINGLE, "resolution": "720P 1080P=1080P", "duration": "2..15=5"}, WHOLE),
    ("wan2.6-i2v-us", FILM, FIRST_SOUND,
     {**COMMON, **SINGLE, "resolution": "720P 1080P=1080P", "duration": "5 10 15=5"}, WHOLE),
    ("wan2.5-i2v-preview", FILM, FIRST_SOUND,
     {**COMMON, "resolution": "480P 720P 1080P=1080P", "duration": "5 10=5"},
     "duration SR video_count"),
    ("wan2.2-i2v-flash", FILM, FIRST, {**T2V, "resolution": "480P 720P 1080P=720P"},
     "duration SR video_count"),
    ("wan2.2-i2v-plus", FILM, FIRST, {**T2V, "resolution": "480P 1080P=1080P"},
     "duration SR video_count"),
    ("wanx2.1-i2v-turbo wan2.1-i2v-turbo", FILM, FIRST,
     {**COMMON, "resolution": "480P 720P=720P", "duration": "3 4 5=5"}, OLD),
    ("wanx2.1-i2v-plus wan2.1-i2v-plus", FILM, FIRST, {**T2V, "resolution": "720P=720P"}, OLD),
    ("wan2.2-kf2v-flash", FRAMES,
     {"first_frame_url": "image!", "last_frame_url": "image!", "prompt": "800",
      "negative_prompt": "500", "template": "100"},
     {**T2V, "resolution": "480P 720P 1080P=720P"}, "video_duration video_count SR"),
    ("wanx2.1-kf2v-plus", FRAMES,
     {"first_frame_url": "image!", "last_frame_url": "image!", "prompt": "800",
      "negative_prompt": "500", "template": "100"},
     {**T2V, "resolution": "480P 720P=720P"}, "video_duration video_count video_ratio"),
    ("wan2.6-r2v", FILM, {**PLAIN, "prompt": "1500!", "reference_urls": "1..5 image!"},
     {**SINGLE, "size": "1280*720 720*1280 960*960 1920*1080 1080*1920=1920*1080",
      "duration": "2..10=5", "watermark": MARK, "seed": SEED},
     "duration size input_video_duration output_video_duration video_count SR"),
    ("wan2.6-r2v-flash", FILM, {**PLAIN, "prompt": "1500!", "reference_urls": "1..5 image!"},
     {**SINGLE, "size": "1280*720 720*1280 960*960 1920*1080 1080*1920=1920*1080",
      "duration": "2..10=5", "watermark": MARK, "seed": SEED, "audio": "flag=True"},
     "duration size input_video_duration output_video_duration video_count SR"),
    ("wan2.7-i2v wan2.7-i2v-2026-04-25", FILM,
     {"prompt": "5000", "negative_prompt": "500",
      "media": "1..3 first_frame last_frame driving_audio first_clip!"},
     {**COMMON, "resolution": "720P 1080P=1080P", "duration": "2..15=5"}, WHOLE),
    ("wan2.7-r2v wan2.7-r2v-2026-06-12", FILM,
     {"prompt": "5000!", "negative_prompt": "500", "reference_voice": "audio",
      "media": "1..5 reference_image reference_video first_frame!"},
     {**COMMON, "resolution": "720P 1080P=1080P", "ratio": RATIOS + "=16:9",
      "duration": "2..15=5"}, WHOLE + " ratio"),
    ("wan2.7-videoedit", FILM,
     {"prompt": "5000", "negative_prompt": "500", "media": "1..5 video reference_image!"},
     {**COMMON, "resolution": "720P 1080P=1080P", "ratio": RATIOS, "duration": "2..10 0=0",
      "audio_setting": "auto origin=auto"}, WHOLE),
    ("wanx2.1-vace-plus", FILM,
     {"function": "image_reference video_repainting video_edit video_extension "
                  "video_outpainting!",
      "prompt": "800!", "ref_images_url": "1..3 image", "video_url": "video",
      "mask_image_url": "image", "mask_video_url": "video", "first_clip_url": "video",
      "last_clip_url": "video", "first_frame_url": "image", "last_frame_url": "image",
      "mask_frame_id": f"0..{HUGE}"},
     {**T2V, "size": f"{S720}=1280*720", "obj_or_bg": "1..3",
      "control_condition": "posebodyface posebody depth scribble", "strength": "0..1=1.0",
      "mask_type": "tracking fixed=tracking", "expand_ratio": "0..1=0.05", **SCALES},
     "video_count video_duration"),
    ("wan2.2-s2v", FRAMES, {"image_url": "image!", "audio_url": "audio!"},
     {"resolution": "480P 720P=480P"}, "video_duration video_count"),
    ("wan2.2-animate-move wan2.2-animate-mix", FRAMES,
     {"image_url": "image!", "video_url": "video!", "watermark": MARK},
     {"mode": "wan-std wan-pro!", "check_image": "flag=True"}, "video_duration video_count"),
]  # fmt: skip
ROWS = [
    pytest.param(name, route, given, parameters, usage, id=f"{name} {route.split('/')[0]}")
    for names, route, given, parameters, usage in FAMILIES
    for name in names.split()
]


def brief(field: Field) -> str:
    """Say a field's limits as the tables above do."""
    match field:
        case Text():
            said = str(field.max)
        case Integer() if (field.min, field.max) == (-(2**31), HUGE):
            said = "integer"
        case Number() if field.max > 1e9:
            said = "number"
        case Integer() | Number():
            also = "".join(f" {number}" for number in getattr(field, "also", ()))
            said = span(field.min, field.max) + also
        case Flag():
            said = "flag"
        case Choice():
            said = " ".join(map(str, field.of))
        case Size():
            said = brief_size(field)
        case Media():
            said = medium(field)
        case MediaSet():
            said = f"{field.min}..{field.max} {' '.join(field.types)}"
        case Messages():
            said = f"{field.text_max} {field.min_images}..{field.max_images}"
        case List():
            said = f"{field.min}..{field.max}"
            said += f" {medium(field.of)}" if isinstance(field.of, Media) else ""
        case Object():
            said = " ".join(field.fields)
    default = "" if field.default is None else f"={field.default}"
    return said + "!" * field.required + default


def brief_size(size: Size) -> str:
    if size.values:
        return " ".join(size.values)
    words = list(size.tiers)
    if size.max_side:
        words.append(f"sides {size.min_side}..{size.max_side}")
    if size.max_pixels:
        words.append(f"{size.min_pixels if size.min_pixels > 1 else ''}..{size.max_pixels}px")
    if size.min_ratio:
        words.append(f"{size.min_ratio}..{size.max_ratio}")
    if size.multiple_of > 1:
        words.append(f"/{size.multiple_of}")
    return " ".join(words)


def medium(field: Media) -> str:
    return {"jpeg": "image", "wav": "audio", "mp4": "video"}[field.formats[0]]


def span(least: float, most: float) -> str:
    return f"{least:g}" if least == most else f"{round(least)}..{round(most)}"


@pytest.mark.parametrize(("name", "route", "given", "parameters", "usage"), ROWS)
def test_what_a_model_takes_and_says(
    name: str, route: str, given: dict[str, str], parameters: dict[str, str], usage: str
) -> None:
    model = CATALOGUE.on_route(name, route)
    assert {field: brief(of) for field, of in model.input.items()} == given
    assert {field: brief(of) for field, of in model.parameters.items()} == parameters
    assert sorted(model.measures) == sorted(usage.split())


def test_the_tables_leave_no_model_out() -> None:
    told = {(name, route) for names, route, *_ in FAMILIES for name in names.split()}
    served = {(m.name, route) for route in CATALOGUE.routes for m in CATALOGUE.models_on(route)}
    both = "wan2.6-t2i wan2.6-image wan2.7-image-pro wan2.7-image qwen-image-3.0 qwen-image-3.0-pro"
    assert served - told == {(name, SYNC) for name in both.split()}
    assert told <= served
    for name in both.split():  # the same body on both paths
        assert CATALOGUE.on_route(name, SYNC) is CATALOGUE.on_route(name, TASKS)


def modes(model: Model) -> set[str]:
    return {mode for of in model.routes.values() for mode in of}


def test_who_answers_at_once_and_who_makes_a_task() -> None:
    for route in CATALOGUE.routes:
        for model in CATALOGUE.models_on(route):
            twice = model.name in ("wan2.2-t2i-flash", "wan2.2-t2i-plus")
            expected = ("sync",) if route == SYNC else ("async", "sync")[: 1 + twice]
            assert model.routes[route] == expected, model.name


RATES = {
    (5, "second", 5): "wan2.7-image-pro wan2.7-image wan2.6-image wan2.5-t2i-preview "
    "wan2.5-i2i-preview wan2.5-t2v-preview wan2.6-t2v wan2.6-t2v-us wan2.5-i2v-preview wan2.6-i2v "
    "wan2.6-i2v-flash wan2.6-i2v-us wan2.6-r2v wan2.6-r2v-flash wan2.7-t2v wan2.7-t2v-2026-04-25 "
    "wan2.7-t2v-2026-06-12 wan2.7-i2v wan2.7-i2v-2026-04-25 wan2.7-r2v wan2.7-r2v-2026-06-12 "
    "wan2.7-videoedit",
    (1, "second", 5): "wan2.6-t2i",
    (2, "second", 2): "wan2.2-t2i-flash wan2.2-t2i-plus wanx2.1-t2i-turbo wanx2.1-t2i-plus "
    "wan2.1-t2i-turbo wan2.1-t2i-plus wanx2.0-t2i-turbo wanx2.1-imageedit qwen-image "
    "qwen-image-plus wan2.2-t2v-plus wanx2.1-t2v-turbo wan2.1-t2v-turbo wanx2.1-t2v-plus "
    "wan2.1-t2v-plus wan2.2-i2v-flash wan2.2-i2v-plus wanx2.1-i2v-turbo wan2.1-i2v-turbo "
    "wanx2.1-i2v-plus wan2.1-i2v-plus wan2.2-kf2v-flash wanx2.1-kf2v-plus wanx2.1-vace-plus "
    "wanx-style-repaint-v1",
    (2, "second", 1): "wanx-v1 wanx-x-painting wanx-sketch-to-image-lite "
    "wanx-background-generation-v2",
    (5, "second", 1): "wan2.2-s2v wan2.2-animate-move wan2.2-animate-mix",
    (10, "second", 5): "happyhorse-1.0-t2v happyhorse-1.1-t2v",
    (2, "minute", None): "qwen-image-max qwen-image-max-2025-12-30 qwen-image-2.0-pro "
    "qwen-image-2.0-pro-2026-03-03 qwen-image-2.0-pro-2026-04-22 qwen-image-2.0-pro-2026-06-22 "
    "qwen-image-edit-max qwen-image-edit-max-2026-01-16",
    (2, "second", None): "qwen-image-plus-2026-01-09 qwen-image-edit-plus "
    "qwen-image-edit-plus-2025-10-30 qwen-image-edit-plus-2025-12-15 qwen-image-edit "
    "z-image-turbo",
}


def test_rates() -> None:
    told = {name: rate for rate, names in RATES.items() for name in names.split()}
    found = {
        name: (model.rate.submit, model.rate.per, model.rate.concurrent)
        for name, model in CATALOGUE.models.items()
        if model.rate
    }
    assert found == told


SILENT = (
    "wan2.2-t2v-plus wanx2.1-t2v-turbo wan2.1-t2v-turbo wanx2.1-t2v-plus wan2.1-t2v-plus "
    "wan2.2-i2v-flash wan2.2-i2v-plus wanx2.1-i2v-turbo wan2.1-i2v-turbo wanx2.1-i2v-plus "
    "wan2.1-i2v-plus wan2.2-kf2v-flash wanx2.1-kf2v-plus wanx2.1-vace-plus"
)


def test_which_films_are_silent() -> None:
    films = {model.name: model.sound for model in CATALOGUE.entries if model.media == "video"}
    assert {name for name, sound in films.items() if not sound} == set(SILENT.split())
    assert ask(FILM, "wan2.6-t2v", {"prompt": "p"}).order.fields["sound"] is True
    assert "sound" not in ask(FILM, "wan2.2-t2v-plus", {"prompt": "p"}).order.fields
    checked = ask(FILM, "wan2.6-i2v-flash", {"img_url": A}, {"audio": False})
    assert "sound" not in checked.order.fields
    assert ask(FILM, "wan2.6-i2v-flash", {"img_url": A}).order.fields["sound"] is True


def ask(route: str, model: str, given: Any, parameters: Any = None) -> Checked:
    body = {"model": model, "input": given, "parameters": parameters}
    return CATALOGUE.check(route, body, asynchronous=route != SYNC)


def refused(route: str, model: str, given: Any, parameters: Any = None) -> str:
    with pytest.raises(errors.InvalidParameter) as caught:
        ask(route, model, given, parameters)
    return caught.value.message


def say(*content: Mapping[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


def media(*roles: str) -> dict[str, Any]:
    return {"prompt": "p", "media": [{"type": role, "url": A} for role in roles]}


KITE, PICTURE = {"text": "a kite"}, {"image": A}
SDK = {"extend_prompt": True, "function": "video-synthesis"}


@pytest.mark.parametrize(
    ("route", "model", "given", "parameters", "message"),
    [
        (FILM, "wan2.6-i2v", {"prompt": "p"}, {}, "Field required: input.img_url"),
        (FILM, "wan2.2-i2v-flash", {"img_url": ""}, {}, "Field required: input.img_url"),
        (FRAMES, "wan2.2-kf2v-flash", {"first_frame_url": A}, {},
         "Field required: input.last_frame_url"),
        (EDIT, "wan2.5-i2i-preview", {"prompt": "p"}, {}, "Field required: input.images"),
        (TASKS, "wan2.6-t2i", {}, {}, "No messages found in input"),
        (TASKS, "wan2.6-t2i", {"prompt": "p"}, {}, "No messages found in input"),
        (SYNC, "z-image-turbo", {"messages": None}, {}, "No messages found in input"),
        (SYNC, "qwen-image-max", {"messages": say(KITE)["messages"] * 2}, {},
         "messages length only support 1"),
        (TASKS, "wan2.6-image", say(KITE, PICTURE, PICTURE), {"enable_interleave": True},
         "content length only support 2"),
        (SYNC, "qwen-image", say(KITE, PICTURE), {}, "content length only support 1"),
        (SYNC, "qwen-image-edit", say(KITE, *[PICTURE] * 4), {}, "content length only support 4"),
        (SYNC, "qwen-image-edit", say(KITE), {}, "lack of image or text"),
        (SYNC, "qwen-image-edit-plus", say(PICTURE), {}, "lack of image or text"),
        (SYNC, "qwen-image-edit-plus", say(), {}, "lack of image or text"),
        (SYNC, "qwen-image-edit-plus", say(KITE, KITE, PICTURE), {}, "lack of image or text"),
        (SYNC, "qwen-image-edit", say(KITE | PICTURE, PICTURE), {},
         "the parameters must conform to the specification: input.messages[0].content[0] must be "
         'one message {"role": "user"} whose content is one {text} and 1 to 3 {image}'),
        (SYNC, "qwen-image-max", say(KITE), {"n": 2}, "num_images_per_prompt must be 1"),
        (SYNC, "qwen-image-edit", say(KITE, PICTURE), {"n": 2}, "num_images_per_prompt must be 1"),
        (SYNC, "z-image-turbo", say(KITE), {"n": 0}, "num_images_per_prompt must be 1"),
        (TASKS, "wan2.6-image", say(KITE), {"enable_interleave": True, "n": 2},
         "num_images_per_prompt must be 1"),
        (EDIT, "qwen-mt-image", {"image_url": A, "source_lang": "zh", "target_lang": "en"},
         {"n": 2}, "num_images_per_prompt must be 1"),
        (FILM, "wanx2.1-vace-plus",
         {"prompt": "p", "function": "image_reference", "ref_images_url": [A, B]},
         {"obj_or_bg": ["obj"]}, "ref_images_url and obj_or_bg must be the same length."),
        (FILM, "wanx2.1-vace-plus", {"prompt": "p", "function": "video_edit"}, {},
         "Field required: input.video_url"),
        (EDIT, "wanx2.1-imageedit",
         {"prompt": "p", "function": "description_edit_with_mask", "base_image_url": A}, {},
         "Field required: input.mask_image_url"),
        (FILM, "wan3.0-video", {}, {},
         "Field required: input.prompt or input.first_frame or input.last_frame or "
         "input.reference_image or input.reference_video or input.reference_audio or input.file "
         "or input.link"),
        (FILM, "wan2.7-r2v", media("first_frame"), {},
         "Field required: input.reference_image or input.reference_video"),
        (FILM, "wan2.7-r2v", media("reference_video"), {"duration": 11},
         "the parameters must conform to the specification: "
         "duration must be at most 10 with reference_video"),
        (TASKS, "wan2.7-image", say(KITE, PICTURE), {"bbox_list": [[], []]},
         "images and bbox_list must be the same length."),
        (TASKS, "wan2.7-image", say(KITE),
         {"color_palette": [{"hex": "#000000", "ratio": "33.33%"}] * 3},
         "the parameters must conform to the specification: "
         "color_palette: the ratios must sum to 100.00%"),
        (TASKS, "wan2.7-image-pro", say(KITE, PICTURE), {"size": "4K"},
         "The size is not match the allowed size [at most 4194304 pixels]"),
        (TASKS, "wan2.7-image-pro", say(KITE), {"size": "4K", "enable_sequential": True},
         "The size is not match the allowed size [at most 4194304 pixels]"),
        (TASKS, "wan2.7-image", say(KITE), {"n": 5},
         "the parameters must conform to the specification: "
         "parameters.n must be an integer from 1 to 4"),
    ],
)  # fmt: skip
def test_the_words_of_a_refusal(
    route: str, model: str, given: Any, parameters: Any, message: str
) -> None:
    assert refused(route, model, given, parameters) == message


@pytest.mark.parametrize("roles", [
    ("last_frame",), ("driving_audio",), ("first_clip", "driving_audio"),
    ("first_clip", "first_frame"), ("first_frame", "first_frame"),
    ("first_frame", "last_frame", "first_clip"),
])  # fmt: skip
def test_media_that_do_not_go_together(roles: tuple[str, ...]) -> None:
    assert "input.media must be 1 to 3 objects" in refused(FILM, "wan2.7-i2v", media(*roles))


@pytest.mark.parametrize(
    ("route", "model", "given", "parameters", "expected"),
    [
        # The SDK's own extras are passed over.
        (FILM, "wan2.6-t2v", {"prompt": "p", **SDK}, {}, {"size": (1920, 1080), "duration": 5}),
        (TASKS, "wan2.6-t2i", say(KITE), {"is_async": True}, {"size": (1280, 1280), "n": 4}),
        (FILM, "wan2.2-i2v-plus", {"img_url": A, "prompt": None, **SDK}, {"resolution": "480P"},
         {"prompt": "", "size": (624, 624), "fields": "img_url"}),
        # How many pictures are wanted always ends up in n.
        (TASKS, "wan2.6-image", say(KITE), {"enable_interleave": True},
         {"n": 5, "size": (1280, 1280), "kind": "text-to-image"}),
        (TASKS, "wan2.6-image", say(KITE, PICTURE), {"enable_interleave": True, "max_images": 2},
         {"n": 2, "kind": "image-edit", "fields": "images"}),
        (TASKS, "wan2.6-image", say(KITE, *[PICTURE] * 4), {}, {"n": 4, "kind": "image-edit"}),
        (TASKS, "wan2.7-image", say(KITE), {"enable_sequential": True}, {"n": 12}),
        (TASKS, "wan2.7-image-pro", say(KITE), {"size": "4K"}, {"size": (4096, 4096), "n": 4}),
        (TASKS, "wan2.7-image", say(KITE, PICTURE), {}, {"size": (2048, 2048), "fields": "images"}),
        (TASKS, "wan2.7-image", say(KITE),
         {"color_palette": [{"hex": "#Aa0000", "ratio": "33.33%"}] * 2
          + [{"hex": "#00ff00", "ratio": "33.34%"}]}, {"n": 4}),
        (SYNC, "qwen-image-edit",
         say({"type": "image", "image": A, "text": None}, {"type": "text", "text": "a kite"}), {},
         {"prompt": "a kite", "size": (1024, 1024)}),
        (SYNC, "qwen-image-edit", say(PICTURE, KITE), {"size": "1*1"},
         {"size": (1024, 1024), "fields": "images"}),
        (EDIT, "wan2.5-i2i-preview", {"prompt": "p", "images": [A, B]}, {},
         {"size": (1280, 1280), "fields": "images", "n": 4}),
        (EDIT, "qwen-mt-image", {"image_url": A, "source_lang": "zh", "target_lang": "en"}, {},
         {"fields": "image_url", "kind": "image-translation"}),
        (EDIT, "wanx-x-painting", {"sketch_image_url": A}, {}, {"fields": "sketch_image_url"}),
        (TASKS, "wanx-style-repaint-v1", {"image_url": A, "style_index": 3}, {},
         {"fields": "image_url", "n": 1}),
        # Resolution and ratio become a size.
        (FILM, "wan2.7-t2v", {"prompt": "p"}, {"resolution": "720P", "ratio": "4:3"},
         {"size": (1104, 832)}),
        (FILM, "wan2.7-t2v", {"prompt": "p"}, {}, {"size": (1920, 1080), "duration": 5}),
        (FILM, "wan3.0-video", {"prompt": "p"}, {"ratio": "9:16", "duration": -1},
         {"size": (1080, 1920), "duration": -1}),
        (FILM, "wan3.0-video", media("last_frame"), {"resolution": "480P"},
         {"size": (832, 480), "fields": "last_frame"}),
        (FILM, "wan3.0-video", media("reference_image"), {},
         {"size": (1920, 1080), "fields": None}),
        (FILM, "wan2.7-r2v", media("reference_image", "first_frame"), {"ratio": "1:1"},
         {"size": (1440, 1440), "fields": "first_frame"}),
        (FILM, "wan2.7-videoedit", media("video"), {}, {"fields": "video", "duration": 0}),
        (FILM, "wan2.7-videoedit", media("video", "reference_image"), {"ratio": "1:1"},
         {"size": (1440, 1440), "fields": None}),
        (FRAMES, "wanx2.1-kf2v-plus", {"head_frame": A, "tail_frame": B}, {},
         {"size": (960, 960), "fields": "first_frame_url"}),
        (FRAMES, "wan2.2-animate-mix", {"image_url": A, "video_url": B}, {"mode": "wan-std"},
         {"size": (960, 960), "kind": "animate", "fields": "video_url"}),
        (FRAMES, "wan2.2-s2v", {"image_url": A, "audio_url": B}, {},
         {"size": (624, 624), "kind": "speech-to-video", "duration": None}),
    ],
)  # fmt: skip
def test_what_is_asked_of_the_engine(
    route: str, model: str, given: Any, parameters: Any, expected: dict[str, Any]
) -> None:
    checked = ask(route, model, given, parameters)
    order = checked.order
    found = {
        "size": order.size, "n": order.n, "duration": order.duration, "kind": order.kind,
        "prompt": order.prompt, "fields": order.fields.get("size_follows"),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert (checked.total, checked.refusal) == (order.n, None)


def test_a_frame_beside_references_is_told_at_the_task() -> None:
    checked = ask(FILM, "wan3.0-video", media("first_frame", "reference_image"))
    assert checked.refusal == (
        "InvalidParameter",
        "first_frame and reference_image must not be given together",
    )


def test_words_under_names_of_their_own_reach_the_engine() -> None:
    given = {"base_image_url": A, "ref_prompt": "a beach", "neg_ref_prompt": "people"}
    order = ask("background-generation/generation", "wanx-background-generation-v2", given).order
    assert (order.prompt, order.negative) == ("a beach", "people")
    assert order.fields == {"size_follows": "base_image_url"}


def test_a_file_beside_another_has_a_rule(tmp_path: Path) -> None:
    mine = "[model.mine]\nlike = 'wan2.7-r2v'\ninput.reference_voice = false"
    (tmp_path / "mine.toml").write_text(mine, encoding="utf-8")
    rules = Catalogue.load([tmp_path]).models["mine"].input_rules
    assert rules["reference_voice"].max_seconds == 10


def test_a_voice_may_belong_to_one_reference() -> None:
    given = media("reference_image", "reference_image")
    given["media"][1]["reference_voice"] = B
    order = ask(FILM, "wan2.7-r2v", {**given, "reference_voice": A}).order
    assert order.inputs == {"reference_image": [A, A], "reference_voice": [A, B]}
    given["media"][1]["reference_voice"] = "data:audio/wav;base64,AAAA"
    with pytest.raises(errors.InvalidURL, match=r"input\.media\[1\]\.reference_voice"):
        ask(FILM, "wan2.7-r2v", given)


IN = {"http", "https"}


@pytest.mark.parametrize(
    ("name", "route", "role", "schemes", "megabytes", "sides", "ratio", "seconds"),
    [
        ("wanx-v1", TEXT, "ref_img", "oss", 10, (256, 4096), None, None),
        ("wan2.5-i2i-preview", EDIT, "images", "data oss", 10, (384, 5000), None, None),
        ("wanx2.1-imageedit", EDIT, "base_image_url", "data oss", 10, (512, 4096), None, None),
        ("wan2.6-image", TASKS, "images", "data oss", 10, (240, 8000), None, None),
        ("wan2.7-image", TASKS, "images", "data oss", 20, (240, 8000), (0.125, 8), None),
        ("qwen-image-edit-plus", SYNC, "images", "data oss", 10, (384, 3072), None, None),
        ("wan2.2-i2v-flash", FILM, "img_url", "data oss", 10, (240, 8000), None, None),
        ("wan2.6-i2v", FILM, "img_url", "data oss", 20, (240, 8000), None, None),
        ("wan2.5-i2v-preview", FILM, "audio_url", "oss", 15, None, None, (3, 30)),
        ("wan2.7-t2v", FILM, "audio_url", "oss", 15, None, None, (2, 30)),
        ("wan2.2-kf2v-flash", FRAMES, "last_frame_url", "data oss", 10, (360, 2000), None, None),
        ("wan2.7-i2v", FILM, "first_frame", "data oss", 20, (240, 8000), (0.125, 8), None),
        ("wan2.7-i2v", FILM, "driving_audio", "oss", 15, None, None, (2, 30)),
        ("wan2.7-i2v", FILM, "first_clip", "oss", 100, (240, 4096), None, (2, 10)),
        ("wan2.7-r2v", FILM, "reference_video", "oss", 100, (240, 4096), None, (1, 30)),
        ("wan2.7-r2v", FILM, "reference_voice", "oss", 15, None, None, (1, 10)),
        ("wan2.7-videoedit", FILM, "video", "oss", 100, (240, 4096), None, (2, 10)),
    ],
)
def test_what_a_file_may_be(
    name: str,
    route: str,
    role: str,
    schemes: str,
    megabytes: int,
    sides: tuple[int, int] | None,
    ratio: tuple[float, float] | None,
    seconds: tuple[float, float] | None,
) -> None:
    model = CATALOGUE.on_route(name, route)
    rule = model.input_rules[role]
    assert rule.max_bytes == megabytes << 20
    assert (rule.min_ratio, rule.max_ratio) == (ratio or (None, None))
    assert (rule.min_seconds, rule.max_seconds) == (seconds or (None, None))
    if sides:
        assert (rule.min_side, rule.max_side) == sides
    for field in model.input.values():
        match field:
            case MediaSet(types=types) if role in types:
                assert set(types[role].accepts) == IN | set(schemes.split())
            case Messages(image=Media() as picture) if role == "images":
                assert set(picture.accepts) == IN | set(schemes.split())


def test_only_pictures_are_written_out_in_a_body() -> None:
    given = {"prompt": "p", "reference_urls": ["data:image/png;base64,AAAA", "https://h/v.mp4"]}
    assert ask(FILM, "wan2.6-r2v", given).order.inputs == {
        "reference_urls": given["reference_urls"]
    }
    for url in ("data:video/mp4;base64,AAAA", "data:image/tiff;base64,AAAA"):
        with pytest.raises(errors.InvalidURL):
            ask(FILM, "wan2.6-r2v", {"prompt": "p", "reference_urls": [url]})


@pytest.mark.parametrize("strict", [False, True])
def test_models_known_by_name_only_are_not_served(strict: bool) -> None:
    catalogue = Catalogue.load(unknown_model="404" if strict else "400")
    kind = errors.ModelNotFound if strict else errors.InvalidParameter
    for route, name in [
        (TEXT, "wanx-poster-generation-v1"),
        (TEXT, "wordart-semantic"),
        ("wordart/semantic", "wordart-semantic"),
        ("virtualmodel/generation", "anything"),
        ("image2image/out-painting", "image-out-painting"),
        ("album/gen_potrait", "facechain-generation"),
        ("image2video/face-detect", "emo-detect"),
    ]:
        with pytest.raises(kind) as caught:
            catalogue.check(route, {"model": name, "input": {}}, asynchronous=True)
        assert caught.value.message == "The model is not served here."
    with pytest.raises(errors.InvalidParameter, match="url error"):
        catalogue.check("wordart/semantic", {"model": "wanx-v1"}, asynchronous=True)
    with pytest.raises(kind) as caught:
        catalogue.check(TEXT, {"model": "wan9"}, asynchronous=True)
    assert caught.value.message in ("Model not exist.", "Model can not be found.")


def test_a_task_outlives_the_path_of_its_model() -> None:
    assert CATALOGUE.nearest("qwen-image", SYNC).dialect == "choices"
    assert CATALOGUE.nearest("qwen-image", FILM) is CATALOGUE.models["qwen-image"]
