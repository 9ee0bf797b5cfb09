# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""Open country: sky, ranges, water with its reflections, land in folds, and a foreground."""

import math
import random
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from ferrotype.engines.illustrator import cast, sky
from ferrotype.engines.illustrator.drawing import (
    Drawing,
    bands,
    ellipse,
    group,
    path,
    points,
    rect,
    stops,
    stroke,
    use,
)
from ferrotype.engines.illustrator.flora import COLOURS, bloom
from ferrotype.engines.illustrator.light import dark, mix, pale
from ferrotype.engines.illustrator.trees import tree, wood

Line = list[tuple[float, float]]
LAND = {
    "meadow": {"spring": "#8cc25f", "summer": "#79b454", "autumn": "#c0a552", "winter": "#eef3f8"},
    "beach": {"": "#ecd5a4"},
    "desert": {"": "#e3b473"},
    "snowfield": {"": "#eff4f9"},
}


class Ground(Struct, frozen=True, kw_only=True):
    """The lie of the land, in pixels: horizon, near shore (or horizon), and the unit."""

    horizon: float
    shore: float
    u: float
    sun: float
    land: str


def survey(drawing: Drawing) -> Ground:
    """Choose horizon and shore for the picture's ratio."""
    w, h, scene = drawing.width, drawing.height, drawing.scene
    tall = min(1.0, max(0.0, (h / w - 1) / 2))
    horizon = h * (0.47 + 0.1 * tall + drawing.dice("horizon").uniform(-0.03, 0.03))
    wet = scene.water in ("lake", "sea", "water") or scene.ground == "beach"
    part = {"lake": 0.52, "water": 0.52}.get(scene.water, 0.5 if scene.ground == "beach" else 1.2)
    kind = LAND[scene.ground]
    return Ground(
        horizon=horizon, shore=horizon + (h - horizon) * part if wet else horizon,
        u=min(w, h * 1.25) / 100, sun=w * 0.3, land=kind.get(scene.season) or next(iter(kind.values())),
    )  # fmt: skip


def draw(drawing: Drawing) -> Iterator[None]:
    """Draw the scene from back to front, pausing after each layer."""
    ground = survey(drawing)
    sun, _ = sky.heaven(drawing, ground.horizon)
    yield
    start = len(drawing.parts)
    ranges(drawing, ground)
    far = "".join(drawing.parts[start:])
    yield
    if ground.shore > ground.horizon:
        water(drawing, ground, far, sun)
        yield
    cast.afloat(drawing, ground)
    land(drawing, ground)
    yield
    cast.aloft(drawing, ground)
    if named(drawing):
        wildflowers(drawing, ground, range(0, round(front_line(drawing, ground))))
    cast.ashore(drawing, ground)
    yield
    foreground(drawing, ground)
    sky.weather(drawing)
    yield


def ridge(dice: random.Random, w: float, base: float, high: float, peaks: int) -> Line:
    """Return the outline of a range, from left to right: sharp peaks by midpoint displacement."""
    line: Line = [(-20, base - high * dice.uniform(0.2, 0.6))]
    for k in range(peaks):
        x = (k + 0.5 + dice.uniform(-0.25, 0.25)) / peaks * w
        line.append((x, base - high * dice.uniform(0.62, 1)))
        line.append(((k + 1) / peaks * w, base - high * dice.uniform(0.12, 0.4)))
    line[-1] = (w + 20, line[-1][1])
    for rough in (0.16, 0.08, 0.04):
        finer: Line = [line[0]]
        for (x1, y1), (x2, y2) in pairwise(line):
            finer.append(((x1 + x2) / 2, (y1 + y2) / 2 + dice.uniform(-rough, rough) * high))
            finer.append((x2, y2))
        line = finer
    return line


def fold(dice: random.Random, w: float, base: float, high: float, waves: float) -> Line:
    """Return the outline of a soft fold of land, from left to right."""
    a, b = dice.uniform(0, 6.283), dice.uniform(0, 6.283)
    return [
        (
            x,
            base
            - high
            * (
                0.5
                + 0.38 * math.sin(x / w * waves * 6.283 + a)
                + 0.12 * math.sin(x / w * waves * 15 + b)
            ),
        )
        for x in (w * k / 36 for k in range(-1, 38))
    ]


def down(line: Line, floor: float) -> str:
    """Close an outline down to a floor."""
    return points([*line, (line[-1][0], floor), (line[0][0], floor)])


def ranges(drawing: Drawing, ground: Ground) -> None:
    """Raise what stands at the horizon: mountains, hills, a forest, or low far shores."""
    scene, dice, w, base = drawing.scene, drawing.dice("ranges"), drawing.width, ground.horizon + 1
    reach = min(base * 0.62, ground.u * 42)
    if scene.backdrop == "mountains":
        for k, (high, far) in enumerate(((0.98, 0.55), (0.7, 0.34))):
            count = max(2, round(w / ground.u / (34 - 6 * k)))
            mountain(drawing, ridge(dice, w, base, reach * high, count), base, far, dice)
        mist = drawing.ink.haze
        drawing.put(
            bands(0, base - reach * 0.42, w, reach * 0.42, ((0.0, mist, 0.0), (1.0, mist, 0.6)))
        )
    open_sea = scene.water == "sea" or scene.ground == "beach"
    if not open_sea or scene.backdrop == "hills":
        dune = scene.ground == "desert"
        for high, far in ((0.26, 0.5), (0.15, 0.3)):
            line = fold(dice, w, base, reach * high, 1.3 + w / ground.u / 160)
            tone = "#d9a870" if dune else mix("#5f8f70", ground.land, 0.3)
            drawing.put(path(down(line, base), drawing.ink(tone, far)))
        if not dune:
            edge = fold(dice, w, base, reach * 0.05, 2)
            tall = ground.u * (9 if scene.backdrop == "forest" else 4.2)
            if scene.backdrop == "forest":
                drawing.put(
                    wood(drawing, [(x, y - tall * 0.3) for x, y in edge], tall * 1.2, 0.45, dice)
                )
            drawing.put(
                wood(drawing, edge, tall, 0.22, dice),
                rect(
                    0, base - ground.u * 0.7, w, ground.u, drawing.ink(dark(ground.land, 0.2), 0.25)
                ),
            )


def mountain(drawing: Drawing, line: Line, base: float, far: float, dice: random.Random) -> None:
    """Draw a range: body, shaded eastern faces, snow above a ragged line."""
    ink = drawing.ink
    top = min(y for _, y in line)
    drawing.put(path(down(line, base), ink("#7488a8", far)))
    white, blue = ink("#fbfdff", far * 0.4), ink("#b9cbe2", far * 0.5)
    for k in range(1, len(line) - 1):
        x, y = line[k]
        if not (y < line[k - 1][1] and y < line[k + 1][1]) or base - y < (base - top) * 0.42:
            continue
        deep = (base - y) * dice.uniform(0.3, 0.42)
        left, right = slope(line, k, -1, y + deep), slope(line, k, 1, y + deep)
        foot = (x + (right[-1][0] - x) * 0.3, base)
        drawing.put(
            path(
                points([(x, y), *slope(line, k, 1, base - (base - y) * 0.12), foot]),
                ink("#4c5f84", far),
                'opacity="0.34"',
            )
        )
        ragged = [
            (
                right[-1][0] + (left[-1][0] - right[-1][0]) * t / 6,
                y + deep * (0.98 if t % 2 else 0.66),
            )
            for t in range(1, 6)
        ]
        drawing.put(path(points([(x, y), *right, *ragged, *reversed(left)]), white))
        drawing.put(
            path(points([(x, y), *right, *ragged[:2], (x + deep * 0.1, y + deep * 0.5)]), blue)
        )


def slope(line: Line, k: int, step: int, floor: float) -> Line:
    """Return the outline from peak `k` in a direction, down to a floor or the next rise."""
    found: Line = []
    while (
        0 < k + step < len(line) - 1
        and line[k + step][1] > line[k][1]
        and line[k + step][1] < floor
    ):
        k += step
        found.append(line[k])
    return found or [(line[k][0] + step, line[k][1] + 1)]


def water(drawing: Drawing, ground: Ground, far: str, sun: float) -> None:
    """Lay the water: the sky's colours upside down, the far shore mirrored, ripples, a light path."""
    w, y, low = drawing.width, ground.horizon, min(drawing.height, ground.shore + 4 * ground.u)
    ink, dice = drawing.ink, drawing.dice("water")
    tones = [
        mix(c, ink("#2c6f92"), 0.3 + 0.14 * k) for k, c in enumerate(reversed(drawing.ink.sky))
    ]
    drawing.put(bands(0, y, w, low - y, stops(*tones)))
    box = drawing.clip(rect(0, y, w, low - y, "#fff"))
    mirror = group(far, f'transform="translate(0 {2 * y:.1f}) scale(1 -1)" opacity="0.5"')
    drawing.put(group(mirror, box))
    if drawing.scene.weather in ("clear", "snow"):
        for k in range(46):
            part = ((k + 0.5) / 46) ** 1.5
            wide = ground.u * (1.2 + 7 * part) * dice.uniform(0.4, 1.1)
            at = sun + dice.gauss(0, ground.u * (0.6 + 3.4 * part))
            drawing.put(
                ellipse(
                    at,
                    y + (low - y) * part,
                    wide,
                    ground.u * (0.08 + 0.2 * part),
                    drawing.ink.sun,
                    'opacity="0.42"',
                )
            )
    for k in range(90):
        part = ((k + dice.random()) / 90) ** 1.4
        x, wide = dice.random() * w, ground.u * (1.5 + 9 * part) * dice.uniform(0.5, 1.4)
        tone = "#ffffff" if dice.random() < 0.6 else ink("#1f5674")
        line = f"M{x - wide:.1f} {y + (low - y) * part:.1f}q{wide:.1f} {-ground.u * (0.1 + 0.5 * part):.1f} {2 * wide:.1f} 0"
        drawing.put(
            stroke(line, tone, ground.u * (0.1 + 0.2 * part), f'opacity="{0.12 + 0.2 * part:.2f}"')
        )
    haze = ((0.0, drawing.ink.haze, 0.65), (1.0, drawing.ink.haze, 0.0))
    drawing.put(bands(0, y, w, (low - y) * 0.22, haze))


def land(drawing: Drawing, ground: Ground) -> None:
    """Lay the near land in folds, each nearer one deeper in colour; a river where one is asked."""
    w, h, dice, ink = drawing.width, drawing.height, drawing.dice("land"), drawing.ink
    if ground.shore > h:
        return
    shore = ground.shore > ground.horizon
    top, span = ground.shore, h - ground.shore
    steps = (
        ((0.06, 0.1, 0.0), (0.42, 0.16, 0.0))
        if shore
        else ((0.03, 0.05, 0.26), (0.2, 0.12, 0.12), (0.5, 0.16, 0.0))
    )
    if not shore:
        drawing.put(rect(0, top - 1, w, span * 0.2, ink(ground.land, steps[0][2])))
    for k, (at, high, far) in enumerate(steps):
        line = fold(dice, w, top + span * at, span * high, 0.7 + 0.25 * k)
        tone = dark(ground.land, 0.03 * k)
        if k == 0 and shore:
            wash = [(x, y - ground.u * 0.7) for x, y in line]
            drawing.put(path(down(wash, h), "#ffffff", 'opacity="0.55"'))
        lip = pale(tone, 0.11) if drawing.scene.ground != "beach" or k else dark(tone, 0.16)
        for n in range(14):
            part = (n / 14) ** 1.7
            lower = [(x, y + part * span * 0.9) for x, y in line]
            shown = (
                mix(lip, tone, min(1, n / 4)) if n < 4 else mix(tone, dark(tone, 0.2), (n - 4) / 10)
            )
            drawing.put(path(down(lower, h + 2), ink(shown, far * (1 - part))))
        if k == len(steps) - 1 and drawing.scene.water == "river":
            river(drawing, ground, top + span * 0.03)
        if k < len(steps) - 1:
            copse(drawing, ground, line, far, dice)


def bed(drawing: Drawing, ground: Ground, y: float) -> tuple[float, float]:
    """Return where the river's banks lie in the pixel row `y`."""
    w, h, top = drawing.width, drawing.height, ground.shore + (drawing.height - ground.shore) * 0.03
    side = drawing.dice("river").choice((-1, 1))
    part = max(0.0, (y - top) / (h - top)) ** 0.8
    mid = w * (0.5 + side * (0.06 + 0.26 * part)) + side * w * 0.07 * math.sin(part * 7)
    half = ground.u * (0.7 + 17 * part**1.7)
    return mid - half, mid + half


def river(drawing: Drawing, ground: Ground, top: float) -> None:
    """Wind a river from the horizon to the lower edge."""
    rows = [top + (drawing.height + 1 - top) * (k / 24) ** 1.25 for k in range(25)]
    banks = [(bed(drawing, ground, y), y) for y in rows]
    left, right = ([(bank[side], y) for bank, y in banks] for side in (0, 1))
    tones = [mix(c, drawing.ink("#3a86a8"), 0.3) for c in reversed(drawing.ink.sky)]
    edge = f'stroke="{drawing.ink(dark(ground.land, 0.3))}" stroke-width="{ground.u * 0.8:.1f}"'
    drawing.put(path(points([*left, *reversed(right)]), drawing.linear(stops(*tones)), edge))


def copse(drawing: Drawing, ground: Ground, line: Line, far: float, dice: random.Random) -> None:
    """Set a few trees on a fold, never in its middle, where the subjects stand."""
    scene, w = drawing.scene, drawing.width
    if scene.ground in ("desert", "beach") or "tree" in scene.absent:
        return
    firs = scene.backdrop in ("mountains", "forest") or scene.season == "winter"
    kind = "pine" if firs else "tree"
    n = max(3, round(w / ground.u / 22)) + (4 if scene.backdrop == "forest" else 0)
    symbols = [tree(drawing, kind, far, dice) for _ in range(2)]
    for _ in range(n):
        part = dice.choice((dice.uniform(0.0, 0.26), dice.uniform(0.74, 1.0)))
        x, y = line[min(len(line) - 1, 1 + int(part * 36))]
        high = ground.u * dice.uniform(0.8, 1.25) * (1.45 - far * 2.2)
        drawing.put(drawing.shade(x + high, y, high * 3, high * 0.4, 0.25))
        drawing.put(use(dice.choice(symbols), x, y + high * 0.2, high, 0, dice.random() < 0.5))


def foreground(drawing: Drawing, ground: Ground) -> None:
    """Grow grass and flowers along the lower edge, or scatter shells, stones, ripples of sand."""
    w, h, dice, ink, u = drawing.width, drawing.height, drawing.dice("grass"), drawing.ink, ground.u
    if ground.shore > h:
        return
    if drawing.scene.ground != "meadow":
        for _ in range(26):
            x, y = dice.random() * w, h - dice.random() ** 1.5 * (h - ground.shore) * 0.5
            drawing.put(
                stroke(
                    f"M{x:.1f} {y:.1f}q{3 * u:.1f} {-u * 0.8:.1f} {7 * u:.1f} 0",
                    ink(dark(ground.land, 0.14)),
                    u * 0.2,
                    'opacity="0.6"',
                )
            )
        return
    for row in range(4):
        tone = ink(mix(dark(ground.land, 0.3), pale(ground.land, 0.2), (0.2, 0.75, 0.0, 1.0)[row]))
        d = ""
        for _ in range(int(w / u * 2.6)):
            y = h - (h - ground.shore) * (0.34 - 0.11 * row) * dice.random() + u
            tall, lean = u * dice.uniform(1.8, 4.4) * (0.55 + row * 0.22), u * dice.uniform(-1, 1)
            if dry(drawing, ground, x := dice.random() * w, y):
                d += blade(x, y, tall, lean, u)
        drawing.put(path(d, tone))
    first = round(front_line(drawing, ground)) if named(drawing) else 0
    wildflowers(drawing, ground, range(first, h + 1))


def named(drawing: Drawing) -> bool:
    """Say whether the prompt asks for flowers."""
    return any(s.concept in (*COLOURS, "flower") for s in drawing.scene.subjects)


def front_line(drawing: Drawing, ground: Ground) -> float:
    """Return the pixel row before which nothing stands but grass and flowers."""
    return drawing.height - (drawing.height - ground.shore) * 0.22


def dry(drawing: Drawing, ground: Ground, x: float, y: float) -> bool:
    """Say whether a point of the foreground lies on land."""
    if drawing.scene.water != "river":
        return True
    left, right = bed(drawing, ground, y)
    return not left - ground.u < x < right + ground.u


def blade(x: float, y: float, tall: float, lean: float, u: float) -> str:
    """Return a blade of grass as part of a path."""
    up = f"M{x - u * 0.16:.1f} {y:.1f}Q{x:.1f} {y - tall * 0.6:.1f} {x + lean:.1f} {y - tall:.1f}"
    return f"{up}Q{x + u * 0.2:.1f} {y - tall * 0.5:.1f} {x + u * 0.18:.1f} {y:.1f}Z"


def wildflowers(drawing: Drawing, ground: Ground, rows: range) -> None:
    """Strew flowers over pixel rows: those the prompt names, far into the field; else a few."""
    scene, w, h, u = drawing.scene, drawing.width, drawing.height, ground.u
    if "flower" in scene.absent or scene.season == "winter":
        return
    dice, lush, asked = drawing.dice("flowers"), named(drawing), list(scene.subjects)
    kinds = [s.concept for s in asked if s.concept in COLOURS] or ["daisy", "poppy", "hydrangea"]
    blooms = [(kind, colour) for kind in kinds for colour in cast.dyes(asked, kind)]
    reach = (h - ground.shore) * (0.86 if lush else 0.36)
    stems, found = "", []
    for _ in range(int(w / u * (6 if lush else 0.5))):
        deep = dice.random() ** 0.8
        x, y = dice.random() * w, h - reach * deep
        size = u * (1.5 - 1.1 * deep) * (1.0 if lush else 0.75)
        size *= 1.7 if kinds == ["lavender"] else 1.0  # a spike, not a disc
        if round(y) in rows and dry(drawing, ground, x, y):
            stems += f"M{x:.1f} {y + size * 3:.1f}Q{x + u * 0.2:.1f} {y + size:.1f} {x:.1f} {y:.1f}"
            found.append((y, x, max(1.0, round(size * 2) / 2), dice.choice(blooms)))
    drawing.put(stroke(stems, drawing.ink(dark(ground.land, 0.35)), u * 0.16))
    for y, x, size, (kind, colour) in sorted(found):
        blossom(drawing, kind, colour, size, (x, y), dice.random() < 0.5)


def blossom(
    drawing: Drawing, kind: str, colour: str, size: float, at: tuple[float, float], flip: bool
) -> None:
    """Paste one flower of the field, its middle at a point."""

    def paint(small: Drawing) -> None:
        small.put(use(bloom(small, kind, colour, 0.05), 0, 0, size, 10))

    box = (-1.3 * size - 1, -1.3 * size - 1, 1.3 * size + 1, 2 * size + 1)
    drawing.paste(("blossom", kind, colour, size), box, paint, at, flip)
