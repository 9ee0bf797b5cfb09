"""What a pipeline can do, read off its class and configuration."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

from ferrotype.engines.diffusers.wish import Mode

MANY = ("QwenImageEditPlusPipeline", "Flux2Pipeline", "Flux2KleinPipeline")  # pictures at once
INSTRUCTED = ("Edit", "Kontext")  # in the names of classes that need a picture to change
REPAINTING = ("Img2Img",)
ALONE = ("WanVACEPipeline", "LTXConditionPipeline")  # make one film a call
CHECKED = {"Wan": 16, "LTX": 32}  # what sides must be multiples of, whatever the VAE
STILLS = ("WanPipeline",)  # make a picture of a film of one frame


def parameters(pipe: Any) -> Mapping[str, inspect.Parameter]:
    """Return what a call of a pipeline takes, by name."""
    return inspect.signature(type(pipe).__call__).parameters


def modes(pipe: Any) -> frozenset[Mode]:
    """Say what a pipeline can do as it is."""
    takes, name = parameters(pipe), type(pipe).__name__
    if "callback_on_step_end" not in takes or "prompt" not in takes or "Inpaint" in name:
        return frozenset()
    if "num_frames" in takes:
        return _film_modes(pipe, takes, name)
    needs = any(word in name for word in (*INSTRUCTED, *REPAINTING))
    found = set() if needs else {Mode.DRAW}
    return frozenset(found | ({Mode.EDIT} if "image" in takes else set()))


def _film_modes(pipe: Any, takes: Mapping[str, inspect.Parameter], name: str) -> frozenset[Mode]:
    found = set()
    if "ImageToVideo" not in name and "Animate" not in name and "VideoToVideo" not in name:
        found.add(Mode.FILM)
    one, two = _pictures(pipe)
    if "image" in takes and one:
        found.add(Mode.FIRST)
    if ("last_image" in takes and two) or "conditions" in takes:
        found.add(Mode.BETWEEN)
    if "reference_images" in takes:
        found.add(Mode.REFER)
    if name in STILLS:
        found.add(Mode.DRAW)
    return frozenset(found)


def _pictures(pipe: Any) -> tuple[bool, bool]:
    """Tell whether the weights film on from one picture, and between two."""
    if getattr(pipe.config, "expand_timesteps", False):
        return True, False
    config = getattr(backbone(pipe), "config", None)
    if getattr(config, "image_dim", None) is None:  # pictures are not looked at apart
        return True, True
    ends = getattr(config, "pos_embed_seq_len", None) is not None
    return not ends, ends


def backbone(pipe: Any) -> Any:
    """Return the network that draws."""
    names = ("transformer", "unet", "transformer_2", "prior")
    return next((part for name in names if (part := getattr(pipe, name, None)) is not None), None)


def batches(pipe: Any, mode: Mode) -> bool:
    """Tell whether one call may make several outputs."""
    return mode in (Mode.DRAW, Mode.FILM) and type(pipe).__name__ not in ALONE


def multiple_of(pipe: Any) -> int:
    """Return what the sides of what a pipeline draws must be multiples of."""
    spatial = _first(
        pipe, "vae_scale_factor_spatial", "vae_spatial_compression_ratio", "vae_scale_factor"
    )
    patch = getattr(getattr(backbone(pipe), "config", None), "patch_size", 1)
    side = patch[-1] if isinstance(patch, list | tuple) else patch
    processor = _first(pipe, "image_processor", "video_processor")
    config = getattr(processor, "config", None)
    least = getattr(config, "vae_scale_factor", 1) or 1
    own = (spatial or 8) * (side if isinstance(side, int) else 1)
    name = type(pipe).__name__
    checked = next((n for family, n in CHECKED.items() if name.startswith(family)), 1)
    return math.lcm(own, least, checked)


def frame_step(pipe: Any) -> int:
    """Return what a pipeline's number of frames, less one, must be a multiple of."""
    return _first(pipe, "vae_scale_factor_temporal", "vae_temporal_compression_ratio") or 4


def _first(pipe: Any, *names: str) -> Any:
    return next((value for name in names if (value := getattr(pipe, name, None))), None)
