"""How one job's shape becomes a pipeline's call: what is drawn, and with which arguments."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from ferrotype.engines.diffusers import abilities
from ferrotype.engines.diffusers.canvas import Canvas, canvas_for, frames_for
from ferrotype.engines.diffusers.loader import Loaded
from ferrotype.engines.diffusers.options import Options
from ferrotype.engines.diffusers.tuning import CALLED
from ferrotype.engines.diffusers.wish import Mode, Wish, refusal
from ferrotype.media import File
from ferrotype.ports.engine import EngineRefusal, Job

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")


class Piece:
    """One output of a job: its i-th."""

    def __init__(self, job: Job, i: int) -> None:
        self.job = job
        self.i = i

    @property
    def seed(self) -> int:
        """The seed of this output alone."""
        return self.job.seed + self.i


class Plan:
    """What is to be made of a wish by a pipeline, as a recipe says. Raises `EngineRefusal`."""

    def __init__(self, job: Job, wish: Wish, options: Options, pipe: Any) -> None:
        self.wish = wish
        self.pipe = pipe
        self.options = options
        self.takes = abilities.parameters(pipe)
        multiple = options.multiple or abilities.multiple_of(pipe)
        self.canvas: Canvas = canvas_for(wish.size, multiple, options.max_pixels)
        self.fps = job.fps or options.fps
        self.shown = max(1, round(wish.seconds * self.fps)) if wish.mode.films else 0
        self.pace = options.fps / self.fps
        self.frames = self._frames()
        self.guidance = options.guidance if wish.guidance is None else wish.guidance
        self.steps: int = (
            wish.steps or options.steps or int(self.takes["num_inference_steps"].default)
        )
        self._pictures = [self._picture(file) for file in wish.files]

    def _frames(self) -> int:
        """Return how many frames are drawn: 0 where none are counted."""
        if not self.wish.mode.films:
            return 1 if "num_frames" in self.takes else 0
        step = self.options.frame_step or abilities.frame_step(self.pipe)
        needed = frames_for(math.ceil((self.shown - 1) * self.pace) + 1, step)
        most = self.options.max_frames
        if most is not None and needed > most:
            raise refusal(
                f"The weights that serve this model film {most / self.options.fps:.1f} s at most."
            )
        return needed

    @property
    def together(self) -> int:
        """How many outputs one call may make."""
        return self.options.batch if abilities.batches(self.pipe, self.wish.mode) else 1

    @property
    def negates(self) -> bool:
        """Whether a negative prompt has an effect."""
        if "negative_prompt" not in self.takes:
            return False
        if "true_cfg_scale" in self.takes:
            return self._true_cfg > 1
        return self.guidance is None or self.guidance > 1

    @property
    def _true_cfg(self) -> float:
        own = self.options.true_cfg
        return float(self.takes["true_cfg_scale"].default if own is None else own)

    def negative(self, job: Job) -> str:
        """Return what a job's picture is to be kept from."""
        return (job.negative or self.options.negative) if self.negates else ""

    def arguments(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """Return the arguments of the call that makes these outputs."""
        canvas, films = self.canvas, self.wish.mode.films
        alone = len(pieces) == 1
        seeds = [torch.Generator("cpu").manual_seed(piece.seed % 2**63) for piece in pieces]
        words = [piece.job.prompt for piece in pieces]
        found: dict[str, Any] = {
            "prompt": words[0] if alone else words,
            "generator": seeds[0] if alone else seeds,
            "width": canvas.drawn[0],
            "height": canvas.drawn[1],
            "output_type": "pt" if films else "pil",
        }
        if self.frames:
            found |= {"num_frames": self.frames, "frame_rate": self.options.fps}
        for option, parameter in CALLED.items():
            if (value := getattr(self.options, option)) is not None:
                found[parameter] = value
        found["num_inference_steps"] = self.steps
        if self.guidance is not None:
            found["guidance_scale"] = self.guidance
        found |= self._negatives(pieces) | self._given()
        return {name: value for name, value in found.items() if name in self.takes}

    def _negatives(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        if not self.negates:
            return {}
        words = [self.negative(piece.job) for piece in pieces]
        if "true_cfg_scale" in self.takes:
            words = [word or " " for word in words]  # without any they would not be guided
        elif not any(words):
            return {}
        return {"negative_prompt": words[0] if len(words) == 1 else words}

    def _given(self) -> dict[str, Any]:
        """Return the caller's pictures as this pipeline takes them."""
        match self.wish.mode:
            case Mode.EDIT:
                return self._to_change()
            case Mode.FIRST:
                return {"image": self._pictures[0]}
            case Mode.BETWEEN if "conditions" in self.takes:
                return {"conditions": self._conditions()}
            case Mode.BETWEEN:
                return {"image": self._pictures[0], "last_image": self._pictures[1]}
            case Mode.REFER:
                return {"reference_images": self._pictures}
        return {}

    def _to_change(self) -> dict[str, Any]:
        if type(self.pipe).__name__ in abilities.MANY:
            return {"image": self._pictures}
        if len(self._pictures) > 1:
            raise refusal("The weights that serve this model take one picture.")
        strength = self.options.strength if self.wish.strength is None else self.wish.strength
        image = {"image": self._pictures[0]}
        if strength is None:
            return image
        one = 1 / self.steps  # with no step at all pipelines fail
        least = one if one * self.steps >= 1 else math.nextafter(one, 1.0)
        return image | {"strength": max(least, strength)}

    def _conditions(self) -> list[Any]:
        from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

        ends = zip(self._pictures, (0, self.frames - 1), strict=True)
        return [LTXVideoCondition(image=picture, frame_index=at) for picture, at in ends]

    def _picture(self, file: File) -> Image.Image:
        """Open a file of ours; one that is drawn on from is brought to the size drawn."""
        with Image.open(file.path, formats=FORMATS) as opened:
            picture = opened.convert("RGB")
        repainted = self.wish.mode is Mode.EDIT and "strength" in self.takes
        if repainted or self.wish.mode in (Mode.FIRST, Mode.BETWEEN):
            return Canvas(self.canvas.drawn, picture.size).finish(picture)
        return picture


def choose(mode: Mode, loaded: Loaded) -> Any:
    """Return the pipeline that serves a mode. Raises `EngineRefusal` where there is none."""
    pipe = loaded.serves(mode)
    if pipe is None:
        raise EngineRefusal(
            "InvalidParameter", f"The weights that serve this model cannot do {mode.value}."
        )
    return pipe
