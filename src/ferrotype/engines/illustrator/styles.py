"""Styles laid over a drawn picture. "flat" is the drawing itself."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

PAPER = (252, 249, 242)


def apply(picture: Image.Image, style: str, seed: int) -> Image.Image:
    """Return the picture in a style."""
    return watercolour(picture, seed) if style == "watercolour" else picture


def noise(rng: np.random.Generator, size: tuple[int, int], cells: int) -> Image.Image:
    """Return soft grey clouds of chance, `cells` across the shorter side."""
    w, h = size
    unit = min(w, h) / cells
    small = rng.integers(0, 256, (max(2, round(h / unit)), max(2, round(w / unit))), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@lru_cache(maxsize=4)
def tooth(size: tuple[int, int]) -> Image.Image:
    """Return the paper's tooth as a light grey sheet to multiply with."""
    rng = np.random.default_rng(3)
    fine = noise(rng, size, min(size) // 2)
    return fine.point([243 + v * 12 // 255 for v in range(256)])


def wobble(picture: Image.Image, rng: np.random.Generator, reach: float) -> Image.Image:
    """Shift the pixels by a soft field of up to `reach` pixels: hand-drawn edges."""
    w, h = picture.size
    shift = [(np.asarray(noise(rng, (w, h), 44), np.int16) - 128) * reach / 128 for _ in range(2)]
    ys = np.clip(np.arange(h)[:, None] + shift[0].astype(np.int32), 0, h - 1)
    xs = np.clip(np.arange(w)[None, :] + shift[1].astype(np.int32), 0, w - 1)
    pixels = np.asarray(picture.convert("RGBX")).view(np.uint32)[..., 0]
    moved = pixels.ravel()[(ys * w + xs).ravel()].reshape(h, w)
    return Image.frombuffer("RGBX", (w, h), moved.tobytes(), "raw", "RGBX", 0, 1).convert("RGB")


def watercolour(picture: Image.Image, seed: int) -> Image.Image:
    """Turn a drawing into a wash: soft edges that darken, uneven pigment, paper that shows."""
    rng, size = np.random.default_rng(seed), picture.size
    unit = min(size) / 1000
    wash = wobble(picture, rng, 3.6 * unit)
    half = wash.reduce(2)
    pooled = half.filter(ImageFilter.MedianFilter(3)).resize(size, Image.Resampling.BICUBIC)
    wash = Image.blend(wash, pooled, 0.6)
    soft = half.filter(ImageFilter.BoxBlur(max(1, 2.6 * unit)))
    soft = soft.resize(size, Image.Resampling.BILINEAR)
    wash = ImageChops.subtract(wash, ImageChops.subtract(soft, wash, 1.1))
    pigment = ImageChops.add(noise(rng, size, 6), noise(rng, size, 40), 2)
    deep = Image.merge(
        "RGB", (pigment.point([min(255, 226 + v * 40 // 255) for v in range(256)]),) * 3
    )
    bare = Image.merge("RGB", (pigment.point([14 + v * 26 // 255 for v in range(256)]),) * 3)
    wash = ImageChops.screen(ImageChops.multiply(wash, deep), bare)
    sheet = Image.composite(wash, Image.new("RGB", size, PAPER), border(rng, size))
    return ImageChops.multiply(sheet, Image.merge("RGB", (tooth(size),) * 3))


def border(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return the mask of a wash that ends unevenly short of the paper's edge."""
    w, h = size
    unit = min(size) / 1000
    ragged = np.asarray(noise(rng, size, 30), np.int16) + np.asarray(noise(rng, size, 9), np.int16)
    x, y = np.arange(w), np.arange(h)
    near = np.minimum(np.minimum(x, w - 1 - x)[None, :], np.minimum(y, h - 1 - y)[:, None])
    level = (near - 14 * unit - ragged * 0.085 * unit) * (60 / unit / 3)
    return Image.fromarray(np.clip(level, 0, 255).astype(np.uint8))
