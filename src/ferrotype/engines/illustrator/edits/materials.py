"""Remakes a part of a picture in another material: its forms kept, its surface new."""

from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageOps

from ferrotype.engines.illustrator import tones
from ferrotype.engines.illustrator.brushes import daubed, lit, noise, relief, unit_of
from ferrotype.engines.illustrator.edits.instruction import tables


def clad(picture: Image.Image, mask: Image.Image, name: str, seed: int) -> Image.Image:
    """Return the picture with what the mask shows made of a material of our tables."""
    recipe: dict[str, Any] = tables()["materials"][name]

    def work(small: Image.Image) -> Image.Image:
        rng, unit = np.random.default_rng(seed), unit_of(small)
        smooth = daubed(small, 3 * unit)
        grey = ImageOps.autocontrast(smooth.convert("L"), cutoff=1)
        folds = ImageChops.add(noise(rng, small.size, 40), noise(rng, small.size, 13), 2)
        grey = Image.blend(grey, folds, recipe["crease"])
        surface = tones.mapped(grey, [tones.rgb(colour) for colour in recipe["ramp"]])
        return lit(surface, relief(grey, 1.6 * unit), recipe["gloss"])

    return Image.composite(tones.reduced(picture, work), picture, mask)
