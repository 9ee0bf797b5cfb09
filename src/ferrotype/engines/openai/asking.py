"""What a job comes to in the server's words."""

import math
from typing import Any

from msgspec import Struct

from ferrotype.engines.openai.options import Options
from ferrotype.media import File
from ferrotype.ports.engine import EngineRefusal, Job

EDITED = ("images", "base_image_url")  # roles whose pictures are edited
FIRST = ("first_frame", "img_url")  # roles of a film's first picture
KINDS = {
    "text-to-image": (),
    "image-edit": EDITED,
    "text-to-video": FIRST,
    "image-to-video": FIRST,
}
SECONDS = 5.0  # where the caller leaves the length open
LONGEST_RATIO = 8.0


class Wanted(Struct, frozen=True, kw_only=True):
    """What to ask for, and what must come of it.

    `fields` lack the seed alone. `size` in pixels is what was asked for; that in `fields` is what
    the server can make. `files` are the pictures to edit, or the film's first.
    """

    film: bool
    size: tuple[int, int]
    seconds: float | None
    files: tuple[File, ...]
    fields: dict[str, Any]


def read(job: Job, options: Options) -> Wanted:
    """Say what a job asks of the server. Raises `EngineRefusal` for what no such server does."""
    _refuse(job)
    film = job.kind.endswith("video")
    files = tuple(file for role in KINDS[job.kind] for file in job.inputs.get(role, ()))
    size = _size(job, files, film)
    fields: dict[str, Any] = {
        "prompt": job.prompt,
        "size": "x".join(map(str, _snap(size, options))),
    }
    fields |= _film(job, options) if film else _picture()
    given = {
        "model": options.model or None,
        "negative_prompt": job.negative or None,
        "num_inference_steps": job.fields.get("steps", options.steps),
        "guidance_scale": job.fields.get("guidance", job.fields.get("scale", options.guidance)),
    }
    fields |= {name: value for name, value in given.items() if value is not None} | options.extra
    seconds = _seconds(job) if film else None
    return Wanted(film=film, size=size, seconds=seconds, files=files, fields=fields)


def _refuse(job: Job) -> None:
    if job.kind not in KINDS:
        raise _no(f"The server of this model does not do {job.kind}.")
    for role in job.inputs:
        if job.inputs[role] and role not in KINDS[job.kind]:
            raise _no(f"The server of this model takes no {role}: leave it out.")
    if job.kind in ("image-edit", "image-to-video") and not any(job.inputs.values()):
        raise _no("A picture is needed.")
    if job.fields.get("function", "description_edit") != "description_edit":
        raise _no("The server of this model edits by description alone: function is not served.")
    if job.fields.get("watermark"):
        raise _no("The server of this model sets no watermark: send watermark = false.")


def _no(message: str) -> EngineRefusal:
    return EngineRefusal("InvalidParameter", message)


def _size(job: Job, files: tuple[File, ...], film: bool) -> tuple[int, int]:
    """Return the job's size, or its area in the ratio of the picture that it is to follow."""
    width, height = job.size
    follows = job.kind == "image-to-video" or "size_follows" in job.fields
    if files and follows:
        led = files[0] if film else files[-1]
        ratio = min(LONGEST_RATIO, max(1 / LONGEST_RATIO, led.width / led.height))
        wide = math.sqrt(width * height * ratio)
        width, height = round(wide), round(wide / ratio)
    return (width // 2 * 2, height // 2 * 2) if film else (width, height)


def _snap(size: tuple[int, int], options: Options) -> tuple[int, int]:
    """Round both sides up to what the server's model makes."""
    width, height = (math.ceil(side / options.multiple) * options.multiple for side in size)
    return width, height


def _picture() -> dict[str, Any]:
    return {"n": 1, "response_format": "b64_json", "output_format": "png"}


def _seconds(job: Job) -> float:
    return job.duration if job.duration and job.duration > 0 else SECONDS


def _film(job: Job, options: Options) -> dict[str, Any]:
    """Say a film's length in frames; in whole seconds too, as the API has it."""
    fps, step, seconds = job.fps or options.fps, options.frames, _seconds(job)
    count = math.ceil((round(seconds * fps) - 1) / step) * step + 1
    return {"fps": fps, "num_frames": count, "seconds": str(max(1, math.floor(seconds)))}
