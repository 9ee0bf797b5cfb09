"""Turns a sketch into a coloured illustration, and sets a cartoon figure into a new scene."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from ferrotype.engines.illustrator import brushes, tones
from ferrotype.engines.illustrator.edits import collage, regions

Areas = NDArray[np.int64]
SIDE = 300
CRAYONS = ("#f2b5a0", "#f7d08a", "#a9cf9b", "#9cc7dd", "#c9b3dc", "#f3c6d3", "#b9d8c2", "#e6c79c")
SKY, LAND, SUN = "#cfe6f2", "#bcd99a", "#f9d97c"


def coloured(picture: Image.Image, colours: tuple[str, ...], seed: int) -> Image.Image:
    """Colour the areas that a sketch's lines enclose: first in the colours given."""
    rng = np.random.default_rng(seed)
    ink = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    areas = labelled(np.asarray(regions.small(ink.filter(ImageFilter.MinFilter(3)), SIDE)) > 150)
    tint = painted(areas, colours, rng)
    wash = tint.filter(ImageFilter.MaxFilter(3)).resize(picture.size, Image.Resampling.BICUBIC)
    wash = brushes.wobble(wash, rng, 5 * brushes.unit_of(picture))
    pigment = brushes.noise(rng, picture.size, 12).point([222 + v * 33 // 255 for v in range(256)])
    washed = brushes.inked(wash, pigment)
    return brushes.inked(washed, tones.curve(ink, (0, 34), (120, 60), (225, 255), (255, 255)))


def labelled(open_: NDArray[np.bool_]) -> Areas:
    """Number the areas of open paper: each pixel takes the least number it is joined to."""
    h, w = open_.shape
    labels = np.where(open_, np.arange(h * w).reshape(h, w), h * w)
    for _ in range(60):
        before = labels.copy()
        for axis in (0, 1):
            for turn in (1, -1):
                view = labels[::turn] if axis == 0 else labels.T[::turn]
                gate = open_[::turn] if axis == 0 else open_.T[::turn]
                for k in range(1, len(view)):
                    np.minimum(view[k], view[k - 1], out=view[k], where=gate[k] & gate[k - 1])
        if (labels == before).all():
            break
    return labels


def painted(areas: Areas, colours: tuple[str, ...], rng: np.random.Generator) -> Image.Image:
    """Give each area a colour that suits its place and size."""
    h, w = areas.shape
    out = np.full((h, w, 3), 255, np.uint8)
    numbers, first, counts = np.unique(areas, return_index=True, return_counts=True)
    shades = [tones.rgb(c) for c in (*colours, *(str(c) for c in rng.permutation(CRAYONS)))]
    used = 0
    for number, start, count in zip(numbers, first, counts, strict=True):
        if number == h * w or count < 12:
            continue
        here = areas == number
        ys, xs = np.nonzero(here)
        if count > 0.14 * h * w and (start < w or ys.min() < 2):
            out[here] = tones.rgb(SKY)
        elif count > 0.1 * h * w and ys.max() > h - 3:
            out[here] = tones.rgb(LAND)
        elif not colours and ys.max() < 0.4 * h and disc(ys, xs, int(count)):
            out[here] = tones.rgb(SUN)
        else:
            out[here] = shades[used % len(shades)]
            used += 1
    return Image.fromarray(out)


def disc(ys: NDArray[np.intp], xs: NDArray[np.intp], count: int) -> bool:
    """Say whether an area is about a disc."""
    high, wide = np.ptp(ys) + 1, np.ptp(xs) + 1
    return bool(0.7 < high / wide < 1.4 and 0.7 < count / (high * wide) < 0.88)


def figure(picture: Image.Image, scene: Image.Image | None, seed: int) -> Image.Image | None:
    """Set the cartoon figure of a picture with a plain ground into a scene; None if it has none."""
    if collage.cutout(picture) is None:
        return None
    rng = np.random.default_rng(seed)
    if scene is None:
        view = np.asarray(regions.small(brushes.daubed(picture, 2), 64), np.float32).reshape(-1, 3)
        dye = view[np.argsort(np.ptp(view, axis=1))[-6:]].mean(0)
        wall, floor = (tinted(dye, part) for part in (0.3, 0.2))
        scene = tones.ramp(picture.size, ((0, wall), (0.72, floor), (0.74, wall), (1, floor)))
        scene = tones.vignette(scene, 0.3)
    at = float(rng.uniform(0.36, 0.64)), float(rng.uniform(0.93, 0.97))
    return collage.placed(scene, picture, float(rng.uniform(0.62, 0.74)), at)


def tinted(colour: NDArray[np.float32], part: float) -> tones.RGB:
    """Return a pale tint of the colour opposite to one."""
    b, g, r = (255 - int(part * (255 - v)) for v in colour)
    return r, g, b
