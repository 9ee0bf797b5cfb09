"""What can be seen through a shop's windows: a warm room, shelves, and what is sold."""

import random

from msgspec import structs

from ferrotype.engines.illustrator.drawing import (
    Drawing,
    bands,
    circle,
    path,
    points,
    rect,
    stops,
    stroke,
)
from ferrotype.engines.illustrator.flora import COLOURS, bouquet, pot
from ferrotype.engines.illustrator.front import Front
from ferrotype.engines.illustrator.light import Light, dark, mix, pale
from ferrotype.engines.illustrator.sprites import has, ware
from ferrotype.engines.illustrator.words import table

Box = tuple[float, float, float, float]

GOODS: dict[str, list[str]] = table("props")["goods"]
SPINES = ("#a8443c", "#2f5d68", "#c99a3d", "#4c6b4a", "#6c4a72", "#d8c6a2", "#34466b", "#8c5a3c")


def glow_of(drawing: Drawing) -> tuple[str, str, str]:
    """Return the colours of a lit room, ceiling to floor: stronger as the day goes."""
    part = drawing.ink.lamps
    dim = ("#cfa66a", "#e9cf98", "#b98a55")
    lit = ("#ffd98c", "#fff0bd", "#f0a956")
    return tuple(mix(drawing.ink(a), b, 0.35 + 0.6 * part) for a, b in zip(dim, lit, strict=True))  # type: ignore[return-value]


def indoors(light: Light) -> Light:
    """Return the light of a lit room seen from outside."""
    red, green, blue = (
        max(part, floor) for part, floor in zip(light.ambient, (0.98, 0.86, 0.68), strict=True)
    )
    return structs.replace(light, ambient=(red, green, blue))


def room(drawing: Drawing, front: Front, box: Box, dice: random.Random) -> None:
    """Fill a window with a room: walls, shelves, lamps, and what is not a cut-out."""
    x, y, w, h = box
    u = front.u
    drawing.put(bands(x, y, w, h, stops(*glow_of(drawing))))
    wall = mix(glow_of(drawing)[0], "#8a5a3a", 0.3)
    for k in range(8):
        drawing.put(rect(x + (k + 0.2) * w / 8, y, 0.6 * w / 8, h, wall, 0, 'opacity="0.12"'))
    shelf, floor = y + h * 0.6, y + h
    outside, drawing.ink = drawing.ink, indoors(drawing.ink)
    if drawing.scene.trade == "book":
        books(drawing, front, box, dice)
    elif drawing.scene.trade == "":
        curtains(drawing, front, box)
    else:
        drawing.put(
            rect(x, shelf, w, 0.9 * u, drawing.ink("#a9774a")),
            rect(x, shelf + 0.9 * u, w, 0.8 * u, "#5a3218", 0, 'opacity="0.35"'),
        )
    drawing.put(rect(x, floor - 1.1 * u, w, 1.1 * u, drawing.ink("#8a5a35")))
    pendants(drawing, front, box)
    drawing.ink = outside


def stock(drawing: Drawing, front: Front, box: Box, dice: random.Random) -> None:
    """Set out what is sold, in the light of the lamps."""
    x, y, w, h = box
    outside, drawing.ink = drawing.ink, indoors(drawing.ink)
    if drawing.scene.trade in GOODS:
        wares(drawing, front, box, dice)
    elif drawing.scene.trade == "flower":
        flowers(drawing, front, box, dice)
    n, reach = max(2, round(w / front.u / 12)), 8.5 * front.u
    for k in range(n):
        power = 0.5 + 0.45 * drawing.ink.lamps
        drawing.glow(x + (k + 0.5) / n * w, y + h * 0.3, (reach, reach), "#fff3c4", power)
    drawing.ink = outside


def pendants(drawing: Drawing, front: Front, box: Box) -> None:
    """Hang lamps from the ceiling."""
    x, y, w, h = box
    u = front.u
    n = max(2, round(w / u / 12))
    for k in range(n):
        px, py = x + (k + 0.5) / n * w, y + h * 0.3
        shade = drawing.linear(stops(drawing.ink("#8a4f33"), drawing.ink("#56301f")))
        drawing.put(
            stroke(f"M{px:.1f} {y:.1f}V{py - 2 * u:.1f}", drawing.ink("#4b372c"), 0.25 * u),
            circle(px, py + 0.25 * u, 0.8 * u, "#fffbe6"),
            path(
                points(
                    [
                        (px - 0.5 * u, py - 2.2 * u),
                        (px + 0.5 * u, py - 2.2 * u),
                        (px + 2 * u, py),
                        (px - 2 * u, py),
                    ]
                ),
                shade,
            ),
        )


def flowers(drawing: Drawing, front: Front, box: Box, dice: random.Random) -> None:
    """Stand vases on the shelf and potted bunches on the floor of the window."""
    x, y, w, h = box
    u = front.u
    for foot, high, r, n in (
        (y + h * 0.6, 2.8, 1.9, w / u / 5.6),
        (y + h - u, 4.2, 2.7, w / u / 7.4),
    ):
        count = max(2, round(n))
        kinds = dice.sample(sorted(COLOURS), min(count, len(COLOURS)))
        for k in range(count):
            px = x + (k + 0.5) / count * w
            pot(
                drawing,
                px,
                foot,
                r * 0.72 * u,
                high * u,
                dice.choice(("cream", "enamel", "clay", "zinc")),
            )
            bouquet(drawing, px, foot - high * u, r * u, kinds[k % len(kinds)], dice, False)


def wares(drawing: Drawing, front: Front, box: Box, dice: random.Random) -> None:
    """Lay out what the trade sells in rows: small on the shelf, larger in front."""
    x, y, w, h = box
    u = front.u
    names = GOODS[drawing.scene.trade]
    asked = [s.concept for s in drawing.scene.subjects if s.kind == "food" and has(s.concept)]
    for foot, high in ((y + h * 0.6, 6.2), (y + h - u, 8.4)):
        count = max(2, int(w / u / (high * 1.06)))
        chosen = [names[(k + dice.randrange(len(names))) % len(names)] for k in range(count)]
        chosen[::2] = (
            [asked[k % len(asked)] for k in range(len(chosen[::2]))] if asked else chosen[::2]
        )
        for k, name in enumerate(chosen):
            px = x + (k + 0.5) / count * w
            ware(drawing, name, px, foot, high * u)


def books(drawing: Drawing, front: Front, box: Box, dice: random.Random) -> None:
    """Fill the window with shelves of books."""
    x, y, w, h = box
    u, ink = front.u, drawing.ink
    for row in range(3):
        foot = y + h * (0.5 + 0.25 * row) - (u if row == 2 else 0)
        px = x + 0.6 * u
        while px < x + w - 2 * u:
            if dice.random() < 0.1:
                px += dice.uniform(1, 3) * u
                continue
            thick, high = dice.uniform(0.9, 1.9) * u, dice.uniform(4.6, 7.0) * u
            tone = dice.choice(SPINES)
            spine = drawing.linear(
                stops(ink(dark(tone, 0.1)), ink(pale(tone, 0.14)), ink(dark(tone, 0.22))),
                x2=1,
                y2=0,
            )
            drawing.put(rect(px, foot - high, thick, high, spine, 0.15 * u))
            for part in (0.18, 0.74):
                drawing.put(
                    rect(
                        px,
                        foot - high * (1 - part),
                        thick,
                        0.3 * u,
                        ink("#ecd9a6"),
                        0,
                        'opacity="0.8"',
                    )
                )
            px += thick + 0.1 * u
        drawing.put(
            rect(x, foot, w, u, ink("#8a5c38")),
            rect(x, foot + u, w, 0.7 * u, "#3a2012", 0, 'opacity="0.3"'),
        )


def curtains(drawing: Drawing, front: Front, box: Box) -> None:
    """Hang half curtains where we cannot show what is sold."""
    x, y, w, h = box
    u, ink = front.u, drawing.ink
    n = round(w / u / 2)
    for k in range(n):
        tone = pale(front.cloth, 0.3) if k % 2 else pale(front.cloth, 0.16)
        drawing.put(rect(x + k * w / n, y + h * 0.56, w / n + 1, h * 0.44, ink(tone)))
    drawing.put(rect(x, y + h * 0.545, w, 0.7 * u, ink("#c9a24b"), 0.3 * u))
