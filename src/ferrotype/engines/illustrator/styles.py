"""Styles laid over drawings and callers' pictures: paint, pencil, ink, pixels, print.

Each goes by its seed. "flat" is a drawing as it is.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from ferrotype.engines.illustrator import tones
from ferrotype.engines.illustrator.brushes import (
    border,
    bristles,
    contours,
    daubed,
    grey3,
    hatching,
    inked,
    lit,
    noise,
    outlines,
    relief,
    tooth,
    unit_of,
    wobble,
)

Look = Callable[[Image.Image, np.random.Generator], Image.Image]
LEAST = 16  # pixels of a side that a style can be laid on
CALM = 110_000  # pixels: larger drawings get their style at a size that grows more slowly
CELLS = 118  # large pixels to the side of a square picture
PAPER = (252, 249, 242)
GOLD = ((38, 20, 8), (120, 72, 20), (196, 140, 48), (240, 205, 110), (255, 248, 214))


def watercolour(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A wash: soft edges that darken, uneven pigment, paper that shows."""
    size, unit = picture.size, min(picture.size) / 1000
    clear = tones.vivid(tones.curve(picture, (0, 18), (128, 142), (255, 255)), 1.22)
    wash = wobble(clear, rng, 3.0 * unit)
    half = wash.reduce(2)
    pooled = half.filter(ImageFilter.MedianFilter(3)).resize(size, Image.Resampling.BICUBIC)
    wash = Image.blend(wash, pooled, 0.6)
    soft = half.filter(ImageFilter.BoxBlur(max(1, 2.6 * unit)))
    soft = soft.resize(size, Image.Resampling.BILINEAR)
    wash = ImageChops.subtract(wash, ImageChops.subtract(soft, wash, 1.1))
    pigment = ImageChops.add(noise(rng, size, 6), noise(rng, size, 40), 2)
    deep = grey3(pigment.point([min(255, 226 + v * 40 // 255) for v in range(256)]))
    bare = grey3(pigment.point([12 + v * 26 // 255 for v in range(256)]))
    wash = ImageChops.screen(ImageChops.multiply(wash, deep), bare)
    return Image.composite(wash, Image.new("RGB", size, PAPER), border(rng, size))


def oil(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Thick paint with the marks of the brush."""
    loose = wobble(picture, rng, 2.4 * unit_of(picture))
    painted = tones.vivid(tones.curve(loose, (0, 6), (70, 64), (190, 200), (255, 250)), 1.25)
    return lit(painted, bristles(picture, rng), 0.42 * min(1.0, unit_of(picture)) ** 0.5)


def pencil(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Graphite: contours, a smudge of tone and two layers of hatching on white paper."""
    unit, grey = unit_of(picture), ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    soft = grey.filter(ImageFilter.BoxBlur(4 * unit + 0.5))
    lines = contours(wobble(picture, rng, 1.5 * unit), 1.0 * unit + 0.4, 0.95)
    sheet = ImageChops.multiply(lines, tones.curve(soft, (0, 150), (120, 214), (230, 255)))
    angle = float(rng.uniform(35, 60))
    for turn, start in ((angle, 196), (angle + 62, 104)):
        dark = tones.curve(soft, (0, 255), (start, 0), (255, 0))
        strokes = ImageChops.subtract(dark, hatching(picture.size, rng, turn), 2.4)
        sheet = ImageChops.subtract(sheet, strokes)
    drawn = tones.curve(sheet, (0, 34), (255, 255))
    return tones.through(drawn.convert("RGB"), (250, 248, 243))


def crayon(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Coloured pencils: the picture's colours in the strokes of a drawing."""
    colour = tones.vivid(tones.curve(picture, (0, 60), (255, 255)), 1.35)
    strokes = tones.curve(hatching(picture.size, rng, 48), (0, 0), (255, 64))
    lines = outlines(picture, 1.1 * unit_of(picture) + 0.4, 0.6)
    return inked(ImageChops.screen(colour, grey3(strokes)), tones.curve(lines, (0, 60), (255, 255)))


def ink(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brush and ink: pale grey washes that bleed, dark strokes, a trace of colour, rice paper."""
    unit = unit_of(picture)
    wash = wobble(picture, rng, 4.5 * unit)
    grey = ImageOps.autocontrast(wash.convert("L"), cutoff=2)
    level = float(np.clip(np.asarray(grey.reduce(8)).mean() / 255, 0.08, 0.9))
    lift = float(np.clip(np.log(0.78) / np.log(level), 0.25, 1.2))  # ink leaves most paper bare
    washes = grey.point([round(255 * (v / 255) ** lift) for v in range(256)])
    bled = Image.blend(washes, washes.filter(ImageFilter.BoxBlur(9 * unit)), 0.45)
    bled = tones.curve(bled, (0, 34), (70, 92), (150, 190), (210, 246), (255, 255))
    pigment = noise(rng, picture.size, 9).point([234 + v * 21 // 255 for v in range(256)])
    drawn = ImageChops.multiply(bled, pigment)
    drawn = ImageChops.multiply(drawn, contours(wash, 1.5 * unit + 0.6, 0.62))
    tint = tones.vivid(tones.curve(wash, (0, 120), (255, 255)), 2.2)
    faint = ImageChops.multiply(grey3(drawn), tint)
    painted = Image.blend(grey3(drawn), faint, 0.36)
    edge = border(rng, picture.size).filter(ImageFilter.BoxBlur(22 * unit))
    bare = Image.new("RGB", picture.size, "#ffffff")
    return tones.through(Image.composite(painted, bare, edge), (248, 243, 230))


def pixel(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Large square pixels in few colours."""
    cell = max(1, round(unit_of(picture) * 1000 / (CELLS + int(rng.integers(-14, 15)))))
    left, top = rng.integers(0, cell, 2).tolist()
    w, h = -(-(picture.width + left) // cell), -(-(picture.height + top) // cell)
    small = tones.vivid(picture.resize((w, h), Image.Resampling.BOX), 1.2)
    few = small.quantize(40, Image.Quantize.MAXCOVERAGE, 5, dither=Image.Dither.NONE)
    large = few.convert("RGB").resize((w * cell, h * cell), Image.Resampling.NEAREST)
    return large.crop((left, top, left + picture.width, top + picture.height))


def cartoon(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Flat bright areas within dark contours."""
    unit, steps = unit_of(picture), int(rng.integers(6, 9))
    bands = [int(255 * min(1.0, (v * steps // 256 + 0.62) / (steps - 0.2))) for v in range(256)]
    y, cb, cr = picture.convert("YCbCr").split()
    stepped = Image.blend(y, y.point(bands), 0.6)
    life = float(rng.uniform(1.3, 1.55))
    bright = tones.vivid(Image.merge("YCbCr", (stepped, cb, cr)).convert("RGB"), life)
    return inked(bright, outlines(picture, 1.3 * unit + 0.5, 1.0))


def anime(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Clear light colours, thin contours, bright air."""
    unit = unit_of(picture)
    clear = tones.vivid(tones.curve(picture, (0, 26), (96, 118), (200, 226), (255, 255)), 1.4)
    air = tones.through(clear, [(248, 252, 255), (255, 251, 246), (250, 255, 250)][rng.integers(3)])
    return inked(tones.glow(air, 26 * unit, 170, 0.4), outlines(picture, 0.9 * unit + 0.4, 0.55))


def book(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A picture book: pale washes and a loose pen line on warm paper."""
    unit = unit_of(picture)
    loose = wobble(picture, rng, 4 * unit)
    pen = tones.curve(outlines(loose, 1.1 * unit + 0.5, 0.9), (0, 50), (255, 255))
    pale = tones.curve(loose, (0, 40), (110, 148), (255, 255))
    return tones.through(watercolour(inked(pale, pen), rng), (255, 250, 240))


def gold(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Beaten gold leaf: the picture as a relief in gold."""
    unit, size = unit_of(picture), picture.size
    grey = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    crinkle = ImageChops.add(noise(rng, size, 60), noise(rng, size, 17), 2)
    leaf = tones.mapped(Image.blend(grey, crinkle, 0.22), GOLD)
    return lit(leaf, relief(grey, 2 * unit), 0.8)


def grey(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Black and white, with full blacks and the reds a little lighter."""
    mix = [(0.38, 0.47, 0.15), (0.3, 0.59, 0.11), (0.5, 0.4, 0.1), (0.22, 0.5, 0.28)][
        rng.integers(4)
    ]
    mono = ImageOps.autocontrast(picture.convert("L", (*mix, 0)), cutoff=0.4)
    return tones.curve(mono, (0, 0), (64, 56), (192, 202), (255, 255)).convert("RGB")


def vintage(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An old print: faded blacks, warm paper, darker corners."""
    faded = tones.vivid(tones.curve(picture, (0, 34), (128, 132), (255, 236)), 0.62)
    warm = int(rng.integers(196, 220))
    return tones.vignette(tones.through(faded, (255, 238, warm)), 0.55)


# each style, and how large the dabs are (in thousandths) that a photo is first painted in
LOOKS: dict[str, tuple[Look, float]] = {
    "watercolour": (watercolour, 0), "oil": (oil, 6.5), "pencil": (pencil, 3),
    "coloured pencil": (crayon, 3), "ink": (ink, 7), "pixel": (pixel, 0), "cartoon": (cartoon, 5),
    "anime": (anime, 3.5), "picture book": (book, 0), "gold leaf": (gold, 3),
    "black and white": (grey, 0), "vintage": (vintage, 0),
}  # fmt: skip
FRAMED = ("watercolour", "ink", "picture book")  # ends short of the paper's edge
ON_PAPER = ("watercolour", "pencil", "ink", "coloured pencil", "picture book")


def sketched(style: str, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size to draw at for a style: a large wash needs fewer pixels than a print."""
    if style not in (*ON_PAPER, "oil", "anime"):
        return size
    scale = min(1.0, (CALM / (size[0] * size[1])) ** 0.1)
    scale = min(1.0, max(scale, 256 / min(size)))
    return round(size[0] * scale), round(size[1] * scale)


def apply(picture: Image.Image, style: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """Return a drawing in a style and at a size; "flat" leaves it as it is."""
    if style not in LOOKS:
        return picture
    made = LOOKS[style][0](picture, np.random.default_rng(seed))
    if made.size != size:
        made = made.resize(size, Image.Resampling.BICUBIC)
    return on_paper(made, style)


def on_paper(made: Image.Image, style: str) -> Image.Image:
    """Let the tooth of the paper show, in styles that have paper."""
    return inked(made, tooth(made.size)) if style in ON_PAPER else made


def restyled(picture: Image.Image, style: str, seed: int, strength: float = 1.0) -> Image.Image:
    """Return a caller's picture in a style, at a strength from 0 (hardly) to 1."""
    room = max(picture.width, LEAST), max(picture.height, LEAST)
    sheet = picture if picture.size == room else picture.resize(room)
    look, dab = LOOKS[style]

    def work(small: Image.Image) -> Image.Image:
        dabs = daubed(small, dab * unit_of(small)) if dab else small
        return on_paper(look(dabs, np.random.default_rng(seed)), style)

    drawn = tones.reduced(sheet, work)
    drawn = drawn if sheet is picture else drawn.resize(picture.size)
    return drawn if strength >= 1 else Image.blend(picture, drawn, 0.2 + 0.8 * strength)
