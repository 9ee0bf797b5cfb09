"""Every family of pipelines: what it can do comes out in the size, number and length asked for."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from bench.rooms import Room
from PIL import Image

from ferrotype.media import File, Output
from ferrotype.ports.engine import EngineRefusal, EngineUnfit

pytest_plugins = ["pipeline_fixtures"]


def picture(folder: Path, size: tuple[int, int] = (96, 64), name: str = "in") -> File:
    """Write a picture as the media process leaves one."""
    path = folder / f"{name}.png"
    ramp = np.linspace(0, 255, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
    Image.fromarray(ramp.astype(np.uint8)).save(path)
    return File(
        path=str(path), type="image/png", bytes=path.stat().st_size, width=size[0], height=size[1]
    )


def only(made: list[Any]) -> Output:
    assert [len(outputs) for outputs in made] == [1]
    output: Output = made[0][0]
    return output


def shown(output: Output) -> tuple[Image.Image, dict[str, str]]:
    """Return a picture and what it says of itself."""
    assert output.path is not None
    with Image.open(output.path) as opened:
        opened.load()
        assert opened.size == (output.width, output.height)
        return opened, {name: str(text) for name, text in getattr(opened, "text", {}).items()}


def film(output: Output) -> tuple[list[Any], dict[str, str], Any]:
    """Return a film's frames, its tags and its rate."""
    assert output.path is not None
    with av.open(output.path) as opened:
        assert [stream.type for stream in opened.streams] == ["video"]
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
        return frames, dict(opened.metadata), opened.streams.video[0].average_rate


@pytest.mark.parametrize("name", ["flux", "sd", "qwen", "z-image", "wan"])
def test_words_become_a_picture_of_the_size_asked_for(name: str, studio: Room) -> None:
    _, made = studio.run([studio.job(name, "text-to-image", (100, 70), seed=5)])
    drawn, said = shown(only(made))
    assert drawn.size == (100, 70)
    multiple = {"sd": 8}.get(name, 16)
    wide, high = (int(side) for side in said["Size drawn"].split("*"))
    assert (wide % multiple, high % multiple) == (0, 0)
    assert 0 <= wide - 100 < multiple
    assert 0 <= high - 70 < multiple
    assert said["Size asked"] == "100*70"
    assert said["Engine"] == "diffusers; substitute"
    assert (said["Model asked"], said["Weights"], said["Seed"]) == (name, name, "5")
    assert said["Steps"] == "3"
    assert float(said["Seconds a step"]) > 0
    assert said["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert "trainedAlgorithmicMedia" in said["XML:com.adobe.xmp"]


@pytest.mark.parametrize("name", ["wan", "wan-experts", "wan-ti2v", "ltx"])
def test_words_become_a_film(name: str, studio: Room) -> None:
    job = studio.job(name, "text-to-video", (100, 70), duration=1.0)
    _, made = studio.run([job])
    output = only(made)
    frames, said, rate = film(output)
    assert (output.width, output.height, output.seconds) == (100, 70, 1.0)
    assert (len(frames), rate, frames[0].shape) == (16, 16, (70, 100, 3))
    assert said["description"] == job.prompt
    assert f"Weights: {name}; " in said["comment"]
    assert "trainedAlgorithmicMedia" in said["comment"]


def test_a_film_has_the_rate_that_was_asked_for(studio: Room) -> None:
    job = studio.job("wan", "text-to-video", (64, 64), duration=1.0, fps=24)
    frames, _, rate = film(only(studio.run([job])[1]))
    assert (len(frames), rate) == (24, 24)


@pytest.mark.parametrize("name", ["wan-image", "wan-both", "wan-ti2v", "ltx"])
def test_a_picture_becomes_a_film_in_its_ratio(name: str, studio: Room, tmp_path: Path) -> None:
    given = {"img_url": [picture(tmp_path, (96, 48))]}
    job = studio.job(name, "image-to-video", (64, 64), duration=0.5, inputs=given)
    output = only(studio.run([job])[1])
    assert output.width / output.height == pytest.approx(2, rel=0.05)
    assert output.width * output.height == pytest.approx(64 * 64, rel=0.1)
    assert len(film(output)[0]) == 8


@pytest.mark.parametrize("name", ["wan-both", "wan-ends"])
def test_two_pictures_become_the_film_between_them(name: str, studio: Room, tmp_path: Path) -> None:
    first, last = picture(tmp_path, (64, 64), "a"), picture(tmp_path, (80, 64), "b")
    given = {"first_frame_url": [first], "last_frame_url": [last]}
    kind = "first-last-frame-to-video"
    job = studio.job(name, kind, (64, 64), duration=0.5, inputs=given)
    assert len(film(only(studio.run([job])[1]))[0]) == 8


def test_weights_without_a_sense_of_ends_refuse_a_last_picture(
    studio: Room, tmp_path: Path
) -> None:
    frames = {"first_frame": [picture(tmp_path)], "last_frame": [picture(tmp_path, name="b")]}
    job = studio.job("wan-image", "image-to-video", (64, 64), duration=0.5, inputs=frames)
    with pytest.raises(EngineRefusal, match="cannot do first-last-frame-to-video"):
        studio.run([job])


def test_what_is_to_appear_becomes_a_film(studio: Room, tmp_path: Path) -> None:
    given = {"ref_images_url": [picture(tmp_path, name=name) for name in "ab"]}
    job = studio.job("vace", "reference-to-video", (64, 64), duration=0.5, inputs=given)
    assert len(film(only(studio.run([job])[1]))[0]) == 8


@pytest.mark.parametrize("name", ["flux", "sd", "qwen", "z-image"])
def test_a_picture_is_painted_over_where_weights_only_draw(
    name: str, studio: Room, tmp_path: Path
) -> None:
    given = {"images": [picture(tmp_path, (96, 64))]}
    more = {"inputs": given, "fields": {"strength": 0.7}}
    _, made = studio.run([studio.job(name, "image-edit", (90, 60), **more)])
    assert shown(only(made))[0].size == (90, 60)


@pytest.mark.parametrize("name", ["flux", "sd"])
def test_a_picture_is_painted_over_by_one_step_at_least(
    name: str, studio: Room, tmp_path: Path
) -> None:
    asked = studio.job(
        name, "image-edit", (64, 64), inputs={"images": [picture(tmp_path, (64, 64))]},
        fields={"strength": 0.0},
    )  # fmt: skip
    assert shown(only(studio.run([asked])[1]))[1]["Steps"] == "1"


def test_each_of_several_pictures_has_its_own_seed(studio: Room) -> None:
    _, made = studio.run([studio.job("flux", "text-to-image", (64, 64), n=3, seed=7)])
    several = [shown(output)[1]["Seed"] for output in made[0]]
    assert several == ["7", "8", "9"]
    _, third = studio.run([studio.job("flux", "text-to-image", (64, 64), seed=9)])
    assert np.array_equal(np.asarray(shown(made[0][2])[0]), np.asarray(shown(only(third))[0]))


def test_a_mark_is_stamped_when_it_is_asked_for(studio: Room) -> None:
    pictures = []
    for fields in ({}, {"watermark": True}):
        job = studio.job("flux", "text-to-image", (256, 128), fields=fields)
        pictures.append(np.asarray(shown(only(studio.run([job])[1]))[0], dtype=int))
    changed = np.abs(pictures[0] - pictures[1]).max(axis=2) > 0
    assert changed[100:, 150:].any()
    assert not changed[:100].any()
    job = studio.job("wan", "text-to-video", (256, 128), duration=0.3, fields={"watermark": True})
    frames = film(only(studio.run([job])[1]))[0]
    assert frames[0][100:, 150:].max() > 200


def test_negative_words_change_what_is_drawn_and_stand_in_the_file(studio: Room) -> None:
    plain = studio.job("sd", "text-to-image", (64, 64))
    kept = studio.job("sd", "text-to-image", (64, 64), negative="people")
    one, other = (shown(only(studio.run([job])[1])) for job in (plain, kept))
    assert not np.array_equal(np.asarray(one[0]), np.asarray(other[0]))
    assert other[1]["Negative prompt"] == "people"
    unused = studio.job("z-image", "text-to-image", (64, 64), negative="people")
    said = shown(only(studio.run([unused])[1]))[1]
    assert said["Negative prompt"] == "not used by these weights"


@pytest.mark.parametrize(
    ("fields", "inputs", "why"),
    [
        ({"sound": True}, (), "make none"),
        ({"template": "squish"}, (), "template"),
        ({"style": "<watercolor>"}, (), "style"),
        ({}, ("audio_url",), "audio_url"),
        ({}, ("first_clip_url",), "first_clip_url"),
        ({"steps": 1000}, (), "steps"),
    ],
)
def test_what_the_weights_cannot_do_is_refused_not_left_out(
    fields: dict[str, Any], inputs: tuple[str, ...], why: str, studio: Room, tmp_path: Path
) -> None:
    given = {role: [picture(tmp_path)] for role in inputs}
    job = studio.job("wan", "text-to-video", (64, 64), duration=0.3, fields=fields, inputs=given)
    with pytest.raises(EngineRefusal, match=why) as refused:
        studio.run([job])
    assert refused.value.refusal == "InvalidParameter"


def test_a_model_whose_kind_its_weights_never_make_is_unfit_and_the_others_are_not(
    menu: dict[str, dict[str, Any]], open_room: Any
) -> None:
    room = open_room({"films": menu["flux"], "flux": menu["flux"]})
    with pytest.raises(EngineUnfit, match="FluxPipeline cannot do text-to-video"):
        room.run([room.job("films", "text-to-video", (64, 64), duration=0.3)])
    room.run([room.job("flux", "text-to-image", (64, 64))])
    assert set(room.unfit) == {"films"}
