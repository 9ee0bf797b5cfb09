"""Makes a picture larger, gives a grey one colour, and takes a mark out of a corner."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from ferrotype.engines.illustrator import tones
from ferrotype.engines.illustrator.brushes import noise
from ferrotype.engines.illustrator.edits import regions
from ferrotype.engines.illustrator.edits.fill import fill

STRIP = 160  # source rows that are enlarged at once
Corner = tuple[int, int, int, int]


def enlarge(picture: Image.Image, size: tuple[int, int], seed: int) -> Image.Image:
    """Return the picture at a larger size: sharp, and never beyond the tones around a pixel."""
    out = Image.new("RGB", size)
    w, h = picture.size
    for top in range(0, h, STRIP):
        first, last = max(0, top - 8), min(h, top + STRIP + 8)
        part = picture.crop((0, first, w, last))
        y0, y1 = (round(edge * size[1] / h) for edge in (first, last))
        start, stop = (round(min(h, edge) * size[1] / h) for edge in (top, top + STRIP))
        big = magnified(part, (size[0], y1 - y0), 0.7 + 0.1 * (seed % 4))
        out.paste(big.crop((0, start - y0, size[0], stop - y0)), (0, start))
    return out


def magnified(part: Image.Image, size: tuple[int, int], power: float) -> Image.Image:
    """Enlarge by Lanczos, put back what that lost, sharpen within the range of the neighbours."""
    factor = size[0] / part.width
    big = part.resize(size, Image.Resampling.LANCZOS)
    again = big.resize(part.size, Image.Resampling.BOX)
    for sign, lost in (
        (ImageChops.add, ImageChops.subtract(part, again)),
        (ImageChops.subtract, ImageChops.subtract(again, part)),
    ):
        big = sign(big, lost.resize(size, Image.Resampling.BICUBIC))
    sharp = big.filter(ImageFilter.UnsharpMask(0.55 * factor, round(100 * power), 2))
    darkest, lightest = (
        part.filter(rank).resize(size, 2)
        for rank in (ImageFilter.MinFilter(3), ImageFilter.MaxFilter(3))
    )
    return ImageChops.darker(ImageChops.lighter(sharp, darkest), lightest)


def greyness(picture: Image.Image) -> bool:
    """Say whether a picture has next to no colour."""
    return bool(np.asarray(regions.small(picture, 128).convert("HSV"))[..., 1].mean() < 26)


def colourise(picture: Image.Image, named: tuple[tuple[str, str], ...], seed: int) -> Image.Image:
    """Colour a grey picture as tones and places suggest, then by (region, colour) pairs."""
    rng = np.random.default_rng(seed)
    grey = picture.convert("L").convert("RGB")
    shift = int(rng.integers(-10, 11))
    warm = tones.mapped(
        grey,
        (
            (26, 22, 34),
            (86, 62, 58 + shift),
            (168 + shift // 2, 132, 106),
            (222, 198, 170 - shift),
            (252, 247, 238),
        ),
    )
    cool = tones.mapped(
        grey, ((22, 24, 34), (62, 72, 84), (126, 138, 142), (196, 205, 206), (250, 250, 246))
    )
    spots = noise(rng, picture.size, 5)
    base = Image.composite(
        warm, Image.blend(warm, cool, 0.65), spots.point([60 + v * 140 // 255 for v in range(256)])
    )
    base = outdoors(base, grey, {region for region, _ in named}, rng)
    for region, colour in named:
        place = regions.find(base if region == "green" else grey, region)
        base = tones.recolour(base, place or regions.subject(grey), colour, 0.85)
    return Image.merge("YCbCr", (grey.getchannel(0), *base.convert("YCbCr").split()[1:])).convert(
        "RGB"
    )


def outdoors(
    base: Image.Image, grey: Image.Image, given: set[str], rng: np.random.Generator
) -> Image.Image:
    """Make the sky blue and the land green, where there are some and nothing else was asked for."""
    sky = regions.sky(grey)
    if sky is None:
        return base
    if "sky" not in given:
        base = tones.recolour(base, sky, ["#6fa3d8", "#7fb0dd", "#8aa9d6"][rng.integers(3)], 0.8)
    if given & {"ground", "green"}:
        return base
    middling = tones.curve(grey.convert("L"), (40, 0), (84, 255), (176, 255), (220, 0))
    land = ImageChops.multiply(ImageChops.invert(sky), middling.filter(ImageFilter.GaussianBlur(3)))
    land = ImageChops.multiply(land, regions.lower(grey.size))
    return tones.recolour(base, land, ["#6d8f4a", "#7a8c48", "#5f8a52"][rng.integers(3)], 0.75)


def unmarked(picture: Image.Image, seed: int) -> tuple[Image.Image, str]:
    """Take light lettering out of a corner, if there is some for certain; say where."""
    for name, corner in corners(picture.size).items():
        part = picture.crop(corner)
        small = part.reduce(-(-part.width // 450))  # marks of large pictures are large
        strokes = lettering(small)
        if strokes is not None:
            mask = Image.new("L", picture.size)
            mask.paste(strokes.resize(part.size), corner[:2])
            return fill(picture, mask, seed), name
    return picture, ""


def corners(size: tuple[int, int]) -> dict[str, Corner]:
    """Return the boxes in which marks are looked for."""
    w, h = size
    wide, high = max(1, round(w * 0.36)), max(1, round(h * 0.12))
    return {
        "lower right": (w - wide, h - high, w, h), "lower left": (0, h - high, wide, h),
    }  # fmt: skip


def lettering(part: Image.Image) -> Image.Image | None:
    """Return the mask of one line of light colourless strokes on a calmer ground, or None."""
    stroke = max(3, min(part.size) // 12 * 2 + 1)
    grey = part.convert("L")
    ground = grey.filter(ImageFilter.MinFilter(stroke)).filter(ImageFilter.MaxFilter(stroke))
    plain = part.convert("HSV").getchannel(1).point([255 if v < 70 else 0 for v in range(256)])
    found = np.asarray(ImageChops.multiply(ImageChops.subtract(grey, ground), plain)) > 34
    band = line_of(found)
    if band is None:
        return None
    line = found[band]
    columns = np.flatnonzero(line.any(0))
    inked = line[:, columns[0] : columns[-1] + 1]
    letters = int((np.diff(inked.any(0).astype(np.int8)) == 1).sum())
    if letters < 4 or inked.shape[1] < 3 * inked.shape[0] or not 0.1 < inked.mean() < 0.5:
        return None
    core, peak = np.percentile(np.asarray(grey)[band][line], (55, 95))
    if peak - core > 16:  # letters are of one tone, leaves and stones are not
        return None
    mask = np.zeros(found.shape, np.uint8)
    mask[band][line] = 255
    return Image.fromarray(mask).filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.MaxFilter(3))


def line_of(found: NDArray[np.bool_]) -> slice | None:
    """Return the rows of one line of lettering, if most of what was found lies in one."""
    count = found.sum(1).astype(np.float32)
    if count.max() < 0.03 * found.shape[1]:
        return None
    full = count > 0.16 * count.max()
    top = bottom = int(count.argmax())
    while top > 0 and full[max(0, top - 2) : top].any():
        top -= 1
    while bottom < len(full) - 1 and full[bottom + 1 : bottom + 3].any():
        bottom += 1
    inside = count[top : bottom + 1]
    outside = (count.sum() - inside.sum()) / max(1, len(count) - len(inside))
    if not 6 <= len(inside) <= 0.55 * len(count) or outside > 0.3 * inside.mean():
        return None
    return slice(top, bottom + 1)
