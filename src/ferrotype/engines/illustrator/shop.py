# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""The shop front: wall, awning, sign, windows, door, and what stands before them."""

import random
from collections.abc import Iterator

from ferrotype.engines.illustrator import street, windows
from ferrotype.engines.illustrator.drawing import Drawing, bands, path, points, rect, stops, stroke
from ferrotype.engines.illustrator.flora import basket, ivy, planter
from ferrotype.engines.illustrator.front import Front, lay_out
from ferrotype.engines.illustrator.lettering import Line
from ferrotype.engines.illustrator.light import dark, pale


def bricks(drawing: Drawing, front: Front) -> None:
    """Build the wall: a flat ground, single bricks set off in tone, and light from the left."""
    ink, u, dice = drawing.ink, front.u, drawing.dice("bricks")
    wide, top = front.right - front.left, -2.0
    drawing.put(rect(front.left, top, wide, front.ground - top, ink(front.wall)))
    tones = (
        dark(front.wall, 0.04),
        dark(front.wall, 0.08),
        dark(front.wall, 0.12),
        pale(front.wall, 0.13),
    )
    courses = ["", "", "", ""]
    high, long, row, y = 2.3 * u, 6.2 * u, 0, front.ground - 2.3 * u
    while y > top - high:
        x = front.left - (row % 2) * long / 2
        while x < front.right:
            if dice.random() < 0.5:
                a, b = max(x, front.left) + 0.15 * u, min(x + long, front.right) - 0.15 * u
                courses[dice.randrange(4)] += (
                    f"M{a:.1f} {y + 0.15 * u:.1f}H{b:.1f}v{high - 0.3 * u:.1f}H{a:.1f}Z"
                )
            x += long
        y, row = y - high, row + 1
    drawing.put(*(path(d, ink(tone)) for d, tone in zip(courses, tones, strict=True)))
    beam = [(front.left, top), (front.left + wide * 0.5, top), (front.left, front.ground)]
    dusk = [
        (front.right, top + wide * 0.3),
        (front.right, front.ground),
        (front.left + wide * 0.6, front.ground),
    ]
    drawing.put(
        path(points(beam), "#fff4d8", 'opacity="0.1"'),
        path(points(dusk), "#1c1830", 'opacity="0.07"'),
    )


def upper_storeys(drawing: Drawing, front: Front) -> None:
    """Set windows with shutters and flower boxes above the sign, as far as the picture reaches."""
    u, dice = front.u, drawing.dice("upstairs")
    count = max(2, round(front.wide / 34))
    storey = 0
    while (sill := front.y(75 + 34 * storey)) > -2 * u:
        for k in range(count):
            x = front.left + (k + 0.5) / count * front.wide * u
            windows.casement(drawing, front, x, sill, dice)
            if "flower" not in drawing.scene.absent:
                planter(drawing, x - 8 * u, sill - 0.6 * u, 16 * u, 3.6 * u, dice)
        storey += 1


def fascia(drawing: Drawing, front: Front) -> None:
    """Put up the sign board with its mouldings, the lettering and the pilasters at its sides."""
    ink, u = drawing.ink, front.u
    x, w = front.left, front.right - front.left
    board = stops(ink(pale(front.sign, 0.1)), ink(front.sign), ink(dark(front.sign, 0.3)))
    drawing.put(
        bands(x, front.y(68), w, 11.5 * u, board),
        bands(
            x,
            front.y(70.4),
            w,
            2.4 * u,
            stops(ink(pale(front.wood, 0.3)), ink(dark(front.wood, 0.1))),
        ),
        rect(x, front.y(68), w, 0.9 * u, ink(dark(front.sign, 0.5)), 0, 'opacity="0.5"'),
    )
    teeth = int(front.wide / 3)
    for k in range(teeth):
        drawing.put(
            rect(
                x + (k + 0.28) / teeth * w,
                front.y(68.4),
                0.44 * w / teeth,
                1.1 * u,
                ink(pale(front.wood, 0.16)),
            )
        )
    edge = f'stroke="{ink(front.gold)}" stroke-width="{0.28 * u:.2f}" opacity="0.75"'
    drawing.put(rect(x + 5 * u, front.y(66.2), w - 10 * u, 8.4 * u, "none", 1.2 * u, edge))
    light = front.gold if drawing.ink.lamps > 0.5 else ink(front.gold)
    drawing.write(
        Line(
            text=drawing.scene.sign,
            x=drawing.width / 2, y=front.y(62), width=min(w * 0.62, 70 * u), height=6.3 * u,
            colour=light, shadow=ink(dark(front.sign, 0.6)), bold=0.012, spacing=0.06,
        )
    )  # fmt: skip


def awning(drawing: Drawing, front: Front) -> None:
    """Stretch the striped awning over the windows, with its valance and the shade below it."""
    ink, u = drawing.ink, front.u
    x1, x2, top, edge = front.left + 3 * u, front.right - 3 * u, front.y(57), front.y(47)
    out = 2.2 * u
    below = ((0.0, "#15122a", 0.5), (0.5, "#15122a", 0.18), (1.0, "#15122a", 0.0))
    drawing.put(bands(front.left, edge, front.right - front.left, 9 * u, below))
    n = max(9, round((x2 - x1) / (5.6 * u)) // 2 * 2 + 1)
    step, low = (x2 - x1) / n, (x2 - x1 + 2 * out) / n
    for k in range(n):
        colour = front.cloth if k % 2 == 0 else front.stripe
        a, b = x1 + k * step, x1 + (k + 1) * step
        c, d = x1 - out + k * low, x1 - out + (k + 1) * low
        drawing.put(path(points([(a, top), (b, top), (d, edge), (c, edge)]), ink(colour)))
        hem = ink(dark(colour, 0.15))
        r = low / 2
        drop = edge + 1.4 * u
        drawing.put(
            path(
                f"M{c:.1f} {edge:.1f}H{d:.1f}V{drop:.1f}A{r:.1f} {r * 0.8:.1f} 0 0 1 {c:.1f} {drop:.1f}Z",
                hem,
            )
        )
    for k in range(18):
        up, down = (part / 18 for part in (k, k + 1))
        strip = [
            (x1 - out * up, up),
            (x2 + out * up, up),
            (x2 + out * down, down),
            (x1 - out * down, down),
        ]
        tone, alpha = ("#15122a", 0.34 * (1 - k / 7)) if k < 7 else ("#ffffff", 0.012 * (k - 7))
        corners = [(x, top + (edge - top) * part) for x, part in strip]
        drawing.put(
            path(points(corners), tone, f'opacity="{alpha:.3f}" shape-rendering="crispEdges"')
        )
    drawing.put(
        stroke(
            f"M{x1 - out:.1f} {edge:.1f}H{x2 + out:.1f}",
            ink(dark(front.cloth, 0.35)),
            0.22 * u,
            'opacity="0.5"',
        )
    )


def greenery(drawing: Drawing, front: Front) -> None:
    """Let ivy or wisteria climb a corner, and hang a basket at each side, for some seeds."""
    u, dice = front.u, drawing.dice("greenery")
    if "flower" in drawing.scene.absent or drawing.scene.weather == "snow":
        return
    if dice.random() < 0.7:
        side = dice.choice((-1, 1))
        flower = dice.choice((None, "#b49ae0", "#f2b8cb", "#f7efe4"))
        climb(drawing, front, side, dice, flower)
    for side in (-1, 1):
        x = (front.left if side < 0 else front.right) - side * 4.9 * u
        drawing.put(
            stroke(
                f"M{x - side * 4:.1f} {front.y(41):.1f}H{x:.1f}", drawing.ink("#3a322e"), 0.4 * u
            )
        )
        basket(drawing, x, front.y(33), 3.4 * u, dice)


def climb(
    drawing: Drawing, front: Front, side: int, dice: random.Random, flower: str | None
) -> None:
    """Lead a climber up one corner of the house and along the cornice."""
    u = front.u
    edge = front.left if side < 0 else front.right
    line = [(edge - side * 1.2 * u, front.y(up)) for up in (0, 14, 30, 46, 58, 70)]
    reach = dice.uniform(18, 34)
    line += [(edge - side * part * reach * u, front.y(71 + 3 * part)) for part in (0.3, 0.6, 1.0)]
    ivy(drawing, line, 2.5 * u, dice, flower)


LAYERS = (
    street.behind, bricks, upper_storeys, windows.fronts, fascia, awning, greenery,
    street.pavement, street.before, street.lamplight,
)  # fmt: skip


def draw(drawing: Drawing) -> Iterator[None]:
    """Draw the scene from back to front, pausing after each layer."""
    front = lay_out(drawing)
    for layer in LAYERS:
        yield layer(drawing, front)
