"""Light, hour, season and weather laid over a caller's picture. Each goes by its seed."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from ferrotype.engines.illustrator import tones
from ferrotype.engines.illustrator.brushes import noise, unit_of
from ferrotype.engines.illustrator.edits import regions

LEAF = ((-1.3, 0), (-0.4, 0.5), (0.5, 0.42), (1.3, 0), (0.5, -0.42), (-0.4, -0.5))
Mood = Callable[[Image.Image, np.random.Generator], Image.Image]


def lamp(
    *points: tuple[float, float], glass: tones.RGB = (255, 255, 255), life: float = 1.0
) -> Mood:
    """Return a mood made of a tone curve, a coloured glass and a change of colour strength."""

    def mood(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
        return tones.vivid(tones.through(tones.curve(picture, *points), glass), life)

    return mood


def aloft(
    picture: Image.Image, stops: tuple[tuple[float, tones.RGB], ...], part: float
) -> Image.Image:
    """Pour a gradient into the sky, down to where it ends; clouds and shapes stay."""
    sky = regions.sky(picture)
    if sky is None:
        return picture
    box = sky.point([0] * 128 + [255] * 128).getbbox() or (0, 0, 1, 1)
    high = Image.new("RGB", picture.size, stops[-1][1])
    high.paste(tones.ramp((picture.width, max(1, box[3])), stops))
    level = ImageStat.Stat(picture.convert("L"), sky).mean[0]
    relief = tones.curve(picture.convert("L"), (0, 60), (level, 128), (255, 215)).convert("RGB")
    poured = ImageChops.hard_light(
        high, Image.blend(relief, Image.new("RGB", picture.size, "#808080"), 0.25)
    )
    return Image.composite(Image.blend(picture, poured, part), picture, sky)


def night(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Moonlight: deep blue, lamps and windows that shine, stars where there is sky."""
    unit, sky = unit_of(picture), regions.sky(picture)
    warm = ImageChops.subtract(picture.getchannel("R"), picture.getchannel("B"))
    warm = tones.curve(warm, (42, 0), (93, 255))
    lamps = ImageChops.multiply(warm, tones.curve(picture.convert("L"), (165, 0), (207, 255)))
    if sky:
        lamps = ImageChops.multiply(lamps, ImageChops.invert(sky))
    dark = tones.through(
        tones.curve(tones.vivid(picture, 0.55), (0, 0), (128, 78), (255, 165)), (146, 176, 255)
    )
    if sky:
        dark = aloft_night(dark, sky, rng)
    lit = tones.through(picture, (255, 226, 160))
    dark = Image.composite(lit, dark, lamps.filter(ImageFilter.GaussianBlur(1.2 * unit)))
    return tones.glow(dark, 34 * unit, 165, 0.75)


def aloft_night(dark: Image.Image, sky: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Deepen the sky and set stars and a moon into it."""
    w = dark.width
    unit, foot = unit_of(dark), (sky.getbbox() or (0, 0, 0, 1))[3]
    deep = Image.new("RGB", dark.size, (40, 52, 96))
    deep.paste(tones.ramp((w, foot), ((0, (12, 18, 48)), (0.6, (26, 38, 82)), (1, (58, 72, 118)))))
    deep = ImageChops.screen(deep, tones.curve(dark, (0, 0), (40, 0), (255, 120)))
    pen = ImageDraw.Draw(deep)
    for x, y, size in zip(
        rng.integers(0, w, 130), rng.integers(0, foot, 130), rng.random(130), strict=True
    ):
        r, tone = (0.5 + 1.3 * size**3) * unit, int(120 + 130 * size)
        pen.ellipse((x - r, y - r, x + r, y + r), (tone, tone, min(255, tone + 12)))
    x, y, r = w * rng.uniform(0.15, 0.85), max(40 * unit, foot * 0.24), 30 * unit
    disc = Image.new("RGB", dark.size)
    ImageDraw.Draw(disc).ellipse((x - r, y - r, x + r, y + r), (255, 247, 220))
    moonlit = ImageChops.screen(
        deep, tones.glow(disc.filter(ImageFilter.GaussianBlur(0.8 * unit)), 70 * unit, 60, 0.9)
    )
    return Image.composite(moonlit, dark, sky)


def sunset(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Low sun: violet to orange in the sky, warm light below."""
    top = [(74, 62, 140), (96, 70, 150), (58, 76, 150)][rng.integers(3)]
    poured = aloft(
        picture,
        ((0, top), (0.5, (214, 112, 140)), (0.85, (255, 158, 92)), (1, (255, 206, 124))),
        0.85,
    )
    warm = tones.through(tones.curve(poured, (0, 0), (128, 118), (255, 246)), (255, 214, 172))
    return tones.vivid(tones.glow(warm, 60 * unit_of(picture), 190, 0.35), 1.15)


def dawn(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """First light: rose and pale gold."""
    top = [(120, 150, 208), (136, 146, 204), (112, 164, 206)][rng.integers(3)]
    poured = aloft(picture, ((0, top), (0.55, (236, 180, 190)), (1, (255, 222, 170))), 0.75)
    return tones.through(tones.curve(poured, (0, 20), (128, 132), (255, 250)), (255, 234, 218))


def turned(picture: Image.Image, colours: tuple[str, ...], rng: np.random.Generator) -> Image.Image:
    """Give the leaves and grass the first colour, and soft patches of the others."""
    leaves = regions.coloured(picture, "green")
    picture = tones.recolour(picture, leaves, colours[0], 0.88)
    for colour in colours[1:]:
        patch = noise(rng, picture.size, 22).point(
            [min(255, max(0, (v - 150) * 3)) for v in range(256)]
        )
        picture = tones.recolour(picture, ImageChops.multiply(leaves, patch), colour, 0.55)
    return picture


def autumn(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Leaves and grass in yellow, orange and rust, in mellow light."""
    colours = [str(c) for c in rng.permutation(["#d9a03a", "#cf8234", "#bd9440"])]
    fallen = turned(picture, (*colours, "#b5532c"), rng)
    mellow = tones.through(tones.curve(fallen, (0, 0), (128, 132), (255, 252)), (255, 242, 214))
    return particles(mellow, rng, 46, ("#d88a2c", "#b9482a", "#e0b040"), 7.5)


def spring(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Fresh green, light air, petals on the wind."""
    fresh = turned(picture, ("#8ec44e", "#7fc465"), rng)
    light = tones.vivid(tones.curve(fresh, (0, 10), (128, 142), (255, 255)), 1.12)
    return particles(light, rng, 60, ("#ffd3de", "#f7b3c6", "#fff0f3"), 6)


def winter(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Snow on the ground and on what is green, pale cold light."""
    sky = regions.sky(picture)
    land = ImageChops.invert(sky) if sky else regions.lower(picture.size)
    leaves = ImageChops.multiply(land, regions.coloured(picture, "green"))
    white = tones.recolour(picture, leaves, "#dfe8f2", 0.93)
    return tones.vivid(
        tones.through(tones.curve(white, (0, 14), (128, 140), (255, 255)), (244, 249, 255)), 0.82
    )


def particles(
    picture: Image.Image,
    rng: np.random.Generator,
    count: int,
    colours: tuple[str, ...],
    size: float,
) -> Image.Image:
    """Let leaves or petals drift over the picture."""
    unit, layer = unit_of(picture), picture.copy()
    pen = ImageDraw.Draw(layer)
    for k in range(count):
        x, y = rng.uniform(0, picture.width), rng.uniform(0, picture.height)
        r, turn = size * unit * rng.uniform(0.5, 1.3), rng.uniform(0, 6.3)
        tip, side = r * np.exp(1j * turn), r * 1j * np.exp(1j * turn)
        leaf = [x + 1j * y + tip * a + side * b for a, b in LEAF]
        pen.polygon([(z.real, z.imag) for z in leaf], colours[k % len(colours)])
    return (
        Image.blend(picture, layer.filter(ImageFilter.GaussianBlur(0.5 * unit)), 0.9)
        if count
        else picture
    )


def snow(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Snow that falls."""
    unit, (w, h) = unit_of(picture), picture.size
    dull = Image.blend(
        tones.curve(picture, (0, 20), (255, 236)),
        Image.new("RGB", picture.size, (214, 224, 236)),
        0.16,
    )
    for count, size, blur in ((420, 1.5, 0.5), (170, 2.8, 0.9), (42, 5.0, 2.2)):
        layer = Image.new("L", picture.size)
        pen = ImageDraw.Draw(layer)
        for x, y in zip(rng.uniform(0, w, count), rng.uniform(0, h, count), strict=True):
            r = size * unit * rng.uniform(0.7, 1.3)
            pen.ellipse((x - r, y - r, x + r, y + r), 235)
        layer = layer.filter(ImageFilter.GaussianBlur(blur * unit))
        dull = ImageChops.screen(dull, Image.merge("RGB", (layer,) * 3))
    return dull


def rain(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A dull wet day: grey light, slanting rain."""
    unit, (w, h) = unit_of(picture), picture.size
    dull = tones.vivid(tones.curve(picture, (0, 4), (128, 104), (255, 206)), 0.62)
    wet = tones.through(dull, (232, 242, 255))
    slant = rng.uniform(-0.28, 0.28)
    for count, long, thick, tone in ((420, 26, 1.0, 72), (150, 52, 1.7, 105)):
        layer = Image.new("L", picture.size)
        pen = ImageDraw.Draw(layer)
        for x, y, part in zip(
            rng.uniform(-0.1 * w, 1.1 * w, count),
            rng.uniform(-0.1 * h, h, count),
            rng.uniform(0.6, 1.3, count),
            strict=True,
        ):
            pen.line(
                (x, y, x + slant * long * unit * part, y + long * unit * part),
                tone,
                max(1, round(thick * unit)),
            )
        layer = layer.filter(ImageFilter.GaussianBlur(0.45 * unit))
        wet = ImageChops.screen(wet, Image.merge("RGB", (layer,) * 3))
    return wet


def fog(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Mist that thickens with the distance and drifts."""
    white, w, h = Image.new("RGB", picture.size, (224, 229, 232)), picture.width, picture.height
    sky = regions.sky(picture)
    line = (sky.getbbox() or (0, 0, 0, 0))[3] / h if sky else 0.45
    line = min(0.8, max(0.2, line))
    veil = tones.ramp(
        (w, h),
        ((0, (120,) * 3), (line, (222,) * 3), (min(0.99, line + 0.3), (120,) * 3), (1, (46,) * 3)),
    ).convert("L")
    drift = (
        noise(rng, picture.size, 4).resize((w, h)).point([200 + v * 55 // 255 for v in range(256)])
    )
    return Image.composite(white, tones.vivid(picture, 0.8), ImageChops.multiply(veil, drift))


def summer(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """High sun: clear colours, warm light, a bright sky."""
    warm = int(rng.integers(222, 236))
    clear = tones.through(
        tones.curve(picture, (0, 0), (60, 58), (150, 170), (255, 255)), (255, 250, warm)
    )
    return tones.glow(tones.vivid(clear, 1.22), 40 * unit_of(picture), 200, 0.25)


def blurred(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The background out of focus."""
    soft = picture.filter(ImageFilter.GaussianBlur(9 * unit_of(picture)))
    return Image.composite(picture, soft, regions.subject(picture))


def sharp(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Clearer detail."""
    return picture.filter(ImageFilter.UnsharpMask(2.2 * unit_of(picture) + 0.6, 90, 2))


MOODS: dict[str, Mood] = {
    "brighter": lamp((0, 10), (96, 128), (192, 224), (255, 255)),
    "darker": lamp((0, 0), (128, 82), (255, 205), life=0.95),
    "warm": lamp((0, 4), (128, 132), (255, 255), glass=(255, 238, 208), life=1.08),
    "cool": lamp((0, 2), (128, 128), (255, 252), glass=(214, 234, 255), life=1.02),
    "vivid": lamp((0, 0), (64, 58), (192, 202), (255, 255), life=1.5),
    "soft": lamp((0, 34), (128, 140), (255, 246), life=0.72),
    "contrast": lamp((0, 0), (72, 50), (184, 208), (255, 255), life=1.08),
    "cloudy": lamp((0, 12), (128, 118), (255, 224), glass=(240, 246, 255), life=0.72),
    "spring": spring, "summer": summer, "clear": summer, "day": summer, "autumn": autumn,
    "winter": winter, "night": night, "evening": sunset, "sunset": sunset, "dawn": dawn,
    "blurred": blurred, "sharp": sharp, "fog": fog, "rain": rain, "storm": rain, "snow": snow,
}  # fmt: skip


def ordered(names: tuple[str, ...]) -> list[str]:
    """Return the moods in the order they are laid on: what falls comes last."""
    lying = (*names, "winter") if "snow" in names else names
    return [name for name in MOODS if name in lying]


def apply(picture: Image.Image, name: str, seed: int) -> Image.Image:
    """Return the picture in a mood."""
    return tones.graded(picture, lambda small: MOODS[name](small, np.random.default_rng(seed)))


def grade(picture: Image.Image, seed: int) -> Image.Image:
    """A tasteful grade, one of six by the seed: fuller tones, a little warmth or cold."""
    glasses = (
        (255, 250, 240),
        (246, 251, 255),
        (255, 248, 236),
        (250, 255, 250),
        (255, 246, 246),
        (248, 248, 255),
    )
    which = seed % len(glasses)
    lift = (6, 0, 10, 2, 8, 0)[which]
    full = tones.curve(picture, (0, lift), (60, 54 + lift // 2), (128, 132), (196, 206), (255, 254))
    return tones.vivid(
        tones.through(full, glasses[which]), (1.16, 1.05, 1.22, 1.1, 1.0, 1.3)[which]
    )
