"""The shop front: wall, awning, sign, windows, door, and what stands before them."""

import random
from collections.abc import Iterator

from PIL import Image, ImageDraw

from ferrotype.engines.illustrator import door, street, windows
from ferrotype.engines.illustrator.drawing import Drawing, bands, path, points, rect, stops, stroke
from ferrotype.engines.illustrator.flora import basket, climber, planter
from ferrotype.engines.illustrator.front import Front, lay_out
from ferrotype.engines.illustrator.lettering import Line
from ferrotype.engines.illustrator.light import dark, pale


def bricks(drawing: Drawing, front: Front) -> None:
    """Build the wall: a flat ground, single bricks set off in tone, and light from the left.

    Bricks are upright, so they are drawn straight on the pixels.
    """
    ink, u, dice = drawing.ink, front.u, drawing.dice("bricks")
    wide, high = round(front.right - front.left), round(front.ground)
    wall = Image.new("RGBA", (wide, high), ink(front.wall))
    pen, row, y = ImageDraw.Draw(wall), 0, high - 2.3 * u
    shades = (dark(front.wall, part) for part in (0.04, 0.08, 0.12))
    tones = [ink(tone) for tone in (*shades, pale(front.wall, 0.13))]
    while y > -2.3 * u:
        x = -(row % 2) * 3.1 * u
        while x < wide:
            if dice.random() < 0.5:
                box = (x + 0.15 * u, y + 0.15 * u, x + 6.05 * u, y + 2.15 * u)
                pen.rectangle(tuple(round(edge) for edge in box), dice.choice(tones))
            x += 6.2 * u
        y, row = y - 2.3 * u, row + 1
    beam = [(0, 0), (wide // 2, 0), (0, high)]
    dusk = [(wide, round(wide * 0.3)), (wide, high), (round(wide * 0.6), high)]
    for corners, tone, strength in ((beam, "#fff4d8", 26), (dusk, "#1c1830", 18)):
        shape = Image.new("L", wall.size)
        ImageDraw.Draw(shape).polygon(corners, strength)
        wall.paste(tone, mask=shape)
    drawing.lay(wall, round(front.left), 0)


def sills(front: Front) -> Iterator[tuple[float, float]]:
    """Yield the middle of each sill above the sign, as far as the picture reaches."""
    count, storey = max(2, round(front.wide / 34)), 0
    while (sill := front.y(75 + 34 * storey)) > -2 * front.u:
        for k in range(count):
            yield front.left + (k + 0.5) / count * front.wide * front.u, sill
        storey += 1


def upper_storeys(drawing: Drawing, front: Front) -> None:
    """Set windows with shutters above the sign."""
    dice = drawing.dice("upstairs")
    for x, sill in sills(front):
        windows.casement(drawing, front, x, sill, dice)


def window_boxes(drawing: Drawing, front: Front) -> None:
    """Put flowers on the sills, unless none are wanted."""
    u, dice = front.u, drawing.dice("boxes")
    for x, sill in sills(front) if "flower" not in drawing.scene.absent else ():
        planter(drawing, x - 8 * u, sill - 0.6 * u, 16 * u, 3.6 * u, dice)


def fascia(drawing: Drawing, front: Front) -> None:
    """Put up the sign board and its lettering."""
    ink, u, w = drawing.ink, front.u, front.right - front.left
    box = (front.left, front.y(71), front.right, front.y(56))
    drawing.paste(("fascia", front), box, lambda small: board(small, front), (0, 0))
    light = front.gold if drawing.ink.lamps > 0.5 else ink(front.gold)
    drawing.write(
        Line(
            text=drawing.scene.sign,
            x=drawing.width / 2, y=front.y(62), width=min(w * 0.62, 70 * u), height=6.3 * u,
            colour=light, shadow=ink(dark(front.sign, 0.6)), bold=0.012, spacing=0.06,
        )
    )  # fmt: skip


def board(drawing: Drawing, front: Front) -> None:
    """Draw the sign board with its mouldings."""
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


def awning(drawing: Drawing, front: Front) -> None:
    """Stretch the awning over the windows."""
    box = (front.left, front.y(57.5), front.right, front.y(37))
    drawing.paste(("awning", front), box, lambda small: canopy(small, front), (0, 0))


def canopy(drawing: Drawing, front: Front) -> None:
    """Draw the striped awning with its valance and the shade below it."""
    ink, u, top, edge = drawing.ink, front.u, front.y(57), front.y(47)
    x1, x2, out = front.left + 3 * front.u, front.right - 3 * front.u, 2.2 * front.u
    below = ((0.0, "#15122a", 0.5), (0.5, "#15122a", 0.18), (1.0, "#15122a", 0.0))
    drawing.put(bands(front.left, edge, front.right - front.left, 9 * u, below))
    n = max(9, round((x2 - x1) / (5.6 * u)) // 2 * 2 + 1)
    step, low, drop = (x2 - x1) / n, (x2 - x1 + 2 * out) / n, edge + 1.4 * u
    for k in range(n):
        colour = front.cloth if k % 2 == 0 else front.stripe
        a, c = x1 + k * step, x1 - out + k * low
        d, arc = c + low, f"A{low / 2:.1f} {low * 0.4:.1f} 0 0 1"
        hem = f"M{c:.1f} {edge:.1f}H{d:.1f}V{drop:.1f}{arc} {c:.1f} {drop:.1f}Z"
        cloth = points([(a, top), (a + step, top), (d, edge), (c, edge)])
        drawing.put(path(cloth, ink(colour)), path(hem, ink(dark(colour, 0.15))))
    for k in range(18):
        up, down = k / 18, (k + 1) / 18
        strip = [
            (x1 - out * up, up),
            (x2 + out * up, up),
            (x2 + out * down, down),
            (x1 - out * down, down),
        ]
        tone, alpha = ("#15122a", 0.34 * (1 - k / 7)) if k < 7 else ("#ffffff", 0.012 * (k - 7))
        corners = points([(x, top + (edge - top) * part) for x, part in strip])
        drawing.put(path(corners, tone, f'opacity="{alpha:.3f}" shape-rendering="crispEdges"'))
    seam = f"M{x1 - out:.1f} {edge:.1f}H{x2 + out:.1f}"
    drawing.put(stroke(seam, ink(dark(front.cloth, 0.35)), 0.22 * u, 'opacity="0.5"'))


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
    climber(drawing, line, 2.5 * u, dice, flower)


LAYERS = (
    street.behind, bricks, upper_storeys, windows.rooms, window_boxes, windows.stock,
    windows.fronts, door.entrance, fascia, awning, street.pavement, street.benches,
    greenery, street.before, street.visitors, street.lamplight,
)  # fmt: skip


def draw(drawing: Drawing) -> Iterator[None]:
    """Draw the scene from back to front, pausing after each layer."""
    front = lay_out(drawing)
    for layer in LAYERS:
        yield layer(drawing, front)
