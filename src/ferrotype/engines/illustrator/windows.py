# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""The glazed parts of a shop front: display windows, the door, and casements upstairs."""

import random

from msgspec import Struct

from ferrotype.engines.illustrator import goods
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
from ferrotype.engines.illustrator.front import Front
from ferrotype.engines.illustrator.light import dark, mix, pale

# reflections: foot, head, width (parts of the window), strength
SHINES = ((0.08, 0.3, 0.16, 0.13), (0.34, 0.4, 0.05, 0.09), (0.66, 0.86, 0.12, 0.1))
GLASS = ("#e8a24a", "#6fb0a2", "#d9705f", "#86a8d8")
DOOR = 15.0  # units wide, frame included
SILL, HEAD = 12.5, 49.0  # units above the ground


class Bays(Struct, frozen=True):
    """Where the door stands (its middle), and each window's left edge, width and chance."""

    door: float
    windows: tuple[tuple[float, float, random.Random], ...]
    tracery: str


def bays(drawing: Drawing, front: Front) -> Bays:
    """Set the door where the seed wants it, and windows at both its sides."""
    u, dice = front.u, drawing.dice("bays")
    middle = front.left + front.wide * u / 2
    if front.wide > 118:
        middle += dice.choice((-0.5, 0, 0.5)) * front.wide * u / 6
    tracery, windows = dice.choice(("arches", "lattice", "fan")), []
    for side in (-1, 1):
        edge = front.left + 9 * u if side < 0 else front.right - 9 * u
        start, end = sorted((edge, middle + side * (DOOR / 2 + 4.6) * u))
        n = max(1, round((end - start) / (38 * u)))
        step = (end - start + 4 * u) / n
        for k in range(n):
            windows.append((start + k * step, step - 4 * u, drawing.dice(f"window{side}{k}")))
    return Bays(middle, tuple(windows), tracery)


def inside(front: Front, x: float, w: float) -> goods.Box:
    """Return the glazed box of a window: left, top, width, height."""
    u = front.u
    return (x + u, front.y(HEAD) + u, w - 2 * u, (HEAD - SILL) * u - 1.6 * u)


def rooms(drawing: Drawing, front: Front) -> None:
    """Show a lit room in each window."""
    for x, w, dice in bays(drawing, front).windows:
        mark = ("room", front.u, front.cloth, drawing.scene.trade, w, dice.randrange(3))
        left, top, wide, high = box = inside(front, 0, w)

        def paint(small: Drawing, box: goods.Box = box) -> None:
            goods.room(small, front, box, small.dice("room"))

        drawing.paste(mark, (left, top, left + wide, top + high), paint, (x, 0))


def stock(drawing: Drawing, front: Front) -> None:
    """Lay out what is sold in each window."""
    for x, w, dice in bays(drawing, front).windows:
        goods.stock(drawing, front, inside(front, x, w), dice)


def fronts(drawing: Drawing, front: Front) -> None:
    """Frame and glaze the windows."""
    found, u = bays(drawing, front), front.u
    for x, w, _ in found.windows:
        box = (-2.5 * u, front.y(HEAD + 1.5), w + 2.5 * u, front.ground)

        def glaze(small: Drawing, w: float = w) -> None:
            display(small, front, 0, w, found.tracery)

        drawing.paste(("window", front, found.tracery, w), box, glaze, (x, 0))


def display(drawing: Drawing, front: Front, x: float, w: float, tracery: str) -> None:
    """Draw one display window over its room: base, frame, glazing bars, reflections, sill."""
    ink, u, wood = drawing.ink, front.u, front.wood
    top, h = front.y(HEAD), (HEAD - SILL) * u
    base = stops(ink(pale(wood, 0.12)), ink(dark(wood, 0.22)))
    drawing.put(bands(x - u, front.y(SILL), w + 2 * u, SILL * u, base))
    recess, panel = ink(dark(wood, 0.26)), ink(mix(wood, "#ffffff", 0.05))
    for k in range(n := max(2, round(w / u / 10))):
        px, pw = x + (k + 0.08) / n * w, 0.84 * w / n
        drawing.put(rect(px, front.y(10.2), pw, 7.8 * u, recess, 0.4 * u))
        drawing.put(rect(px + 0.4 * u, front.y(9.7), pw - 0.5 * u, 7.3 * u, panel, 0.3 * u))
    inner = inside(front, x, w)
    outer = (x - u, top - u, w + 2 * u, h + u)
    drawing.put(frame(outer, (x, top, w, h), ink(dark(wood, 0.32))))
    drawing.put(frame((x, top, w, h), inner, ink(wood)))
    bars(drawing, front, inner, tracery)
    ledge, below = drawing.linear(stops(ink(pale(wood, 0.34)), ink(wood))), ink(dark(wood, 0.55))
    drawing.put(
        rect(x - 2 * u, front.y(SILL + 0.4), w + 4 * u, 1.7 * u, ledge, 0.4 * u),
        rect(x - u, front.y(SILL - 1.3), w + 2 * u, 0.9 * u, below, 0, 'opacity="0.5"'),
    )


def frame(outer: goods.Box, inner: goods.Box, colour: str) -> str:
    """Return the flat frame between two boxes."""
    d = "".join(f"M{x:.1f} {y:.1f}h{w:.1f}v{h:.1f}h{-w:.1f}Z" for x, y, w, h in (outer, inner))
    return path(d, colour, 'fill-rule="evenodd"')


def bars(drawing: Drawing, front: Front, box: goods.Box, tracery: str) -> None:
    """Divide a window by glazing bars, with a band of ornament in its upper lights."""
    ink, u = drawing.ink, front.u
    x, y, w, h = box
    lit, shadow = ink(pale(front.wood, 0.16)), ink(dark(front.wood, 0.4))
    n = max(2, round(w / u / 9.5))
    cross = y + h * 0.25
    for k in range(n):
        left, pane = x + k * w / n, w / n
        drawing.put(ornament(drawing, front, tracery, (left, y, pane, cross - y)))
    for k in range(1, n):
        px = x + k * w / n
        drawing.put(rect(px - 0.25 * u, y, 0.95 * u, h, shadow, 0, 'opacity="0.45"'))
        drawing.put(rect(px - 0.45 * u, y, 0.9 * u, h, lit))
    drawing.put(
        rect(x, cross - 0.2 * u, w, 1.1 * u, shadow, 0, 'opacity="0.45"'),
        rect(x, cross - 0.5 * u, w, u, lit),
    )
    for a, b, c, alpha in SHINES:
        foot, head, wide = x + (a + 0.1) * w, x + min(b + 0.1, 1 - c) * w, c * w
        shine = points([(head, y), (head + wide, y), (foot + wide * 0.8, y + h), (foot, y + h)])
        drawing.put(path(shine, "#ffffff", f'opacity="{alpha}"'))
    drawing.put(bands(x, y, w, h * 0.2, ((0.0, "#15122a", 0.42), (1.0, "#15122a", 0.0))))


def lattice(box: goods.Box, wood: str, u: float) -> str:
    """Return an upper light of coloured lozenges."""
    x, y, w, h = box
    lead = f'opacity="0.62" stroke="{wood}" stroke-width="{0.3 * u:.2f}"'
    cells = [(x + (i + 0.5) * w / 3, y + (j + 0.5) * h / 2) for i in range(3) for j in range(2)]
    a, b = w / 6, h / 4
    return "".join(
        path(points([(cx, cy - b), (cx + a, cy), (cx, cy + b), (cx - a, cy)]), tone, lead)
        for (cx, cy), tone in zip(cells, (GLASS * 2)[:6], strict=True)
    )


def ornament(drawing: Drawing, front: Front, tracery: str, box: goods.Box) -> str:
    """Return the tracery of one upper light: arches, a fan, or coloured lattice."""
    x, y, w, h = box
    u = front.u
    wood = drawing.ink(pale(front.wood, 0.16))
    if tracery == "lattice":
        return lattice(box, wood, u)
    cx, base = x + w / 2, y + h
    r = w / 2 - 0.3 * u
    rise = min(r, h - 1.2 * u)
    corner = (
        f"M{x:.1f} {y - 1:.1f}H{x + w:.1f}V{base:.1f}H{cx + r:.1f}"
        f"A{r:.1f} {rise:.1f} 0 0 0 {cx - r:.1f} {base:.1f}H{x:.1f}Z"
    )
    arch = path(corner, wood) + stroke(
        f"M{cx - r:.1f} {base:.1f}A{r:.1f} {rise:.1f} 0 0 1 {cx + r:.1f} {base:.1f}",
        drawing.ink(dark(front.wood, 0.4)), 0.25 * u,
    )  # fmt: skip
    if tracery == "arches":
        return arch + circle(x + 1.3 * u, y + 1.2 * u, 0.45 * u, drawing.ink(front.gold))
    rays = "".join(
        f"M{cx:.1f} {base:.1f}L{cx + r * dx:.1f} {base - rise * dy:.1f}"
        for dx, dy in ((-0.7, 0.7), (0, 1), (0.7, 0.7))
    )
    hub = f"M{cx - r * 0.4:.1f} {base:.1f}A{r * 0.4:.1f} {rise * 0.4:.1f} 0 0 1 {cx + r * 0.4:.1f} {base:.1f}"
    return arch + stroke(rays, wood, 0.4 * u) + stroke(hub, wood, 0.4 * u)


def casement(drawing: Drawing, front: Front, x: float, sill: float, dice: random.Random) -> None:
    """Set an upper window with shutters on its sill at (x, sill)."""
    lit, u = drawing.ink.lamps > 0.7 and dice.random() < 0.7, front.u
    box = (-11 * u, -23 * u, 11 * u, 2 * u)
    mark = ("casement", front.cloth, u, lit)
    drawing.paste(mark, box, lambda small: pane(small, front, lit), (x, sill))


def pane(drawing: Drawing, front: Front, lit: bool) -> None:
    """Draw an upper window with shutters, the middle of its sill at the origin."""
    ink, u, x, sill = drawing.ink, front.u, 0.0, 0.0
    w, h = 11 * u, 21 * u
    top = sill - h
    sky = [ink("#dfeaf0"), ink("#9db8c9"), ink("#7895ab")]
    glass = stops("#ffe9b0", "#f8c673") if lit else stops(*sky)
    leaf, slat = ink(dark(front.cloth, 0.12)), ink(dark(front.cloth, 0.34))
    for side in (-1, 1):
        a = x + side * (w / 2 + 2.6 * u) - 2.2 * u
        drawing.put(rect(a, top, 4.4 * u, h, leaf, 0.3 * u))
        for k in range(12):
            y = top + (k + 0.5) * h / 12.5
            drawing.put(rect(a + 0.7 * u, y, 3 * u, 0.8 * u, slat, 0.2 * u))
    drawing.put(
        rect(x - w / 2 - 0.8 * u, top - 0.8 * u, w + 1.6 * u, h + 1.6 * u, ink("#f6efe2"), 0.3 * u),
        rect(x - w / 2, top, w, h, drawing.linear(glass)),
    )
    for side in (-1, 1):
        a, b = x + side * w / 2, x + side * w * 0.12
        drape = f"M{a:.1f} {top:.1f}H{b:.1f}Q{b + side * u:.1f} {top + h * 0.5:.1f} {a - side * 0.8 * u:.1f} {top + h:.1f}H{a:.1f}Z"
        drawing.put(path(drape, ink("#fdf4e6"), 'opacity="0.72"'))
    cross = f"M{x:.1f} {top:.1f}V{sill:.1f}M{x - w / 2:.1f} {top + h * 0.36:.1f}H{x + w / 2:.1f}"
    drawing.put(stroke(cross, ink("#f6efe2"), 0.8 * u))
    drawing.put(
        rect(x - w / 2 - 2 * u, sill + 0.6 * u, w + 4 * u, 1.2 * u, ink("#d9cfbf"), 0.3 * u)
    )
