# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""What lies before a shop front: paving, buckets, shrubs, lamplight; and what lies behind it."""

import random

from ferrotype.engines.illustrator import sky
from ferrotype.engines.illustrator.drawing import (
    Drawing,
    bands,
    ellipse,
    group,
    rect,
    stops,
    stroke,
)
from ferrotype.engines.illustrator.flora import BLOOMS, bouquet, pot
from ferrotype.engines.illustrator.front import Front
from ferrotype.engines.illustrator.light import dark, mix

STONES = ("#b9aea2", "#a69b92", "#c6bbab", "#9a928d", "#b3a08e")


def behind(drawing: Drawing, front: Front) -> None:
    """Fill what the shop leaves free at its sides: sky, and two neighbours in other colours."""
    if front.left < 1:
        return
    sky.heaven(drawing, front.ground)
    tones = drawing.dice("neighbours").sample(
        ("#d9c7a8", "#b8937f", "#a3b0a0", "#c7b2b6", "#93a3b5"), 2
    )
    for side, tone in zip((-1, 1), tones, strict=True):
        neighbour(drawing, front, side, tone)


def neighbour(drawing: Drawing, front: Front, side: int, tone: str) -> None:
    """Draw the house next door, a little back and in shade."""
    ink, u = drawing.ink, front.u
    near = front.left if side < 0 else front.right
    x = 0.0 if side < 0 else near
    w = near if side < 0 else drawing.width - near
    top = front.y(66 + 12 * (side > 0))
    body = ink(tone)
    drawing.put(
        rect(x, top, w, front.ground - top, body),
        rect(x, top - 2 * u, w, 2.4 * u, ink(dark(tone, 0.45))),
    )
    pitch = 15 * u
    for k in range(int(w / pitch)):
        px = near + side * (k + 0.5) * pitch
        for up in (12, 40):
            glass = (
                stops("#ffe2a0", "#f2b765")
                if drawing.ink.lamps > 0.7
                else stops(ink("#c9dbe4"), ink("#7f99ab"))
            )
            drawing.put(
                rect(px - 4.6 * u, front.y(up + 20.6), 9.2 * u, 21.2 * u, ink("#f3ebdc"), 0.3 * u),
                rect(px - 4 * u, front.y(up + 20), 8 * u, 20 * u, drawing.linear(glass)),
                stroke(
                    f"M{px:.1f} {front.y(up + 20):.1f}V{front.y(up):.1f}M{px - 4 * u:.1f} {front.y(up + 11):.1f}h{8 * u:.1f}",
                    ink("#f3ebdc"),
                    0.7 * u,
                ),
            )


def pavement(drawing: Drawing, front: Front) -> None:
    """Pave the ground with cobbles that grow towards the viewer; wet or snowed on as it is."""
    ink, dice = drawing.ink, drawing.dice("cobbles")
    w, top, high = drawing.width, front.ground, drawing.height - front.ground
    drawing.put(rect(0, top, w, high + 1, ink("#786f66")))
    y, row, step = top, 0, max(1.6 * front.u, high / 16)
    while y < drawing.height:
        long = step * 1.75
        x = -long * dice.random()
        while x < w:
            wide = long * dice.uniform(0.75, 1.25)
            tone = mix(dice.choice(STONES), dice.choice(STONES), dice.random())
            tone = dark(tone, 0.3 * (1 - (y - top) / high))
            drawing.put(
                rect(x, y + step * 0.06, wide - step * 0.12, step * 0.9, ink(tone), step * 0.32)
            )
            x += wide
        y, row, step = y + step, row + 1, step * 1.13
    shade = ((0.0, "#15122a", 0.5), (0.4, "#15122a", 0.12), (1.0, "#15122a", 0.0))
    drawing.put(bands(0, top, w, high * 0.7, shade))
    if drawing.scene.weather == "snow":
        snow = (
            (0.0, ink("#dfe8f2"), 0.75),
            (0.3, ink("#eef3f9"), 0.94),
            (1.0, ink("#fbfdff"), 0.97),
        )
        drawing.put(bands(0, top, w, high + 1, snow))


def buckets(drawing: Drawing, front: Front, x1: float, x2: float, dice: random.Random) -> None:
    """Line up two tiers of flower buckets between x1 and x2, each with one kind of flower."""
    u, ink = front.u, drawing.ink
    wide = x2 - x1
    count = max(2, round(wide / (7.6 * u)))
    kinds = dice.sample(sorted(BLOOMS), min(len(BLOOMS), 2 * count))
    back = front.ground + 2.2 * u
    bench = drawing.linear(stops(ink("#b98a57"), ink("#7c5630")))
    drawing.put(drawing.shade(x1 + wide / 2, back, wide * 0.6, 1.8 * u, 0.4))
    drawing.put(rect(x1 - u, front.y(5.4), wide + 2 * u, 1.5 * u, bench, 0.3 * u))
    for foot in (x1 + u, x2 - 2.4 * u):
        drawing.put(rect(foot, front.y(4), 1.4 * u, back - front.y(4), ink("#7c5630")))
    for k in range(count):
        x = x1 + (k + 0.5) / count * wide
        r = dice.uniform(2.8, 3.2) * u
        pot(drawing, x, front.y(5.3), r, 5.2 * u, dice.choice(("zinc", "clay", "enamel", "cream")))
        bouquet(drawing, x, front.y(10.4), r * 1.12, kinds[k % len(kinds)], dice)
    depth = drawing.height - front.ground
    for k in range(count):
        x = x1 + (k + 0.5) / count * wide + dice.uniform(-0.6, 0.6) * u
        r = dice.uniform(3.3, 3.8) * u
        foot = front.ground + min(depth * 0.66, 9 * u) + dice.uniform(-0.8, 0.8) * u
        high = dice.uniform(6.2, 7.4) * u
        pot(drawing, x, foot, r, high, dice.choice(("zinc", "zinc", "clay", "wicker", "enamel")))
        bouquet(drawing, x, foot - high, r * 1.18, kinds[-1 - k % len(kinds)], dice)


def shrub(drawing: Drawing, front: Front, x: float, dice: random.Random) -> None:
    """Stand a clipped tree in a pot beside the door."""
    u, ink = front.u, drawing.ink
    foot = front.ground + 3.4 * u
    pot(drawing, x, foot, 3.0 * u, 5.4 * u, dice.choice(("clay", "cream", "zinc")))
    drawing.put(rect(x - 0.4 * u, foot - 15 * u, 0.8 * u, 10 * u, ink("#6b4a2e")))
    for cy, r in ((foot - 19 * u, 4.4 * u), (foot - 10 * u, 2.9 * u)):
        ball = drawing.radial(
            stops(ink("#8fb465"), ink("#557f46"), ink("#2f5436")), 0.36, 0.3, 0.75
        )
        drawing.put(ellipse(x, cy, r, r * 0.95, ball))
        for _ in range(26):
            a, b = dice.gauss(0, r * 0.42), dice.gauss(0, r * 0.4)
            if a * a + b * b < r * r * 0.85:
                tone = dice.choice(("#a9c97c", "#6f9a54", "#44703f"))
                drawing.put(ellipse(x + a, cy + b, r * 0.1, r * 0.07, ink(tone), 'opacity="0.8"'))


def before(drawing: Drawing, front: Front) -> None:
    """Set out what belongs to the trade: flowers for a florist, a pair of pots for the others."""
    u, dice = front.u, drawing.dice("buckets")
    middle = (front.left + front.right) / 2
    for side in (-1, 1):
        inner, outer = (
            middle + side * 11 * u,
            (front.left if side < 0 else front.right) - side * 4 * u,
        )
        x1, x2 = sorted((inner, outer))
        if drawing.scene.trade == "flower" and "flower" not in drawing.scene.absent:
            buckets(drawing, front, x1, x2, dice)
        else:
            shrub(drawing, front, middle + side * 13 * u, dice)


def lamplight(drawing: Drawing, front: Front) -> None:
    """Let windows and lanterns throw warm light on the paving when it is dark, and rain fall."""
    u, lamps = front.u, drawing.ink.lamps
    if lamps > 0.5:
        for x in (front.left + 23 * u, (front.left + front.right) / 2, front.right - 23 * u):
            squash = f'transform="translate({x:.1f} {front.ground + 5 * u:.1f}) scale(1 .36)"'
            drawing.put(group(drawing.glow(0, 0, 22 * u, "#ffc56e", 0.5 * lamps), squash))
    sky.weather(drawing)
