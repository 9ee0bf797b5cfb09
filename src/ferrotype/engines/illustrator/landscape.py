# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""Open country: sky, ranges, water with its reflections, land in folds, and a foreground."""

import random
from collections.abc import Iterator

from ferrotype.engines.illustrator import cast, places, sky
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
from ferrotype.engines.illustrator.field import foreground, front_line, named, wildflowers
from ferrotype.engines.illustrator.ground import Ground, Line, bed, down, fold, ridge, survey
from ferrotype.engines.illustrator.light import dark, mix, pale
from ferrotype.engines.illustrator.trees import tree, wood

LAND_OPEN = ("meadow", "beach", "desert", "snowfield")


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
    land(drawing, ground, far)
    yield
    cast.aloft(drawing, ground)
    if named(drawing):
        wildflowers(drawing, ground, range(0, round(front_line(drawing, ground))))
    cast.ashore(drawing, ground)
    yield
    if drawing.scene.ground in LAND_OPEN:
        foreground(drawing, ground)
    sky.weather(drawing)
    yield


def ranges(drawing: Drawing, ground: Ground) -> None:
    """Raise what stands at the horizon: mountains, hills, a forest, or low far shores."""
    scene, dice, w, base = drawing.scene, drawing.dice("ranges"), drawing.width, ground.horizon + 1
    if scene.ground in ("seabed", "space", "moonscape"):
        return
    reach = min(base * 0.62, ground.u * 42)
    if scene.backdrop == "mountains":
        for k, (high, far) in enumerate(((0.98, 0.55), (0.7, 0.34))):
            count = max(2, round(w / ground.u / (34 - 6 * k)))
            mountain(drawing, ridge(dice, w, base, reach * high, count), base, far, dice)
        mist = drawing.ink.haze
        drawing.put(
            bands(0, base - reach * 0.42, w, reach * 0.42, ((0.0, mist, 0.0), (1.0, mist, 0.6)))
        )
    if scene.backdrop == "city":
        places.skyline(drawing, ground)
    if scene.ground == "street":
        if scene.backdrop in ("", "city") and not scene.water:
            places.terrace(drawing, ground)
        return
    open_sea = scene.backdrop == "city" or scene.water == "sea" or scene.ground == "beach"
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


PLAINS = {"seabed": places.seabed, "moonscape": places.craters}


def land(drawing: Drawing, ground: Ground, far: str) -> None:
    """Lay the near land in folds, each nearer one deeper in colour; a river where one is asked."""
    if drawing.scene.ground == "street":
        places.road(drawing, ground, far)
        return
    if plain := PLAINS.get(drawing.scene.ground):
        plain(drawing, ground)
        return
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
    for k, (at, high, haze) in enumerate(steps):
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
            drawing.put(path(down(lower, h + 2), ink(shown, haze * (1 - part))))
        if k == len(steps) - 1 and drawing.scene.water == "river":
            river(drawing, ground, top + span * 0.03)
        if k < len(steps) - 1:
            copse(drawing, ground, line, haze - 0.34 * shore, dice)


def river(drawing: Drawing, ground: Ground, top: float) -> None:
    """Wind a river from the horizon to the lower edge."""
    rows = [top + (drawing.height + 1 - top) * (k / 24) ** 1.25 for k in range(25)]
    banks = [(bed(drawing, ground, y), y) for y in rows]
    left, right = ([(bank[side], y) for bank, y in banks] for side in (0, 1))
    tones = [mix(c, drawing.ink("#3a86a8"), 0.3) for c in reversed(drawing.ink.sky)]
    edge = f'stroke="{drawing.ink(dark(ground.land, 0.3))}" stroke-width="{ground.u * 0.3:.1f}"'
    drawing.put(path(points([*left, *reversed(right)]), drawing.linear(stops(*tones)), edge))


def copse(drawing: Drawing, ground: Ground, line: Line, far: float, dice: random.Random) -> None:
    """Set a few trees on a fold, never in its middle, where the subjects stand.

    `far`: how hazy they are; below nothing they are only larger.
    """
    scene, w = drawing.scene, drawing.width
    if scene.ground in ("desert", "beach") or "tree" in scene.absent:
        return
    firs = scene.backdrop == "mountains" or scene.season == "winter"
    wooded = scene.backdrop == "forest"
    mixed = ("tree", "tree" if scene.season == "autumn" else "pine")
    n = max(3, round(w / ground.u / 22)) + (10 if wooded else 0)
    kinds = ("pine", "pine") if firs else mixed if wooded else ("tree", "tree")
    symbols = [tree(drawing, kind, max(0.0, far), dice) for kind in kinds]
    for _ in range(n):
        side = 0.34 if wooded else 0.26
        part = dice.choice((dice.uniform(0.0, side), dice.uniform(1 - side, 1.0)))
        x, y = line[min(len(line) - 1, 1 + int(part * 36))]
        high = ground.u * dice.uniform(0.8, 1.25) * (1.45 - far * 2.2) * (1.4 if wooded else 1)
        drawing.put(drawing.shade(x + high, y, high * 3, high * 0.4, 0.25))
        drawing.put(use(dice.choice(symbols), x, y + high * 0.2, high, 0, dice.random() < 0.5))
