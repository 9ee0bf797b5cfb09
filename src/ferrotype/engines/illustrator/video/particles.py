"""Rain, snow, petals, leaves, fireflies, dust: a few hundred small marks, each a path in time."""

import random
import re

import numpy as np
from msgspec import Struct
from PIL import Image, ImageDraw, ImageFilter

from ferrotype.engines.illustrator.light import rgb
from ferrotype.engines.illustrator.scene import Scene
from ferrotype.engines.illustrator.video.planes import Plane, Planes, blend

WORDS = {
    "petals": r"petal|blossom|sakura|花瓣|樱花|落花",
    "leaves": r"falling leaves|autumn leaves|leaves fall|落叶|枫叶",
    "fireflies": r"firefl(y|ies)|萤火虫",
    "snow": r"snowfall|snowing|snowflake|下雪|飘雪|雪花|大雪",
    "rain": r"\brain|raining|下雨|雨中|大雨",
    "dust": r"dust motes|sparkl|魔法|magic|尘",
}


class Kind(Struct, frozen=True, kw_only=True):
    """One kind: how many at 1080 lines, sizes and speeds in its pixels, colours."""

    count: int
    sizes: tuple[float, ...]
    fall: tuple[float, float]
    drift: tuple[float, float]
    sway: float
    colours: tuple[str, ...]
    shape: str
    power: float = 1.0
    top: float = 0.0
    blink: bool = False


KINDS = {
    "rain": Kind(count=210, sizes=(0.7, 0.9, 1.0, 1.3), fall=(1500, 2100),
                 drift=(-430, -430), sway=0, colours=("#e9f1fb",), shape="streak", power=0.42),
    "snow": Kind(count=230, sizes=(2.0, 2.6, 3.4, 4.6, 6.4), fall=(55, 130),
                 drift=(-26, 12), sway=26, colours=("#ffffff",), shape="dot", power=0.92),
    "petals": Kind(count=46, sizes=(8, 10, 13), fall=(50, 100), drift=(-70, -20), sway=44,
                   colours=("#ffd3e0", "#f9b4ca", "#fff0f4"), shape="petal", power=0.95),
    "leaves": Kind(count=30, sizes=(10, 13, 16), fall=(60, 120), drift=(-60, 10), sway=60,
                   colours=("#d98032", "#c2522b", "#e3b044"), shape="petal", power=0.95),
    "fireflies": Kind(count=44, sizes=(7, 9, 12), fall=(-12, 8), drift=(-14, 14), sway=40,
                      colours=("#fff2a0", "#ffe070"), shape="glow", power=0.95, top=0.48,
                      blink=True),
    "dust": Kind(count=36, sizes=(3, 4, 6), fall=(-14, 6), drift=(4, 18), sway=20,
                 colours=("#fff6dc",), shape="glow", power=0.55, blink=True),
}  # fmt: skip


def choose(prompt: str, scene: Scene | None) -> str | None:
    """Return the kind that fits a prompt's words, else the scene's weather, season and hour."""
    text = prompt.lower()
    for kind, words in WORDS.items():
        if re.search(words, text):
            return kind
    if scene is None:
        return "dust"
    if scene.weather in ("rain", "storm", "snow"):
        return "snow" if scene.weather == "snow" else "rain"
    if scene.template == "landscape" and scene.time in ("night", "evening"):
        return "fireflies" if scene.ground == "meadow" and scene.season != "winter" else None
    if any(subject.concept == "cherry" for subject in scene.subjects):
        return "petals"
    if scene.season == "autumn":
        return "leaves"
    if scene.template == "shop":
        return "petals" if scene.trade == "flower" else "dust"
    return "dust" if scene.ground == "meadow" and scene.template != "card" else None


def stamp(shape: str, size: float, turn: int) -> Image.Image:
    """Draw one mark in grey, large enough for sixteen places within a pixel."""
    k, reach = 8, {"streak": 46 * size, "glow": 4 * size}.get(shape, 2 * size + 2)
    side = int(reach + 4) // 2 * 2 + 2
    sheet = Image.new("L", (side * k, side * k))
    pen, mid = ImageDraw.Draw(sheet), side * k / 2
    if shape == "streak":
        dx, dy = 4.7 * size * k, 20 * size * k
        pen.line((mid + dx, mid - dy, mid - dx, mid + dy), 255, round(1.9 * size * k))
    elif shape == "dot":
        pen.ellipse((mid - size * k, mid - size * k, mid + size * k, mid + size * k), 255)
        sheet = sheet.filter(ImageFilter.BoxBlur(size * k * 0.3))
    elif shape == "petal":
        thin = (0.34, 0.6, 0.85, 0.6)[turn % 4]
        pen.ellipse(
            (mid - size * k, mid - size * k * thin, mid + size * k, mid + size * k * thin), 255
        )
        sheet = sheet.rotate(turn * 30, Image.Resampling.BILINEAR)
    else:
        ramp = np.hypot(*np.meshgrid(*[np.linspace(-1, 1, side * k)] * 2))
        soft = np.clip(1 - ramp, 0, 1) ** 3 * 0.7 + np.clip(1 - ramp * 4, 0, 1) * 0.8
        sheet = Image.fromarray((np.clip(soft, 0, 1) * 255).astype(np.uint8))
    return sheet


class Particles:
    """Marks of one kind over a picture; `at` gives the same marks for the same time."""

    def __init__(self, name: str, size: tuple[int, int], seed: int) -> None:
        kind, self.size = KINDS[name], size
        dice, self.unit = random.Random(f"{seed}:{name}"), min(size) / 1080
        self.kind, w, h = kind, *size
        many = round(kind.count * min(2.2, max(0.6, w * h / min(size) ** 2 / 1.78)))
        self.pad = 60 * self.unit
        turns = 12 if kind.shape == "petal" else 1
        scales = [max(0.6 if kind.shape == "streak" else 0.8, s * self.unit) for s in kind.sizes]
        self.masks = [[places(stamp(kind.shape, s, turn)) for turn in range(turns)] for s in scales]
        self.tones = [yuv(colour) for colour in kind.colours]
        self.marks = []
        for _ in range(many):
            depth = dice.randrange(len(scales))
            speed = 0.75 + 0.5 * depth / max(1, len(scales) - 1)
            place = (dice.random() * (w + 2 * self.pad), dice.random() * (h + 2 * self.pad))
            way = (dice.uniform(*side) * speed * self.unit for side in (kind.drift, kind.fall))
            turn = (dice.uniform(0, 6.283), dice.uniform(0.5, 1.3))
            self.marks.append((*place, *way, *turn, depth, dice.randrange(len(self.tones))))
        self.table = np.array(self.marks)

    def onto(self, canvas: Planes, seconds: float, strength: float = 1.0) -> None:
        """Draw the marks of one moment; `strength` fades them all."""
        w, h = self.size
        x0, y0, vx, vy, phase, pace = self.table.T[:6]
        floor = h * self.kind.top
        wide, high = w + 2 * self.pad, h - floor + 2 * self.pad
        swing = np.sin(phase + seconds * pace * 1.6) * self.kind.sway * self.unit
        xs = (x0 + vx * seconds + swing) % wide - self.pad
        ys = (y0 + vy * seconds + swing * 0.25) % high - self.pad + floor
        glow = np.full(len(xs), self.kind.power * strength)
        if self.kind.blink:
            glow *= np.clip(0.5 + 0.75 * np.sin(phase * 3 + seconds * pace * 2.2), 0, 1)
        turn = ((phase * 2 + seconds * pace * 5) % 12).astype(int)
        for i, (x, y) in enumerate(zip(xs.tolist(), ys.tolist(), strict=True)):
            if glow[i] < 0.02:
                continue
            depth, tone = int(self.table[i, 6]), self.tones[int(self.table[i, 7])]
            masks = self.masks[depth]
            lay(canvas, masks[turn[i] % len(masks)], tone, x, y, round(128 * glow[i]))


def yuv(colour: str) -> tuple[int, int, int]:
    """Return a colour's luma and chroma."""
    r, g, b = (part / 255 for part in rgb(colour))
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return (
        round(16 + 219 * y),
        round(128 + 224 * (b - y) / 1.8556),
        round(128 + 224 * (r - y) / 1.5748),
    )


def places(sheet: Image.Image) -> list[tuple[Plane, Plane]]:
    """Return a mark's alpha at sixteen places within two pixels: luma and chroma."""
    made = []
    side = sheet.width // 8
    for j in range(4):
        for i in range(4):
            moved = Image.new("L", (sheet.width + 16, sheet.width + 16))
            moved.paste(sheet, (i * 4, j * 4))
            fine = moved.reduce(8).point(lambda a: (a * 128 + 127) // 255)
            made.append((np.asarray(fine), np.asarray(fine.reduce(2))))
    assert made[0][0].shape[0] == side + 2
    return made


def lay(
    canvas: Planes,
    masks: list[tuple[Plane, Plane]],
    tone: tuple[int, int, int],
    x: float,
    y: float,
    strength: int,
) -> None:
    """Blend one mark, its middle at (x, y), clipped to the canvas."""
    side = masks[0][0].shape[0] - 2
    halves = round((x - side / 2) * 2), round((y - side / 2) * 2)
    left, top = halves[0] // 4 * 2, halves[1] // 4 * 2
    mask = masks[halves[1] % 4 * 4 + halves[0] % 4]
    for index, plane in enumerate(canvas):
        k = 1 if index == 0 else 2
        alpha, px, py = mask[min(index, 1)], left // k, top // k
        x1, y1 = max(0, px), max(0, py)
        x2, y2 = min(plane.shape[1], px + alpha.shape[1]), min(plane.shape[0], py + alpha.shape[0])
        if x1 < x2 and y1 < y2:
            veil = alpha[y1 - py : y2 - py, x1 - px : x2 - px].astype(np.uint16) * strength >> 7
            blend(plane[y1:y2, x1:x2], tone[index], veil.astype(np.uint8))
