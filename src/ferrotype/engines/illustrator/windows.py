# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""The glazed parts of a shop front: display windows, the door, and casements upstairs."""

import random

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
from ferrotype.engines.illustrator.lettering import Line
from ferrotype.engines.illustrator.light import dark, mix, pale

DOOR = 15.0  # units wide, frame included
SILL, HEAD = 12.5, 49.0  # units above the ground


def fronts(drawing: Drawing, front: Front) -> None:
    """Set the door where the seed wants it, and fill both sides with windows."""
    u, dice = front.u, drawing.dice("bays")
    middle = front.left + front.wide * u / 2
    if front.wide > 118:
        middle += dice.choice((-0.5, 0, 0.5)) * front.wide * u / 6
    tracery = dice.choice(("arches", "lattice", "fan"))
    for side in (-1, 1):
        edge = front.left + 9 * u if side < 0 else front.right - 9 * u
        start, end = sorted((edge, middle + side * (DOOR / 2 + 4.6) * u))
        n = max(1, round((end - start) / (38 * u)))
        step = (end - start + 4 * u) / n
        for k in range(n):
            pane = drawing.dice(f"window{side}{k}")
            display(drawing, front, start + k * step, step - 4 * u, tracery, pane)
    door(drawing, front, middle, dice)
    for side in (-1, 1):
        lantern(drawing, middle + side * (DOOR / 2 + 2.3) * u, front.y(33), u)


def display(
    drawing: Drawing, front: Front, x: float, w: float, tracery: str, dice: random.Random
) -> None:
    """Draw one display window: warm room, goods on shelves, glazing bars, reflections, sill."""
    ink, u = drawing.ink, front.u
    top, h = front.y(HEAD), (HEAD - SILL) * u
    wood = ink(front.wood)
    base = stops(ink(pale(front.wood, 0.12)), ink(dark(front.wood, 0.22)))
    drawing.put(bands(x - u, front.y(SILL), w + 2 * u, SILL * u, base))
    for k in range(n := max(2, round(w / u / 10))):
        px, pw = x + (k + 0.08) / n * w, 0.84 * w / n
        drawing.put(rect(px, front.y(10.2), pw, 7.8 * u, ink(dark(front.wood, 0.26)), 0.4 * u))
        drawing.put(
            rect(
                px + 0.4 * u,
                front.y(9.7),
                pw - 0.5 * u,
                7.3 * u,
                ink(mix(front.wood, "#ffffff", 0.05)),
                0.3 * u,
            )
        )
    inner = (x + u, top + u, w - 2 * u, h - 1.6 * u)
    goods.room(drawing, front, inner, dice)
    drawing.put(
        frame((x - u, top - u, w + 2 * u, h + u), (x, top, w, h), ink(dark(front.wood, 0.32))),
        frame((x, top, w, h), inner, wood),
    )
    bars(drawing, front, inner, tracery)
    drawing.put(
        rect(
            x - 2 * u,
            front.y(SILL + 0.4),
            w + 4 * u,
            1.7 * u,
            drawing.linear(stops(ink(pale(front.wood, 0.34)), wood)),
            0.4 * u,
        ),
        rect(
            x - u,
            front.y(SILL - 1.3),
            w + 2 * u,
            0.9 * u,
            ink(dark(front.wood, 0.55)),
            0,
            'opacity="0.5"',
        ),
    )


def frame(outer: goods.Box, inner: goods.Box, colour: str) -> str:
    """Return the flat frame between two boxes."""
    d = "".join(f"M{x:.1f} {y:.1f}h{w:.1f}v{h:.1f}h{-w:.1f}Z" for x, y, w, h in (outer, inner))
    return path(d, colour, 'fill-rule="evenodd"')


def bars(
    drawing: Drawing, front: Front, box: tuple[float, float, float, float], tracery: str
) -> None:
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
    for a, b, c, alpha in (
        (0.08, 0.3, 0.16, 0.13),
        (0.34, 0.4, 0.05, 0.09),
        (0.66, 0.86, 0.12, 0.1),
    ):
        foot, head, wide = x + (a + 0.1) * w, x + min(b + 0.1, 1 - c) * w, c * w
        shine = points([(head, y), (head + wide, y), (foot + wide * 0.8, y + h), (foot, y + h)])
        drawing.put(path(shine, "#ffffff", f'opacity="{alpha}"'))
    drawing.put(bands(x, y, w, h * 0.2, ((0.0, "#15122a", 0.42), (1.0, "#15122a", 0.0))))


def ornament(
    drawing: Drawing, front: Front, tracery: str, box: tuple[float, float, float, float]
) -> str:
    """Return the tracery of one upper light: arches, a fan, or coloured lattice."""
    x, y, w, h = box
    u = front.u
    wood = drawing.ink(pale(front.wood, 0.16))
    cx, base = x + w / 2, y + h
    if tracery == "lattice":
        tones = ("#e8a24a", "#6fb0a2", "#d9705f", "#86a8d8")
        cells = [
            points([(x + (i + 0.5) * w / 3, y + j * h / 2), (x + (i + 1) * w / 3, y + (j + 0.5) * h / 2),
                    (x + (i + 0.5) * w / 3, y + (j + 1) * h / 2), (x + i * w / 3, y + (j + 0.5) * h / 2)])
            for i in range(3) for j in range(2)
        ]  # fmt: skip
        return "".join(
            path(
                c,
                tones[(k + k // 2) % 4],
                f'opacity="0.62" stroke="{wood}" stroke-width="{0.3 * u:.2f}"',
            )
            for k, c in enumerate(cells)
        )
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


def door(drawing: Drawing, front: Front, x: float, dice: random.Random) -> None:
    """Hang the wooden door: frame, arched glass, panels, brass, a step."""
    ink, u = drawing.ink, front.u
    wood = dice.choice(("#8a5430", "#7a4a2c", "#95602f", "#6d4027"))
    w, h = 11.6 * u, 39 * u
    left, top = x - w / 2, front.y(39)
    drawing.put(
        rect(x - DOOR / 2 * u, front.y(49), DOOR * u, 49 * u, ink(dark(front.wood, 0.28))),
        rect(x - (DOOR / 2 - 0.8) * u, front.y(48.2), (DOOR - 1.6) * u, 48.2 * u, ink(front.wood)),
    )
    transom(drawing, front, (left, front.y(47), w, 6.6 * u))
    drawing.put(
        bands(
            left,
            top,
            w,
            h,
            stops(ink(dark(wood, 0.1)), ink(pale(wood, 0.06)), ink(dark(wood, 0.16))),
        )
    )
    grain, d = drawing.dice("grain"), ""
    for _ in range(26):
        gx, gy = left + (0.04 + 0.92 * grain.random()) * w, top + grain.random() * h * 0.75
        d += f"M{gx:.1f} {gy:.1f}q{grain.uniform(-0.3, 0.3) * u:.1f} {3 * u:.1f} 0 {grain.uniform(4, 9) * u:.1f}"
    drawing.put(stroke(d, ink(dark(wood, 0.3)), 0.13 * u, 'opacity="0.4"'))
    for side in (-1, 1):
        door_leaf(drawing, front, x + side * 2.65 * u, wood)
    brass = drawing.radial(stops("#fff3c0", ink("#d5a545"), ink("#8a6224")), 0.35, 0.35, 0.7)
    drawing.put(
        rect(
            left + 0.9 * u,
            front.y(3.2),
            w - 1.8 * u,
            2.0 * u,
            drawing.linear(stops(ink("#e5bd62"), ink("#a77a30"))),
            0.2 * u,
        ),
        circle(x + 4.9 * u, front.y(18.6), 0.8 * u, brass),
        rect(
            x - w / 2 - 2.6 * u,
            front.y(1.2),
            w + 5.2 * u,
            2.4 * u,
            drawing.linear(stops(ink("#c9c0b2"), ink("#8d857b"))),
            0.3 * u,
        ),
    )
    tag(drawing, front, x)


def door_leaf(drawing: Drawing, front: Front, x: float, wood: str) -> None:
    """Draw one half of the door: a tall arched pane above, a raised panel below."""
    ink, u = drawing.ink, front.u
    r = 2.05 * u
    shape = f"M{x - r:.1f} {front.y(19):.1f}V{front.y(34.4):.1f}A{r:.1f} {r:.1f} 0 0 1 {x + r:.1f} {front.y(34.4):.1f}V{front.y(19):.1f}Z"
    glass = drawing.linear(stops(*goods.glow_of(drawing)))
    edge = f'stroke="{ink(dark(wood, 0.45))}" stroke-width="{0.5 * u:.2f}"'
    drawing.put(path(shape, glass, edge))
    drawing.put(
        stroke(
            f"M{x:.1f} {front.y(36.2):.1f}V{front.y(19):.1f}M{x - r:.1f} {front.y(27):.1f}H{x + r:.1f}",
            ink(wood),
            0.4 * u,
        )
    )
    glint = points(
        [
            (x - 0.2 * u, front.y(33)),
            (x + 1.4 * u, front.y(34)),
            (x - 0.6 * u, front.y(20)),
            (x - 1.8 * u, front.y(20)),
        ]
    )
    drawing.put(path(glint, "#ffffff", 'opacity="0.16"'))
    for up, high in ((14.6, 9.4),):
        drawing.put(
            rect(
                x - 2.1 * u, front.y(up + 1.2), 4.2 * u, high * u, ink(dark(wood, 0.42)), 0.25 * u
            ),
            rect(
                x - 1.75 * u,
                front.y(up + 0.8),
                3.6 * u,
                (high - 0.7) * u,
                ink(pale(wood, 0.1)),
                0.25 * u,
            ),
            rect(x - 1.2 * u, front.y(up + 0.2), 2.6 * u, (high - 1.8) * u, ink(wood), 0.2 * u),
        )


def transom(drawing: Drawing, front: Front, box: tuple[float, float, float, float]) -> None:
    """Light above the door: glass with three rays."""
    x, y, w, h = box
    drawing.put(rect(x, y, w, h, drawing.linear(stops(*goods.glow_of(drawing)))))
    drawing.put(ornament(drawing, front, "fan", box))


def tag(drawing: Drawing, front: Front, x: float) -> None:
    """Hang the small board that says the shop is open."""
    u, y = front.u, front.y(24.5)
    ink = drawing.ink
    drawing.put(
        stroke(
            f"M{x - 1.6 * u:.1f} {y:.1f}L{x:.1f} {y - 2.2 * u:.1f}L{x + 1.6 * u:.1f} {y:.1f}",
            ink("#5b4334"),
            0.2 * u,
        ),
        rect(
            x - 2.7 * u,
            y,
            5.4 * u,
            2.9 * u,
            ink("#fbf1dc"),
            0.4 * u,
            f'stroke="{ink("#a77a4b")}" stroke-width="{0.3 * u:.2f}"',
        ),
    )
    text = "营业中" if drawing.scene.chinese else "Open"
    drawing.write(
        Line(text=text, x=x, y=y + 1.45 * u, width=4.4 * u, height=2 * u, colour=ink("#7a3b2e"))
    )


def lantern(drawing: Drawing, x: float, y: float, u: float) -> None:
    """Fix a lantern to the wall, lit as strongly as the hour asks."""
    ink = drawing.ink
    iron = ink("#2f2a2c")
    glass = drawing.linear(
        stops("#fff3c4", "#ffc766")
        if drawing.ink.lamps > 0.5
        else stops(ink("#fdf1d2"), ink("#e8cf9c"))
    )
    drawing.put(
        drawing.glow(x, y + 2.4 * u, 9 * u, "#ffcf7a", 0.55 * drawing.ink.lamps),
        path(points([(x - 1.9 * u, y), (x, y - 1.8 * u), (x + 1.9 * u, y)]), iron),
        path(
            points(
                [
                    (x - 1.5 * u, y),
                    (x + 1.5 * u, y),
                    (x + 1.05 * u, y + 4.4 * u),
                    (x - 1.05 * u, y + 4.4 * u),
                ]
            ),
            glass,
        ),
        stroke(
            f"M{x - 1.5 * u:.1f} {y:.1f}L{x - 1.05 * u:.1f} {y + 4.4 * u:.1f}H{x + 1.05 * u:.1f}L{x + 1.5 * u:.1f} {y:.1f}M{x:.1f} {y:.1f}V{y + 4.4 * u:.1f}",
            iron,
            0.3 * u,
        ),
        rect(x - 1.3 * u, y + 4.3 * u, 2.6 * u, 0.8 * u, iron, 0.2 * u),
        circle(x, y - 2 * u, 0.4 * u, iron),
    )


def casement(drawing: Drawing, front: Front, x: float, sill: float, dice: random.Random) -> None:
    """Set an upper window with shutters on its sill at (x, sill)."""
    ink, u = drawing.ink, front.u
    w, h = 11 * u, 21 * u
    top = sill - h
    lit = drawing.ink.lamps > 0.7 and dice.random() < 0.7
    sky = [ink("#dfeaf0"), ink("#9db8c9"), ink("#7895ab")]
    glass = stops("#ffe9b0", "#f8c673") if lit else stops(*sky)
    for side in (-1, 1):
        a = x + side * (w / 2 + 2.6 * u) - 2.2 * u
        drawing.put(rect(a, top, 4.4 * u, h, ink(dark(front.cloth, 0.12)), 0.3 * u))
        for k in range(12):
            drawing.put(
                rect(
                    a + 0.7 * u,
                    top + (k + 0.5) * h / 12.5,
                    3 * u,
                    0.8 * u,
                    ink(dark(front.cloth, 0.34)),
                    0.2 * u,
                )
            )
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
