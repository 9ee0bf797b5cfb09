"""Where things are in a caller's picture, as far as colour and place tell: soft masks."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageStat

from ferrotype.engines.illustrator import tones

Field = NDArray[np.float32]
Spots = NDArray[np.bool_]
SIDE = 168  # pixels of the longer side that regions are looked for at
GUIDE = 640
# hue from and to (0 to 255, may pass 255), least saturation, value from and to
HUES = {
    "red": (243, 265, 95, 50, 255), "orange": (10, 26, 110, 90, 255),
    "yellow": (26, 47, 80, 100, 255), "green": (47, 118, 40, 30, 255),
    "blue": (125, 184, 50, 40, 255), "purple": (184, 222, 45, 40, 255),
    "pink": (215, 255, 30, 150, 255), "brown": (5, 28, 60, 30, 150),
    "white": (0, 256, 0, 205, 255), "black": (0, 256, 0, 0, 58), "grey": (0, 256, 0, 59, 204),
}  # fmt: skip


def small(picture: Image.Image, side: int) -> Image.Image:
    """Return the picture with its longer side at most `side`."""
    scale = min(1.0, side / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BOX)


def box(field: Field, r: int) -> Field:
    """Return the mean over squares of side 2 r + 1, the edge repeated."""
    wide = np.pad(field, r + 1, mode="edge").cumsum(0, dtype=np.float64).cumsum(1)
    n = 2 * r + 1
    total = (
        wide[n:-1, n:-1] - wide[: -n - 1, n:-1] - wide[n:-1, : -n - 1] + wide[: -n - 1, : -n - 1]
    )
    mean: Field = (total / (n * n)).astype(np.float32)
    return mean


def refined(mask: Field, picture: Image.Image) -> Image.Image:
    """Fit a coarse mask (0 to 1) to the picture's edges; return it at the picture's size."""
    guide = small(picture, GUIDE)
    i: Field = np.asarray(guide.convert("L"), np.float32) / np.float32(255)
    p: Field = np.asarray(Image.fromarray(mask).resize(guide.size, Image.Resampling.BILINEAR))
    r = max(1, min(guide.size) // 60)
    mean_i, mean_p = box(i, r), box(p, r)
    spread: Field = np.subtract(box(i * i, r), mean_i * mean_i - np.float32(0.0015))
    a: Field = np.divide(box(i * p, r) - mean_i * mean_p, spread)
    b = mean_p - a * mean_i
    fitted = np.clip((box(a, r) * i + box(b, r) - 0.5) * 1.7 + 0.5, 0, 1)
    return Image.fromarray((fitted * 255).astype(np.uint8)).resize(picture.size, 3)


def flooded(reached: Spots, gate: Spots) -> Spots:
    """Return what can be reached from some pixels through others, side by side."""
    for _ in range(4 * sum(gate.shape)):
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= gate
        if (grown == reached).all():
            break
        reached = grown
    return reached


def sky(picture: Image.Image) -> Image.Image | None:
    """Return the mask of what lies calm and light from the top edge down, or None."""
    view = small(picture, SIDE)
    w, h = view.size
    if min(w, h) < 8:
        return None
    pixels = np.asarray(view.filter(ImageFilter.GaussianBlur(1)), np.float32)
    grey = pixels.mean(2)
    steep = np.hypot(*np.gradient(grey))
    top = np.median(pixels[: max(2, h // 14)].reshape(-1, 3), axis=0)
    bluer = pixels[..., 2] - pixels[..., :2].mean(2)
    faded = 105 if np.abs(bluer).mean() > 4 else 140
    like = (np.abs(pixels - top).sum(2) < faded) | (bluer > 12) | (grey > 205)
    calm = (steep < 13) & like & (pixels[..., 1] - pixels[..., 2] < 26 + (grey > 150) * 60)
    reached = np.zeros((h, w), bool)
    reached[0] = calm[0]
    reached = flooded(reached, calm)
    edges = np.abs(np.diff(grey, axis=0)) > 5
    across = (edges[:-1] | edges[1:]).mean(1)
    line = h // 5 + int(across[h // 5 : h - h // 8].argmax()) + 2
    if reached[line:].mean() > 0.25 and across[line - 2] > 0.6:
        reached[line:] = False
    lowest = np.where(reached.any(0), h - reached[::-1].argmax(0), 0)
    above = np.arange(h)[:, None] < lowest[None]
    filled = reached | (above & (grey > grey[reached].mean() - 12 if reached.any() else False))
    if filled[-max(1, h // 10) :].mean() > 0.08:
        return None  # a studio's backdrop, or water, rather than a sky
    blue = filled.any() and np.median(bluer[filled]) > 14
    if filled.mean() < (0.05 if blue else 0.16) or filled.mean() > 0.93 or filled[:3].mean() < 0.4:
        return None
    soft = Image.fromarray((filled * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(5))
    return refined(np.asarray(soft, np.float32) / np.float32(255), picture)


def subject(picture: Image.Image) -> Image.Image:
    """Return a guess at the main thing: what differs from the picture's border, near the middle."""
    view = small(picture, SIDE)
    w, h = view.size
    soft = view.filter(ImageFilter.GaussianBlur(1.2)).convert("YCbCr")
    lab = np.asarray(soft, np.float32)
    strips = lab[: max(1, h // 16)], lab[-max(1, h // 20) :], lab[:, : max(1, w // 16)]
    border = np.concatenate([s.reshape(-1, 3) for s in (*strips, lab[:, -max(1, w // 16) :])])
    picks = border[np.linspace(0, len(border) - 1, 48).astype(int)]
    far = np.full((h, w), np.inf, np.float32)
    for pick in picks:
        d = lab - pick
        far = np.minimum(far, d[..., 0] ** 2 * 0.35 + d[..., 1] ** 2 + d[..., 2] ** 2)
    y, x = np.linspace(-1, 1, h)[:, None], np.linspace(-1, 1, w)[None]
    near: Field = np.exp(-(x * x * 1.1 + (y - 0.1) ** 2 * 1.1)).astype(np.float32)
    stands_out = box(np.sqrt(far), 2) * near
    level = max(1e-3, float(np.percentile(stands_out, 99)))
    return refined(np.clip((stands_out / level - 0.32) * 5, 0, 1).astype(np.float32), picture)


def coloured(picture: Image.Image, colour: str) -> Image.Image:
    """Return the mask of the pixels that one would call by a colour's name."""
    low, high, saturation, dark, light = HUES[colour]
    hue, strong, value = picture.convert("HSV").split()
    turn = [max(0, 255 - 42 * max(0, low - v, v - high)) for v in range(512)]
    table = [max(turn[v], turn[v + 256] if high > 256 else 0) for v in range(256)]
    most = 44 if colour in ("white", "black", "grey") else 255
    chroma = [
        round(255 * min(1, max(0, (v - saturation) / 24 + 1), max(0, (most - v) / 16 + 1)))
        for v in range(256)
    ]
    lightness = [
        round(255 * max(0, min(1, (v - dark) / 24 + 1, (light - v) / 24 + 1))) for v in range(256)
    ]
    mask = ImageChops.multiply(
        hue.point(table), strong.point(chroma if colour != "black" else [255] * 256)
    )
    mask = ImageChops.multiply(mask, value.point(lightness))
    return mask.filter(ImageFilter.GaussianBlur(max(0.6, min(picture.size) / 900)))


def below(mask: Image.Image) -> Image.Image:
    """Return the mask of what is not sky."""
    return ImageChops.invert(mask)


def share(mask: Image.Image) -> float:
    """Return which part of the picture a mask shows."""
    return float(ImageStat.Stat(mask).mean[0] / 255)


def find(picture: Image.Image, name: str) -> Image.Image | None:
    """Return the mask of a region by our name for it, or None when it is not to be found."""
    if name == "sky":
        return sky(picture)
    if name == "subject":
        return subject(picture)
    if name == "background":
        return ImageChops.invert(subject(picture))
    if name == "green":
        return coloured(picture, "green")
    heaven = sky(picture)
    land = ImageChops.invert(heaven) if heaven else lower(picture.size)
    return ImageChops.multiply(land, coloured(picture, "blue")) if name == "water" else land


def lower(size: tuple[int, int]) -> Image.Image:
    """Return a mask of the lower half, softly begun."""
    return tones.ramp(
        size, ((0, (0,) * 3), (0.42, (0,) * 3), (0.62, (255,) * 3), (1, (255,) * 3))
    ).convert("L")
