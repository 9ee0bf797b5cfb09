"""What styles are made with: paper, pigment, dabs, strokes, relief. Sizes are in pixels."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps

from ferrotype.engines.illustrator import tones


def unit_of(picture: Image.Image) -> float:
    """Return a thousandth of the geometric mean side, in pixels."""
    return math.sqrt(picture.width * picture.height) / 1000


def grey3(sheet: Image.Image) -> Image.Image:
    """Return a grey sheet as RGB."""
    return Image.merge("RGB", (sheet,) * 3)


def noise(rng: np.random.Generator, size: tuple[int, int], cells: float) -> Image.Image:
    """Return soft grey clouds of chance, `cells` across the shorter side."""
    w, h = size
    unit = min(w, h) / cells
    small = rng.integers(0, 256, (max(2, round(h / unit)), max(2, round(w / unit))), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@lru_cache(maxsize=2)
def tooth(size: tuple[int, int]) -> Image.Image:
    """Return the paper's tooth as a light grey sheet to multiply with."""
    fine = noise(np.random.default_rng(3), size, min(size) // 2)
    return fine.point([243 + v * 12 // 255 for v in range(256)])


def wobble(picture: Image.Image, rng: np.random.Generator, reach: float) -> Image.Image:
    """Shift the picture by a soft field of up to `reach` pixels: hand-drawn edges."""
    w, h = picture.size
    pitch = max(6, min(w, h) // 44)
    xs, ys = ([*range(0, side, pitch), side] for side in (w, h))
    shift = rng.uniform(-reach, reach, (len(ys), len(xs), 2))
    shift[[0, -1]] = 0
    shift[:, [0, -1]] = 0
    at = ((np.stack(np.meshgrid(xs, ys), -1) + shift) * (1 - 2e-5)).tolist()  # within the picture
    mesh = [
        (
            (xs[i], ys[j], xs[i + 1], ys[j + 1]),
            (*at[j][i], *at[j + 1][i], *at[j + 1][i + 1], *at[j][i + 1]),
        )
        for j in range(len(ys) - 1)
        for i in range(len(xs) - 1)
    ]
    return picture.transform((w, h), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


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
    restless = np.pad(np.asarray(rough), r, mode="edge")
    h, w, d = picture.height, picture.width, round(r * 0.7)
    best, calm = mean[:h, r : r + w].copy(), restless[:h, r : r + w].copy()
    for dy, dx in ((r, 0), (0, -r), (0, r), (-d, -d), (-d, d), (d, -d), (d, d)):
        at = np.s_[r + dy : r + dy + h, r + dx : r + dx + w]
        calmer = restless[at] < calm
        np.copyto(best, mean[at], where=calmer)
        np.copyto(calm, restless[at], where=calmer)
    flat = unpacked(best)
    fine = ImageChops.difference(grey, flat.convert("L")).filter(ImageFilter.MaxFilter(3))
    return Image.composite(picture, flat, tones.curve(fine, (0, 0), (34, 0), (64, 235), (255, 235)))


def outlines(picture: Image.Image, thick: float, power: float = 1.0) -> Image.Image:
    """Return the picture's edges as dark lines on white."""
    grey = picture.convert("L")
    near, far = (grey.filter(ImageFilter.GaussianBlur(thick * k)) for k in (1, 1.8))
    table = [255 - min(255, round(max(0, v - 2) * 22 * power)) for v in range(256)]
    return ImageChops.subtract(far, near).point(table)


def contours(picture: Image.Image, thick: float, power: float = 1.0) -> Image.Image:
    """Return outlines, also between red and green of one brightness, which grey would lose."""
    warmth = picture.convert("YCbCr").getchannel(2)
    return ImageChops.darker(outlines(picture, thick, power), outlines(warmth, thick, power * 0.8))


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
    coarse = 2 if unit_of(picture) > 0.7 else 1
    size = max(8, picture.width // coarse), max(8, picture.height // coarse)
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
    chance = rng.integers(0, 256, h * w).astype(np.float32)
    total = np.zeros(h * w, np.float32)
    ys, xs = (axis.astype(np.float32) for axis in np.mgrid[0:h, 0:w])
    for step in range(-6, 7):
        column = np.clip(xs + flow[0] * step, 0, w - 1).astype(np.int32)
        row = np.clip(ys + flow[1] * step, 0, h - 1).astype(np.int32)
        total += chance[(row * w + column).ravel()]
    marks = total.reshape(h, w) / 13
    relief = (marks - np.roll(marks, (2, 1), (0, 1))) * 1.1 + 128
    return Image.fromarray(np.clip(relief, 0, 255).astype(np.uint8)).resize(picture.size, 3)


def lit(picture: Image.Image, relief: Image.Image, power: float) -> Image.Image:
    """Lay a relief around 128 over the picture as light and shade."""
    light = relief.point([round(max(0, (v - 128) * power)) for v in range(256)])
    shade = relief.point([round(max(0, (128 - v) * power)) for v in range(256)])
    return ImageChops.subtract(ImageChops.add(picture, grey3(light)), grey3(shade))


def inked(picture: Image.Image, lines: Image.Image) -> Image.Image:
    """Draw dark lines over the picture."""
    return ImageChops.multiply(picture, grey3(lines))


def relief(grey: Image.Image, reach: float) -> Image.Image:
    """Return the slopes of a grey picture, lit from the upper left, around 128."""
    soft = grey.filter(ImageFilter.GaussianBlur(reach * 0.7 + 0.4))
    step = max(1, round(reach))
    return ImageChops.subtract(soft, ImageChops.offset(soft, step, step), 0.5, 128)


def border(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return the mask of a wash that ends unevenly short of the paper's edge."""
    w, h = size
    unit = min(size) / 1000
    ragged = np.asarray(noise(rng, size, 30), np.int16) + np.asarray(noise(rng, size, 9), np.int16)
    x, y = np.arange(w, dtype=np.int16), np.arange(h, dtype=np.int16)
    near = np.minimum(np.minimum(x, w - 1 - x)[None, :], np.minimum(y, h - 1 - y)[:, None])
    level = (near - 14 * unit - ragged * np.float32(0.085 * unit)) * np.float32(20 / unit)
    return Image.fromarray(np.clip(level, 0, 255).astype(np.uint8))
