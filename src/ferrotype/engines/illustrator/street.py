"""What lies before a shop front: paving, buckets, shrubs, lamplight; and what lies behind it."""

import random
from collections.abc import Iterator

from ferrotype.engines.illustrator import sky
from ferrotype.engines.illustrator.drawing import Drawing, bands, ellipse, rect, stops, stroke
from ferrotype.engines.illustrator.figures import DYES
from ferrotype.engines.illustrator.flora import BLOOMS, bouquet, pot
from ferrotype.engines.illustrator.front import Front
from ferrotype.engines.illustrator.light import dark, mix
from ferrotype.engines.illustrator.sprites import ware
from ferrotype.engines.illustrator.windows import DOOR, bays

# heights in units
PETS = {"cat": 11.5, "black-cat": 11.5, "dog": 12.5, "rabbit": 8.5, "bicycle": 19.0}
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
            middle, left = front.y(up + 11), px - 4 * u
            cross = f"M{px:.1f} {front.y(up + 20):.1f}V{front.y(up):.1f}"
            cross += f"M{left:.1f} {middle:.1f}h{8 * u:.1f}"
            drawing.put(
                rect(px - 4.6 * u, front.y(up + 20.6), 9.2 * u, 21.2 * u, ink("#f3ebdc"), 0.3 * u),
                rect(px - 4 * u, front.y(up + 20), 8 * u, 20 * u, drawing.linear(glass)),
                stroke(cross, ink("#f3ebdc"), 0.7 * u),
            )


def pavement(drawing: Drawing, front: Front) -> None:
    """Pave the ground."""
    variant, box = (
        drawing.dice("paving").randrange(4),
        (0, front.ground, drawing.width, drawing.height),
    )
    mark = ("paving", variant, front.u, drawing.scene.weather == "snow")
    whole = (drawing.width, drawing.height)
    drawing.paste(mark, box, lambda small: cobbles(small, front, *whole), (0, 0))


def cobbles(drawing: Drawing, front: Front, w: int, bottom: int) -> None:
    """Draw cobbles that grow towards the viewer, from the shop to the edges, snowed on or not."""
    ink, dice = drawing.ink, drawing.dice("cobbles")
    top, high = front.ground, bottom - front.ground
    drawing.put(rect(0, top, w, high + 1, ink("#786f66")))
    y, row, step = top, 0, max(1.6 * front.u, high / 16)
    while y < bottom:
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


def bench(drawing: Drawing, front: Front, x1: float, x2: float) -> None:
    """Put up a bench for the second tier of buckets between x1 and x2."""
    u, ink, wide, back = front.u, drawing.ink, x2 - x1, front.ground + 2.2 * front.u
    plank = drawing.linear(stops(ink("#b98a57"), ink("#7c5630")))
    drawing.put(drawing.shade(x1 + wide / 2, back, wide * 0.6, 1.8 * u, 0.4))
    drawing.put(rect(x1 - u, front.y(5.4), wide + 2 * u, 1.5 * u, plank, 0.3 * u))
    for foot in (x1 + u, x2 - 2.4 * u):
        drawing.put(rect(foot, front.y(4), 1.4 * u, back - front.y(4), ink("#7c5630")))


def buckets(drawing: Drawing, front: Front, x1: float, x2: float, dice: random.Random) -> None:
    """Line up two tiers of flower buckets between x1 and x2, each with one kind of flower."""
    u, wide = front.u, x2 - x1
    count = max(2, round(wide / (7.6 * u)))
    kinds = dice.sample(sorted(BLOOMS), min(len(BLOOMS), 2 * count))
    for k in range(count):
        x = x1 + (k + 0.5) / count * wide
        ware = dice.choice(("zinc", "clay", "enamel", "cream"))
        pot(drawing, x, front.y(5.3), 3.0 * u, 5.2 * u, ware)
        bouquet(drawing, x, front.y(10.4), 3.36 * u, kinds[k % len(kinds)], dice)
    depth = min((drawing.height - front.ground) * 0.66, 9 * u)
    for k in range(count):
        x = x1 + (k + 0.5) / count * wide + dice.uniform(-0.6, 0.6) * u
        foot = front.ground + depth + dice.uniform(-0.8, 0.8) * u
        r, high = dice.choice(((3.35 * u, 6.4 * u), (3.7 * u, 7.2 * u)))
        pot(drawing, x, foot, r, high, dice.choice(("zinc", "zinc", "clay", "wicker", "enamel")))
        bouquet(drawing, x, foot - high, r * 1.18, kinds[-1 - k % len(kinds)], dice)


def shrub(drawing: Drawing, x: float, foot: float, u: float, dice: random.Random) -> None:
    """Stand a clipped tree in a pot on the ground at (x, foot)."""
    u, variant = round(u, 1), dice.randrange(3)
    pot(drawing, x, foot, 3.0 * u, 5.4 * u, dice.choice(("clay", "cream", "zinc")))
    box = (-5 * u, -25 * u, 5 * u, -4 * u)
    drawing.paste(("shrub", u, variant), box, lambda small: clipped(small, u), (x, foot))


def clipped(drawing: Drawing, u: float) -> None:
    """Draw a clipped tree that stands in a pot on the origin."""
    ink, dice = drawing.ink, drawing.dice("shrub")
    ball = drawing.radial(stops(ink("#8fb465"), ink("#557f46"), ink("#2f5436")), 0.36, 0.3, 0.75)
    drawing.put(rect(-0.4 * u, -15 * u, 0.8 * u, 10 * u, ink("#6b4a2e")))
    for cy, r in ((-19 * u, 4.4 * u), (-10 * u, 2.9 * u)):
        drawing.put(ellipse(0, cy, r, r * 0.95, ball))
        for _ in range(26):
            a, b = dice.gauss(0, r * 0.42), dice.gauss(0, r * 0.4)
            if a * a + b * b < r * r * 0.85:
                tone = dice.choice(("#a9c97c", "#6f9a54", "#44703f"))
                drawing.put(ellipse(a, cy + b, r * 0.1, r * 0.07, ink(tone), 'opacity="0.8"'))


def stands(front: Front) -> Iterator[tuple[float, float]]:
    """Yield the stretch of pavement at each side of the door."""
    middle = (front.left + front.right) / 2
    yield front.left + 4 * front.u, middle - 11 * front.u
    yield middle + 11 * front.u, front.right - 4 * front.u


def florist(drawing: Drawing) -> bool:
    """Say whether flowers stand before this shop."""
    return drawing.scene.trade == "flower" and "flower" not in drawing.scene.absent


def benches(drawing: Drawing, front: Front) -> None:
    """Put up a florist's benches."""
    if florist(drawing):
        for x1, x2 in stands(front):
            wide = x2 - x1
            box = (-wide * 0.15, front.y(5.5), wide * 1.15, front.ground + 5 * front.u)

            def paint(small: Drawing, wide: float = wide) -> None:
                bench(small, front, 0, wide)

            drawing.paste(("bench", front.u, wide), box, paint, (x1, 0))


def before(drawing: Drawing, front: Front) -> None:
    """Set out what belongs to the trade: flowers for a florist, a pair of pots for the others."""
    u, dice = front.u, drawing.dice("buckets")
    for side, (x1, x2) in zip((-1, 1), stands(front), strict=True):
        if florist(drawing):
            buckets(drawing, front, x1, x2, dice)
        else:
            middle = (front.left + front.right) / 2
            shrub(drawing, middle + side * 13 * u, front.ground + 3.4 * u, u, dice)


def visitors(drawing: Drawing, front: Front) -> None:
    """Let the animals and the bicycle that the prompt names wait on the pavement."""
    u, depth = front.u, drawing.height - front.ground
    foot, middle = front.ground + min(depth * 0.8, 13 * u), bays(drawing, front).door
    pets = [s for s in drawing.scene.subjects if s.concept in PETS for _ in range(min(3, s.count))]
    side = drawing.dice("visitors").choice((-1, 1))
    for k, subject in enumerate(pets[:4]):
        high = PETS[subject.concept] * u * (0.75 if subject.small else 1.0)
        away = side * (30 * u if subject.concept == "bicycle" else (6.2 + 9 * (k // 2)) * u)
        dye = DYES.get(subject.colour or "")
        ware(drawing, subject.concept, middle + away, foot + (k % 2) * u, high, dye)
        side = -side


def lamplight(drawing: Drawing, front: Front) -> None:
    """Let windows and lanterns throw warm light when it is dark, and rain fall."""
    u, lamps, door = front.u, drawing.ink.lamps, bays(drawing, front).door
    for side in (-1, 1):
        x = door + side * (DOOR / 2 + 2.3) * u
        drawing.glow(x, front.y(30.6), (9 * u, 9 * u), "#ffcf7a", 0.55 * lamps)
    if lamps > 0.5:
        for x in (front.left + 23 * u, (front.left + front.right) / 2, front.right - 23 * u):
            drawing.glow(x, front.ground + 5 * u, (22 * u, 8 * u), "#ffc56e", 0.5 * lamps)
    sky.weather(drawing)
