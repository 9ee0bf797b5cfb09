"""Looks laid over a caller's picture: paint, pencil, ink, pixels, print. Each goes by its seed."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps

from ferrotype.engines.illustrator import styles
from ferrotype.engines.illustrator.edits import tones

Look = Callable[[Image.Image, np.random.Generator], Image.Image]
Grey = NDArray[np.uint8]
LEAST = 16  # pixels of a side that a look can be drawn on
GOLD = ((38, 20, 8), (120, 72, 20), (196, 140, 48), (240, 205, 110), (255, 248, 214))


def packed(picture: Image.Image) -> NDArray[np.uint32]:
    """Return the pixels as one number each: a third of the work to move about."""
    return np.asarray(picture.convert("RGBX")).view(np.uint32)[..., 0]


def unpacked(pixels: NDArray[np.uint32]) -> Image.Image:
    """Return packed pixels as a picture."""
    size = pixels.shape[1], pixels.shape[0]
    return Image.frombuffer("RGBX", size, pixels.tobytes(), "raw", "RGBX", 0, 1).convert("RGB")


def daubed(picture: Image.Image, reach: float) -> Image.Image:
    """Give each pixel the mean of the calmest of eight neighbourhoods: flat dabs, sharp edges.

    What would be lost entirely, as thin strokes and letters are, is kept as it was.
    """
    r = max(1, round(reach))
    blur = ImageFilter.BoxBlur(r * 0.7)
    grey = picture.convert("L")
    rough = ImageChops.difference(grey, grey.filter(blur)).filter(blur)
    mean = np.pad(packed(picture.filter(blur)), r, mode="edge")
    noise = np.pad(np.asarray(rough), r, mode="edge")
    h, w = picture.height, picture.width
    best, calm = None, None
    d = round(r * 0.7)
    for dy, dx in ((-r, 0), (r, 0), (0, -r), (0, r), (-d, -d), (-d, d), (d, -d), (d, d)):
        at = np.s_[r + dy : r + dy + h, r + dx : r + dx + w]
        if best is None or calm is None:
            best, calm = mean[at].copy(), noise[at].copy()
            continue
        calmer = noise[at] < calm
        np.copyto(best, mean[at], where=calmer)
        np.copyto(calm, noise[at], where=calmer)
    assert best is not None
    flat = unpacked(best)
    fine = ImageChops.difference(grey, flat.convert("L")).filter(ImageFilter.MaxFilter(3))
    return Image.composite(picture, flat, tones.curve(fine, (0, 0), (34, 0), (64, 235), (255, 235)))


def outlines(picture: Image.Image, thick: float, power: float = 1.0) -> Image.Image:
    """Return the picture's edges as dark lines on white."""
    grey = picture.convert("L")
    near = np.asarray(grey.filter(ImageFilter.GaussianBlur(thick)), np.int16)
    far = np.asarray(grey.filter(ImageFilter.GaussianBlur(thick * 1.8)), np.int16)
    lines = 255 + np.minimum(0, (near - far) + 2) * (22 * power)
    return Image.fromarray(np.clip(lines, 0, 255).astype(np.uint8))


def hatching(size: tuple[int, int], rng: np.random.Generator, angle: float) -> Image.Image:
    """Return fine parallel strokes of chance, as a grey sheet of full contrast."""
    side = int(np.hypot(*size)) + 4
    unit = max(1, min(size) // 900)
    sheet = Image.fromarray(rng.integers(0, 256, (side // unit, side // unit), dtype=np.uint8))
    sheet = sheet.filter(ImageFilter.BoxBlur((max(4, side / unit / 80), 0)))
    turned = sheet.rotate(angle, Image.Resampling.BILINEAR).resize((side, side))
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    return ImageOps.equalize(turned.crop((left, top, left + size[0], top + size[1])))


def bristles(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return brush marks that follow the picture's forms, as a grey relief around 128."""
    size = max(8, picture.width // 2), max(8, picture.height // 2)
    forms = picture.convert("L").resize(
        (max(4, size[0] // 4), max(4, size[1] // 4)), Image.Resampling.BOX
    )
    gy, gx = np.gradient(np.asarray(forms.filter(ImageFilter.GaussianBlur(1.5)), np.float32))
    soft = [
        np.asarray(
            Image.fromarray(part).resize((12, 12), Image.Resampling.BOX).resize(forms.size, 3)
        )
        * 0.15
        + np.asarray(Image.fromarray(part).reduce(2).resize(forms.size, Image.Resampling.BICUBIC))
        for part in (gx * gx - gy * gy + 0.02, 2 * gx * gy)
    ]
    angle = 0.5 * np.arctan2(soft[1], soft[0]) + np.pi / 2
    flow = [
        np.asarray(Image.fromarray(part.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
        for part in (np.cos(angle), np.sin(angle))
    ]
    h, w = size[1], size[0]
    noise = rng.integers(0, 256, h * w).astype(np.float32)
    total = np.zeros(h * w, np.float32)
    ys, xs = (axis.astype(np.float32) for axis in np.mgrid[0:h, 0:w])
    for step in range(-7, 8):
        column = np.clip(xs + flow[0] * step, 0, w - 1).astype(np.int32)
        row = np.clip(ys + flow[1] * step, 0, h - 1).astype(np.int32)
        total += noise[(row * w + column).ravel()]
    marks = total.reshape(h, w) / 15
    relief = (marks - np.roll(marks, (2, 1), (0, 1))) * 1.1 + 128
    return Image.fromarray(np.clip(relief, 0, 255).astype(np.uint8)).resize(picture.size, 3)


def lit(picture: Image.Image, relief: Image.Image, power: float) -> Image.Image:
    """Lay a relief around 128 over the picture as light and shade."""
    light = relief.point([round(max(0, (v - 128) * power)) for v in range(256)])
    shade = relief.point([round(max(0, (128 - v) * power)) for v in range(256)])
    brighter = ImageChops.add(picture, Image.merge("RGB", (light,) * 3))
    return ImageChops.subtract(brighter, Image.merge("RGB", (shade,) * 3))


def inked(picture: Image.Image, lines: Image.Image) -> Image.Image:
    """Draw dark lines over the picture."""
    return ImageChops.multiply(picture, Image.merge("RGB", (lines,) * 3))


def unit_of(picture: Image.Image) -> float:
    """Return a thousandth of the geometric mean side, in pixels."""
    return math.sqrt(picture.width * picture.height) / 1000


def watercolour(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A wash on paper."""
    clear = tones.vivid(tones.curve(picture, (0, 22), (128, 146), (255, 255)), 1.15)
    return styles.watercolour(clear, int(rng.integers(2**31)))


def oil(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Dabs of thick paint with the marks of the brush."""
    painted = daubed(picture, 6.5 * unit_of(picture))
    painted = tones.vivid(tones.curve(painted, (0, 6), (70, 62), (190, 200), (255, 250)), 1.25)
    return lit(painted, bristles(picture, rng), 0.55)


def pencil(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Graphite: contours and two layers of hatching on white paper."""
    unit, grey = unit_of(picture), ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    grey = daubed(grey.convert("RGB"), 3 * unit).convert("L")
    soft = grey.filter(ImageFilter.GaussianBlur(5 * unit))
    lines = np.asarray(grey, np.float32) * 255 / (np.asarray(soft, np.float32) + 1)
    sheet = np.clip(lines, 0, 255) * (np.clip((lines - 150) / 100, 0.25, 1))
    tone = np.asarray(soft, np.float32)
    angle = float(rng.uniform(35, 60))
    for turn, start in ((angle, 178.0), (angle + 62, 92.0)):
        strokes = np.asarray(hatching(picture.size, rng, turn), np.float32)
        dark = np.clip((start - tone) / start, 0, 1)
        sheet -= np.clip(dark * 300 - strokes, 0, 255) * 0.36
    paper = (250, 248, 243)
    return tones.through(
        Image.fromarray(np.clip(sheet, 26, 255).astype(np.uint8)).convert("RGB"), paper
    )


def crayon(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Coloured pencils: the picture's colours in the strokes of a drawing."""
    drawn = pencil(picture, rng).convert("L")
    colour = tones.vivid(
        tones.curve(daubed(picture, 3 * unit_of(picture)), (0, 60), (255, 255)), 1.35
    )
    strokes = tones.curve(hatching(picture.size, rng, 48), (0, 0), (255, 90))
    paper = ImageChops.screen(colour, Image.merge("RGB", (strokes,) * 3))
    return inked(paper, tones.curve(drawn, (0, 70), (255, 255)))


def ink(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brush and ink: grey washes that bleed, a few dark strokes, rice paper."""
    unit = unit_of(picture)
    wash = daubed(styles.wobble(picture, rng, 6 * unit), 7 * unit)
    grey = ImageOps.autocontrast(wash.convert("L"), cutoff=2)
    bled = Image.blend(grey, grey.filter(ImageFilter.GaussianBlur(9 * unit)), 0.5)
    washes = tones.curve(bled, (0, 30), (60, 96), (130, 196), (190, 240), (255, 255))
    pigment = styles.noise(rng, picture.size, 9).point([236 + v * 19 // 255 for v in range(256)])
    drawn = ImageChops.multiply(washes, pigment)
    drawn = ImageChops.multiply(drawn, outlines(wash, 1.6 * unit + 0.6, 0.7))
    trace = Image.blend(drawn.convert("RGB"), ImageChops.multiply(drawn.convert("RGB"), wash), 0.14)
    return tones.through(trace, (247, 242, 228))


def pixel(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Large square pixels in few colours."""
    across = int(rng.integers(92, 124))
    cell = max(1.0, min(picture.size) / across)
    cells = max(1, round(picture.width / cell)), max(1, round(picture.height / cell))
    small = tones.vivid(picture.resize(cells, Image.Resampling.BOX), 1.25)
    few = ImageOps.autocontrast(small, cutoff=0.5).quantize(
        26, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    return few.convert("RGB").resize(picture.size, Image.Resampling.NEAREST)


def cartoon(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Flat bright areas within dark contours."""
    unit, steps = unit_of(picture), int(rng.integers(6, 9))
    flat = daubed(daubed(picture, 4 * unit), 4 * unit)
    bands = [int(255 * min(1.0, (v * steps // 256 + 0.62) / (steps - 0.2))) for v in range(256)]
    y, cb, cr = flat.convert("YCbCr").split()
    stepped = Image.blend(y, y.point(bands), 0.6)
    life = float(rng.uniform(1.3, 1.55))
    bright = tones.vivid(Image.merge("YCbCr", (stepped, cb, cr)).convert("RGB"), life)
    return inked(bright, outlines(flat, 1.3 * unit + 0.5, 1.0))


def anime(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Clear light colours, thin contours, bright air."""
    unit = unit_of(picture)
    flat = daubed(picture, 3.5 * unit)
    clear = tones.vivid(tones.curve(flat, (0, 26), (96, 118), (200, 226), (255, 255)), 1.4)
    air = tones.through(clear, [(248, 252, 255), (255, 251, 246), (250, 255, 250)][rng.integers(3)])
    return inked(tones.glow(air, 26 * unit, 170, 0.4), outlines(flat, 0.9 * unit + 0.4, 0.55))


def book(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A picture book: pale washes and a loose pen line on warm paper."""
    unit = unit_of(picture)
    loose = styles.wobble(picture, rng, 5 * unit)
    pale = tones.curve(loose, (0, 58), (110, 158), (255, 255))
    wash = styles.watercolour(tones.vivid(pale, 1.25), int(rng.integers(2**31)))
    pen = outlines(loose, 1.1 * unit + 0.5, 0.8)
    return inked(tones.through(wash, (255, 250, 240)), tones.curve(pen, (0, 70), (255, 255)))


def gold(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Beaten gold leaf: the picture as a relief in gold."""
    unit = unit_of(picture)
    grey = ImageOps.autocontrast(daubed(picture, 3 * unit).convert("L"), cutoff=1)
    soft = np.asarray(grey.filter(ImageFilter.GaussianBlur(1.4 * unit + 0.4)), np.int16)
    step = max(1, round(2 * unit))
    relief = np.clip(128 + (soft - np.roll(soft, (step, step), (0, 1))) * 2, 0, 255).astype(
        np.uint8
    )
    crinkle = ImageChops.add(
        styles.noise(rng, picture.size, 60), styles.noise(rng, picture.size, 17), 2
    )
    leaf = tones.mapped(Image.blend(grey, crinkle, 0.22), GOLD)
    return lit(leaf, Image.fromarray(relief), 0.8)


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


def neon(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Night in a city of neon: deep blue shadows, magenta and cyan light, shining edges."""
    unit = unit_of(picture)
    ramps = [((8, 6, 28), (52, 20, 96), (206, 40, 150), (255, 214, 240)),
             ((4, 10, 30), (16, 56, 112), (24, 170, 200), (226, 250, 255))]  # fmt: skip
    first = int(rng.integers(2))
    one, two = (tones.mapped(picture, ramps[k]) for k in (first, 1 - first))
    across = Image.fromarray(np.linspace(0, 255, picture.width, dtype=np.uint8)[None]).resize(
        picture.size
    )
    duo = Image.blend(Image.composite(one, two, across), tones.vivid(picture, 1.3), 0.3)
    edges = ImageOps.invert(outlines(picture, 1.2 * unit + 0.5, 0.6)).filter(
        ImageFilter.GaussianBlur(1.5 * unit)
    )
    shine = ImageChops.screen(duo, tones.through(edges.convert("RGB"), (255, 120, 235)))
    return tones.glow(tones.curve(shine, (0, 0), (110, 84), (255, 255)), 30 * unit, 120, 0.7)


LOOKS: dict[str, Look] = {
    "watercolour": watercolour, "oil": oil, "pencil": pencil, "coloured pencil": crayon, "ink": ink,
    "pixel": pixel, "cartoon": cartoon, "anime": anime, "picture book": book,
    "gold leaf": gold, "black and white": grey, "vintage": vintage, "neon": neon,
}  # fmt: skip


def apply(picture: Image.Image, name: str, seed: int, strength: float = 1.0) -> Image.Image:
    """Return the picture in a look, at a strength from 0 (hardly) to 1."""
    room = max(picture.width, LEAST), max(picture.height, LEAST)
    sheet = picture if picture.size == room else picture.resize(room)
    drawn = tones.reduced(sheet, lambda small: LOOKS[name](small, np.random.default_rng(seed)))
    drawn = drawn if sheet is picture else drawn.resize(picture.size)
    return drawn if strength >= 1 else Image.blend(picture, drawn, 0.2 + 0.8 * strength)
