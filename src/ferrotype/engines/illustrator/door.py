"""The shop's door between its lanterns: arched glass, panels, brass, a step, a board."""

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
from ferrotype.engines.illustrator.front import TONES, Front
from ferrotype.engines.illustrator.lettering import Line
from ferrotype.engines.illustrator.light import dark, mix, pale
from ferrotype.engines.illustrator.windows import DOOR, bays, ornament

WOODS = ("#8a5430", "#7a4a2c", "#95602f", "#6d4027")


def entrance(drawing: Drawing, front: Front) -> None:
    """Hang the door, in the colour asked for, between two lanterns."""
    x, u = bays(drawing, front).door, front.u
    wood = drawing.dice("door").choice(WOODS)
    if tone := TONES.get(drawing.scene.colour_of("door") or ""):
        wood = mix(tone, wood, 0.18)

    def hang(small: Drawing) -> None:
        door(small, front, wood)
        for side in (-1, 1):
            lantern(small, side * (DOOR / 2 + 2.3) * u, front.y(33), u)

    box = (-DOOR * u, front.y(50), DOOR * u, front.ground + 2 * u)
    drawing.paste(("door", front, wood), box, hang, (x, 0))
    text, ink = "营业中" if drawing.scene.chinese else "Open", drawing.ink("#7a3b2e")
    line = Line(text=text, x=x, y=front.y(23.05), width=4.4 * u, height=2 * u, colour=ink)
    drawing.write(line)


def door(drawing: Drawing, front: Front, wood: str) -> None:
    """Draw the door, its middle at x = 0."""
    ink, u = drawing.ink, front.u
    w, h, left, top = 11.6 * u, 39 * u, -5.8 * u, front.y(39)
    jamb = (DOOR / 2 - 0.8) * u
    drawing.put(
        rect(-DOOR / 2 * u, front.y(49), DOOR * u, 49 * u, ink(dark(front.wood, 0.28))),
        rect(-jamb, front.y(48.2), 2 * jamb, 48.2 * u, ink(front.wood)),
    )
    transom(drawing, front, (left, front.y(47), w, 6.6 * u))
    planks = stops(ink(dark(wood, 0.1)), ink(pale(wood, 0.06)), ink(dark(wood, 0.16)))
    drawing.put(bands(left, top, w, h, planks))
    grain, d = drawing.dice("grain"), ""
    for _ in range(26):
        gx, gy = left + (0.04 + 0.92 * grain.random()) * w, top + grain.random() * h * 0.75
        sway, long = grain.uniform(-0.3, 0.3) * u, grain.uniform(4, 9) * u
        d += f"M{gx:.1f} {gy:.1f}q{sway:.1f} {3 * u:.1f} 0 {long:.1f}"
    drawing.put(stroke(d, ink(dark(wood, 0.3)), 0.13 * u, 'opacity="0.4"'))
    for side in (-1, 1):
        door_leaf(drawing, front, side * 2.65 * u, wood)
    knob = drawing.radial(stops("#fff3c0", ink("#d5a545"), ink("#8a6224")), 0.35, 0.35, 0.7)
    brass = drawing.linear(stops(ink("#e5bd62"), ink("#a77a30")))
    step = drawing.linear(stops(ink("#c9c0b2"), ink("#8d857b")))
    drawing.put(
        rect(left + 0.9 * u, front.y(3.2), w - 1.8 * u, 2.0 * u, brass, 0.2 * u),
        circle(4.9 * u, front.y(18.6), 0.8 * u, knob),
        rect(left - 2.6 * u, front.y(1.2), w + 5.2 * u, 2.4 * u, step, 0.3 * u),
    )
    tag(drawing, front)


def door_leaf(drawing: Drawing, front: Front, x: float, wood: str) -> None:
    """Draw one half of the door: a tall arched pane above, a raised panel below."""
    ink, u, r, y = drawing.ink, front.u, 2.05 * front.u, front.y
    arch = f"A{r:.1f} {r:.1f} 0 0 1 {x + r:.1f} {y(34.4):.1f}V{y(19):.1f}Z"
    glass = drawing.linear(stops(*goods.glow_of(drawing)))
    edge = f'stroke="{ink(dark(wood, 0.45))}" stroke-width="{0.5 * u:.2f}"'
    drawing.put(path(f"M{x - r:.1f} {y(19):.1f}V{y(34.4):.1f}{arch}", glass, edge))
    bar = f"M{x:.1f} {y(36.2):.1f}V{y(19):.1f}M{x - r:.1f} {y(27):.1f}H{x + r:.1f}"
    drawing.put(stroke(bar, ink(wood), 0.4 * u))
    corners = ((-0.2, 33), (1.4, 34), (-0.6, 20), (-1.8, 20))
    glint = points([(x + dx * u, y(up)) for dx, up in corners])
    drawing.put(
        path(glint, "#ffffff", 'opacity="0.16"'),
        rect(x - 2.1 * u, y(15.8), 4.2 * u, 9.4 * u, ink(dark(wood, 0.42)), 0.25 * u),
        rect(x - 1.75 * u, y(15.4), 3.6 * u, 8.7 * u, ink(pale(wood, 0.1)), 0.25 * u),
        rect(x - 1.2 * u, y(14.8), 2.6 * u, 7.6 * u, ink(wood), 0.2 * u),
    )


def transom(drawing: Drawing, front: Front, box: goods.Box) -> None:
    """Light above the door: glass with three rays."""
    drawing.put(rect(*box, drawing.linear(stops(*goods.glow_of(drawing)))))
    drawing.put(ornament(drawing, front, "fan", box))


def tag(drawing: Drawing, front: Front) -> None:
    """Hang the small board that says the shop is open."""
    u, y, ink = front.u, front.y(24.5), drawing.ink
    cord = f"M{-1.6 * u:.1f} {y:.1f}L0 {y - 2.2 * u:.1f}L{1.6 * u:.1f} {y:.1f}"
    edge = f'stroke="{ink("#a77a4b")}" stroke-width="{0.3 * u:.2f}"'
    drawing.put(stroke(cord, ink("#5b4334"), 0.2 * u))
    drawing.put(rect(-2.7 * u, y, 5.4 * u, 2.9 * u, ink("#fbf1dc"), 0.4 * u, edge))


def lantern(drawing: Drawing, x: float, y: float, u: float) -> None:
    """Fix a lantern to the wall, lit as strongly as the hour asks."""
    ink = drawing.ink
    iron, lit = ink("#2f2a2c"), ink.lamps > 0.5
    glow = stops("#fff3c4", "#ffc766") if lit else stops(ink("#fdf1d2"), ink("#e8cf9c"))
    body = [(x + dx * u, y + dy * u) for dx, dy in ((-1.5, 0), (1.5, 0), (1.05, 4.4), (-1.05, 4.4))]
    roof = [(x - 1.9 * u, y), (x, y - 1.8 * u), (x + 1.9 * u, y)]
    drawing.put(
        path(points(roof), iron),
        path(points(body), drawing.linear(glow), f'stroke="{iron}" stroke-width="{0.3 * u:.2f}"'),
        stroke(f"M{x:.1f} {y:.1f}V{y + 4.4 * u:.1f}", iron, 0.3 * u),
        rect(x - 1.3 * u, y + 4.3 * u, 2.6 * u, 0.8 * u, iron, 0.2 * u),
        circle(x, y - 2 * u, 0.4 * u, iron),
    )
