"""From what a pipeline hands back to files: cut to size, marked, and with their facts."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from PIL import Image

from ferrotype.engines.diffusers import facts, films, mark
from ferrotype.engines.diffusers.canvas import Canvas, chosen
from ferrotype.engines.diffusers.mark import Pixels
from ferrotype.engines.diffusers.plan import Piece, Plan
from ferrotype.engines.diffusers.steps import Steps
from ferrotype.engines.diffusers.wish import Mode
from ferrotype.media import Output
from ferrotype.provenance import TRAINED, save_png


class Drawn(Struct, frozen=True):
    """One output as the pipeline made it: a picture, or a film's frames (float, F x C x H x W)."""

    piece: Piece
    picture: Any
    flagged: bool
    steps: int
    seconds_a_step: float | None


def unpack(result: Any, pieces: Sequence[Piece], steps: Steps) -> list[Drawn]:
    """Return a call's result piece by piece."""
    found = getattr(result, "images", None)
    if found is None:
        found = result.frames
    flags = getattr(result, "nsfw_content_detected", None) or [False] * len(pieces)
    return [
        Drawn(
            piece,
            picture[0] if isinstance(picture, list) else picture,
            bool(flag),
            steps.count,
            steps.seconds,
        )
        for piece, picture, flag in zip(pieces, found, flags, strict=True)
    ]


def write(drawn: Drawn, plan: Plan, folder: Path) -> Output:
    """Write one output into its job's folder. Raises `OSError`."""
    if drawn.flagged:
        message = "The weights' own safety check withheld this picture."
        return Output(error_code="DataInspectionFailed", error_message=message)
    return _film(drawn, plan, folder) if plan.wish.mode.films else _still(drawn, plan, folder)


def _still(drawn: Drawn, plan: Plan, folder: Path) -> Output:
    piece, picture = drawn.piece, drawn.picture.convert("RGB")
    canvas = Canvas(plan.canvas.asked, picture.size)
    picture = canvas.finish(picture)
    if _marked(plan, piece):
        pixels = np.array(picture)
        mark.stamp(pixels)
        picture = Image.fromarray(pixels)
    path = folder / f"{piece.i:02}.png"
    said = facts.facts(piece.job, plan.options, canvas, piece.seed, _told(drawn, plan))
    system = facts.system(piece.job, plan.options)
    save_png(picture, path, said, source=TRAINED, system=system)
    return Output(path=str(path), type="image/png", width=picture.width, height=picture.height)


def _film(drawn: Drawn, plan: Plan, folder: Path) -> Output:
    piece = drawn.piece
    high, wide = drawn.picture.shape[-2:]
    canvas = Canvas(plan.canvas.asked, (wide, high))
    said = facts.facts(piece.job, plan.options, canvas, piece.seed, _told(drawn, plan))
    path = folder / f"{piece.i:02}.mp4"

    def frames() -> Iterator[Pixels]:
        return _frames(drawn, plan, canvas)

    films.write(path, frames, canvas.asked, plan.fps, facts.tags(said), plan.options.codec)
    seconds = plan.shown / plan.fps
    width, height = canvas.asked
    return Output(path=str(path), type="video/mp4", width=width, height=height, seconds=seconds)


def _frames(drawn: Drawn, plan: Plan, canvas: Canvas) -> Iterator[Pixels]:
    """Yield the frames that are shown, cut to size."""
    marked = _marked(plan, drawn.piece)
    ends = plan.wish.mode is Mode.BETWEEN
    count = int(drawn.picture.shape[0])
    for k in chosen(count, plan.shown, plan.pace, to_the_end=ends):
        frame = (drawn.picture[k].float().clamp(0, 1) * 255).round().byte()
        pixels: Pixels = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())
        if not canvas.same:
            pixels = np.array(canvas.finish(Image.fromarray(pixels)))
        if marked:
            mark.stamp(pixels)
        yield pixels


def _marked(plan: Plan, piece: Piece) -> bool:
    return plan.options.watermark or bool(piece.job.fields.get("watermark"))


def _told(drawn: Drawn, plan: Plan) -> dict[str, object]:
    seconds, job = drawn.seconds_a_step, drawn.piece.job
    unused = bool(job.negative) and not plan.negates
    guidance = plan.takes.get("guidance_scale")
    own = guidance.default if guidance else None
    return {
        "Negative prompt": "not used by these weights" if unused else plan.negative(job) or None,
        "Steps": drawn.steps,
        "Guidance": own if plan.guidance is None else plan.guidance,
        "Frames drawn": plan.frames or None,
        "Seconds a step": None if seconds is None else f"{seconds:.3f}",
    }
