"""Remakes a part of a picture in another material: its forms kept, its surface new."""

from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from ferrotype.engines.illustrator.edits import looks, tones
from ferrotype.engines.illustrator.edits.instruction import tables
from ferrotype.engines.illustrator.styles import noise


def clad(picture: Image.Image, mask: Image.Image, name: str, seed: int) -> Image.Image:
    """Return the picture with what the mask shows made of a material of our tables."""
    recipe: dict[str, Any] = tables()["materials"][name]
    return Image.composite(
        tones.reduced(picture, lambda small: made(small, recipe, seed)), picture, mask
    )


def made(picture: Image.Image, recipe: dict[str, Any], seed: int) -> Image.Image:
    """Return the picture as if all of it were made by a recipe."""
    rng, unit = np.random.default_rng(seed), looks.unit_of(picture)
    smooth = looks.daubed(picture, 3 * unit)
    grey = ImageOps.autocontrast(smooth.convert("L"), cutoff=1)
    if recipe["crease"]:
        folds = ImageChops.add(noise(rng, picture.size, 40), noise(rng, picture.size, 13), 2)
        grey = Image.blend(grey, folds, recipe["crease"])
    if "grain" in recipe:
        fibres = looks.hatching(picture.size, rng, float(rng.uniform(80, 100)))
        grey = Image.blend(grey, ImageChops.overlay(grey, fibres), recipe["grain"])
    surface = tones.mapped(grey, [tones.rgb(colour) for colour in recipe["ramp"]])
    if "own" in recipe:
        lit = ImageChops.soft_light(smooth, grey.convert("RGB"))
        surface = Image.blend(surface, lit, recipe["own"])
    if "stitch" in recipe:
        surface = looks.lit(surface, stitches(picture.size, 11 * unit), recipe["stitch"])
    return looks.lit(surface, relief(grey, 1.6 * unit), recipe["gloss"])


def relief(grey: Image.Image, reach: float) -> Image.Image:
    """Return the slopes of a grey picture, lit from the upper left, around 128."""
    soft = np.asarray(grey.filter(ImageFilter.GaussianBlur(reach + 0.4)), np.int16)
    step = max(1, round(reach))
    lean = soft - np.roll(soft, (step, step), (0, 1))
    return Image.fromarray(np.clip(128 + lean, 0, 255).astype(np.uint8))


def stitches(size: tuple[int, int], pitch: float) -> Image.Image:
    """Return the relief of knitted rows around 128."""
    pitch = max(6.0, pitch)
    x = np.arange(size[0], dtype=np.float32)[None] / pitch
    y = np.arange(size[1], dtype=np.float32)[:, None] / pitch
    lean = np.abs(x % 1 - 0.5) * 1.6
    loop = np.cos((y * 1.5 + lean) * 2 * np.pi) * 62 - (np.abs(x * 2 % 1 - 0.5) > 0.4) * 70
    return Image.fromarray(np.clip(128 + loop, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(pitch / 14)
    )
