"""Tone and colour of whole pictures, on 8-bit pixels: curves, tints, ramps, recolouring."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageEnhance, ImageFilter, ImageOps, ImageStat

RGB = tuple[int, int, int]
WORKED = 4_400_000  # pixels: larger pictures are worked on at this area
COLOURS: dict[str, str] = {
    "red": "#c8322f", "orange": "#e5832e", "yellow": "#eac33f", "green": "#4f9c4a",
    "blue": "#3468c0", "purple": "#7d4fb3", "pink": "#e88fae", "white": "#efedea",
    "black": "#2b2a2e", "brown": "#80573b", "grey": "#8d8f93",
}  # fmt: skip


def rgb(colour: str) -> RGB:
    """Return a colour of ours by name, or "#rrggbb", as numbers."""
    r, g, b = ImageColor.getrgb(COLOURS.get(colour, colour))[:3]
    return r, g, b


def curve(picture: Image.Image, *points: tuple[float, float]) -> Image.Image:
    """Send each level through the line that joins the points (0 to 255)."""
    table = (
        np.interp(np.arange(256), [p[0] for p in points], [p[1] for p in points])
        .round()
        .astype(int)
        .tolist()
    )
    return picture.point(table * len(picture.getbands()))


def through(picture: Image.Image, colour: RGB) -> Image.Image:
    """Look at the picture through coloured glass: each channel times its part of 255."""
    return picture.point([min(255, level * part // 255) for part in colour for level in range(256)])


def vivid(picture: Image.Image, factor: float) -> Image.Image:
    """Strengthen (above 1) or weaken the colours."""
    return ImageEnhance.Color(picture).enhance(factor)


def ramp(size: tuple[int, int], stops: Sequence[tuple[float, RGB]]) -> Image.Image:
    """Return a downward gradient through colours at parts 0 to 1 of the height."""
    at = np.linspace(0, 1, size[1])
    places, colours = zip(*stops, strict=True)
    column = np.stack([np.interp(at, places, part) for part in zip(*colours, strict=True)], 1)
    return Image.fromarray(column[:, None].round().astype(np.uint8)).resize(size, 0)


def mapped(picture: Image.Image, colours: Sequence[RGB]) -> Image.Image:
    """Give each grey level its colour, from the darkest to the lightest."""
    places = np.linspace(0, 255, len(colours))
    tables = [
        np.interp(np.arange(256), places, part).round().astype(int).tolist()
        for part in zip(*colours, strict=True)
    ]
    grey = picture.convert("L")
    return Image.merge("RGB", [grey.point(table) for table in tables])


def recolour(
    picture: Image.Image, mask: Image.Image, colour: str, part: float = 0.9
) -> Image.Image:
    """Give what the mask shows (white) a colour, and keep its light, shade and texture."""
    grey, target = picture.convert("L"), rgb(colour)
    if mask.getbbox() is None:
        return picture
    spread = ImageStat.Stat(grey, mask)
    middle = int(min(215, max(40, spread.mean[0])))
    dyed = ImageOps.colorize(
        grey, tuple(c // 9 for c in target), (255, 253, 248), target, 0, 255, middle
    )
    return Image.composite(Image.blend(picture, dyed, part), picture, mask)


def glow(picture: Image.Image, reach: float, floor: int, power: float) -> Image.Image:
    """Let what is brighter than `floor` shine over its surroundings."""
    small = picture.reduce(4) if min(picture.size) > 64 else picture
    bright = curve(small, (0, 0), (floor, 0), (255, 255 * power))
    soft = bright.filter(ImageFilter.GaussianBlur(reach / 4))
    return ImageChops.screen(picture, soft.resize(picture.size, Image.Resampling.BICUBIC))


def vignette(picture: Image.Image, power: float) -> Image.Image:
    """Darken towards the corners."""
    w, h = picture.size
    x, y = np.linspace(-1, 1, w, dtype=np.float32), np.linspace(-1, 1, h, dtype=np.float32)
    far = np.clip((x * x)[None] + (y * y)[:, None] - 0.6, 0, 1.4) * power * 120
    shade = Image.fromarray((255 - np.clip(far, 0, 255)).astype(np.uint8))
    return ImageChops.multiply(picture, Image.merge("RGB", (shade,) * 3))


def reduced(picture: Image.Image, work: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Do work on a large picture at a smaller size, and bring the result back to its own."""
    small = shrunk(picture)
    done = work(small)
    return done if small is picture else done.resize(picture.size, Image.Resampling.BICUBIC)


def graded(picture: Image.Image, work: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Do work on tones at a smaller size, and lay only the change over a large picture."""
    small = shrunk(picture)
    done = work(small)
    if small is picture:
        return done
    for sign, change in (
        (ImageChops.add, ImageChops.subtract(done, small)),
        (ImageChops.subtract, ImageChops.subtract(small, done)),
    ):
        picture = sign(picture, change.resize(picture.size, Image.Resampling.BILINEAR))
    return picture


def shrunk(picture: Image.Image) -> Image.Image:
    """Return the picture, or a smaller copy when it is larger than we work on."""
    scale = (WORKED / (picture.width * picture.height)) ** 0.5
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BOX)
