"""A room: wall and floor, a window with the hour outside, furniture, and who is in it."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, structs

from ferrotype.engines.illustrator import cast, figures
from ferrotype.engines.illustrator.drawing import (
    Drawing,
    circle,
    ellipse,
    path,
    points,
    rect,
    stops,
    stroke,
)
from ferrotype.engines.illustrator.flora import COLOURS
from ferrotype.engines.illustrator.ground import down, fold
from ferrotype.engines.illustrator.light import Light, dark, mix, pale
from ferrotype.engines.illustrator.scene import Scene, Subject
from ferrotype.engines.illustrator.sprites import place
from ferrotype.engines.illustrator.still import PROPS, show, vignette

WALLS = ("#e9dcc6", "#c9d6cc", "#e6c9bb", "#c6d2de", "#ddd3e2", "#d8c9a8")
FLOORS = ("#b98252", "#a97a52", "#c79a6b", "#8f6546")
RUGS = ("#b5574e", "#4d7fa3", "#7a9a6b", "#8a6aa0", "#c98f4a")
CLOTHS = ("#d9798b", "#7fa79c", "#e0b356", "#5f86b3", "#b59ad0")
TOPS: dict[str, tuple[float, bool]] = PROPS["top"]
TALL = ("shelf", "fridge", "floorlamp", "fireplace")


class Piece(Struct, frozen=True):
    """A piece of furniture: its middle, its foot and size in pixels, its dye."""

    name: str
    x: float
    foot: float
    size: float
    wide: float
    dye: str | None


def draw(drawing: Drawing) -> Iterator[None]:
    """Draw the room from back to front, pausing after each layer."""
    w, h = drawing.width, drawing.height
    outside = drawing.ink
    dusk = outside.lamps > 0.5
    drawing.ink = structs.replace(
        outside, ambient=(0.95, 0.83, 0.72) if dusk else (1.0, 0.99, 0.97)
    )
    u = min(w / 100, h / 92)
    floor = h * (0.7 + 0.06 * min(1.0, max(0.0, h / w - 1)))
    shell(drawing, floor, u)
    yield
    pieces = furnish(drawing, floor, u)
    hang(drawing, pieces, floor, u, outside)
    yield
    rug(drawing, floor, u)
    for piece in reversed(pieces):
        drawing.put(drawing.shade(piece.x, piece.foot, piece.wide * 0.5, 1.6 * u, 0.5))
        place(drawing, piece.name, piece.x, piece.foot, piece.size, piece.dye)
    people(drawing, pieces, floor, u)
    yield
    lamplight(drawing, pieces, u, dusk)
    yield


def shell(drawing: Drawing, floor: float, u: float) -> None:
    """Build the wall and lay the boards."""
    dice, w, h, ink = drawing.dice("shell"), drawing.width, drawing.height, drawing.ink
    paint, wood = dice.choice(WALLS), dice.choice(FLOORS)
    drawing.wash(0, floor + 2, stops(ink(dark(paint, 0.1)), ink(paint), ink(pale(paint, 0.2))))
    if dice.random() < 0.5:
        bars = "".join(f"M{k * 5 * u:.1f} 0V{floor:.1f}" for k in range(int(w / u / 5) + 1))
        drawing.put(stroke(bars, ink(dark(paint, 0.06)), 1.6 * u, 'opacity="0.5"'))
    drawing.wash(floor, h - floor, stops(ink(dark(wood, 0.08)), ink(wood), ink(pale(wood, 0.12))))
    seams = "".join(
        f"M{w / 2 + x * u:.1f} {floor:.1f}L{w / 2 + x * u * 2.1:.1f} {h}"
        for x in range(-int(w / u / 2) - 6, int(w / u / 2) + 7, 6)
    )
    drawing.put(stroke(seams, ink(dark(wood, 0.34)), 0.22 * u, 'opacity="0.6"'))
    trim = ink(pale(paint, 0.6))
    drawing.put(
        rect(0, floor - 2.6 * u, w, 2.8 * u, trim), rect(0, floor, w, 0.8 * u, ink(dark(wood, 0.4)))
    )


def chosen(
    scene: Scene, plan: list[Any], sizes: Mapping[str, Any], dice: random.Random
) -> tuple[list[str], list[str]]:
    """Return the furniture that must be there, and what may stand beside it."""
    asked = [s for s in scene.subjects if s.kind == "furniture" and s.concept != "rug"]
    wanted = [s.concept for s in asked if s.concept in sizes]
    anchors = [
        {"table": "diner"}.get(a, a) for a in (s.at.split()[1] for s in scene.subjects if s.at)
    ]
    wanted += [name for name in anchors if name in TOPS]
    if any(s.kind in ("ware", "food") for s in scene.subjects) and not wanted:
        wanted = [plan[0][0]] if not TOPS.get(plan[0][0], (0, True))[1] else []
    rest = [name for name, _, _ in plan if name not in wanted]
    if len(rest) > 2:
        first = rest[: 2 if wanted else 1]  # they tell which room this is
        rest = [*first, *dice.sample(rest[len(first) :], len(rest) - len(first))]
    return wanted, rest


def furnish(drawing: Drawing, floor: float, u: float) -> list[Piece]:
    """Choose the furniture and set it along the wall, from the middle outwards."""
    scene, w, dice = drawing.scene, drawing.width, drawing.dice("furnish")
    plan = PROPS["room"][scene.room or "living"]["row"]
    sizes = {
        name: (size, wide) for room in PROPS["room"].values() for name, size, wide in room["row"]
    }
    sizes["chair"] = (26, 22)
    wanted, rest = chosen(scene, plan, sizes, dice)
    wanted = sorted(dict.fromkeys(wanted), key=TALL.__contains__)  # what is low under the window
    names = wanted + rest
    more = [name for name in rest if name != "floorlamp"] or rest
    edges, found, k = [0.0, 0.0], [], 0
    start = w / 2 + dice.uniform(-5, 5) * u
    if len(wanted) > 1:  # both in sight
        start -= (sizes[wanted[1]][1] / 2 + 1) * u
    while min(edges) < w / 2 + abs(start - w / 2) + 8 * u and k < 60:
        name = names[k % len(names)] if k < len(names) else more[k % len(more)]
        size, wide = sizes[name]
        side = 0 if k == 0 else 1 if edges[1] <= edges[0] else -1
        reach = edges[max(0, side)]
        x = start + side * (reach + (wide / 2 + 2) * u) if side else start
        if side:
            edges[max(0, side)] = reach + (wide + 2) * u
        else:
            edges = [wide * u / 2, wide * u / 2]
        dye = figures.DYES.get(scene.colour_of(name) or "")
        foot = floor + (9 if k == 0 else 5 if name not in TALL else 3) * u
        found.append(Piece(name, x, foot, size * u, wide * u, dye))
        k += 1
    return found


def hang(drawing: Drawing, pieces: list[Piece], floor: float, u: float, outside: Light) -> None:
    """Hang windows, pictures and lamps over low furniture."""
    scene, dice = drawing.scene, drawing.dice("hang")
    plan = list(PROPS["room"][scene.room or "living"]["hung"])
    spare = max(0.0, floor - 64 * u)
    for k, piece in enumerate(p for p in pieces if p.name not in TALL):
        kind = plan[k % len(plan)]
        if kind == "window" and "window" not in scene.absent:
            pane = (piece.x - 17 * u, floor - 60 * u - spare * 0.6, 34 * u, 32 * u + spare * 0.6)
            window(drawing, pane, u, outside, dice)
        elif kind == "pendant":
            place(drawing, "pendant", piece.x, floor - 38 * u, 20 * u)
        else:
            place(
                drawing,
                "picture",
                piece.x + dice.uniform(-3, 3) * u,
                floor - 34 * u,
                dice.uniform(16, 22) * u,
            )


def outlook(
    drawing: Drawing, pane: tuple[float, float, float, float], u: float, outside: Light,
    dice: random.Random,
) -> list[str]:  # fmt: skip
    """Return what is seen through a window: sky, hills or houses, rain or snow."""
    scene, (x, y, wide, high) = drawing.scene, pane
    night = scene.time in ("night", "evening")
    view = [rect(x, y, wide, high, drawing.linear(stops(*outside.sky)))]
    moon = (x + wide * dice.choice((0.25, 0.75)), y + high * 0.24)
    if scene.weather == "clear" or night:
        view.append(circle(*moon, 2.4 * u, outside.sun))
    if night:
        view += [
            circle(x + dice.random() * wide, y + dice.random() * high * 0.7, 0.22 * u, "#fffbe8")
            for _ in range(16)
        ]
    land = {"winter": "#eef3f8", "autumn": "#c0a552"}.get(scene.season, "#79b454")
    for k, far in enumerate((0.45, 0.1)):
        if scene.backdrop == "city" or scene.ground == "street":
            roofs = [y + high * (0.75 - 0.4 * dice.random() + 0.1 * k) for _ in range(10)]
            line = [(x + wide * (n + e) / 9, roofs[n]) for n in range(9) for e in (0, 1)]
            view.append(path(down(line, y + high), outside("#5f6f8a", far)))
        else:
            line = [
                (x + a * wide / drawing.width, b)
                for a, b in fold(dice, drawing.width, y + high * (0.8 + 0.1 * k), high * 0.2, 0.8)
            ]
            view.append(path(down(line, y + high), outside(land, far)))
    if scene.weather in ("rain", "storm", "snow"):
        for _ in range(26):
            a, b = x + dice.random() * wide, y + dice.random() * high
            fall = (
                circle(a, b, 0.4 * u, "#ffffff")
                if scene.weather == "snow"
                else stroke(f"M{a:.1f} {b:.1f}l{-0.6 * u:.1f} {2.6 * u:.1f}", "#e9f1fb", 0.2 * u)
            )
            view.append(fall)
    return view


def window(
    drawing: Drawing, pane: tuple[float, float, float, float], u: float, outside: Light,
    dice: random.Random,
) -> None:  # fmt: skip
    """Open a window on the hour and the weather, between curtains; by day it lights the floor."""
    scene, ink, (x, y, wide, high) = drawing.scene, drawing.ink, pane
    clip = drawing.clip(rect(x, y, wide, high, "#fff"))
    night = scene.time in ("night", "evening")
    view = outlook(drawing, pane, u, outside, dice)
    trim, cloth = ink("#fbf5e8"), ink(dice.choice(CLOTHS))
    drawing.put(f"<g {clip}>{''.join(view)}</g>")
    frame = f"M{x + wide / 2:.1f} {y:.1f}v{high:.1f}M{x:.1f} {y + high * 0.45:.1f}h{wide:.1f}"
    edge = f'stroke="{trim}" stroke-width="{1.8 * u:.1f}"'
    drawing.put(stroke(frame, trim, 1.1 * u), rect(x, y, wide, high, "none", 0, edge))
    drawing.put(rect(x - 2.4 * u, y + high, wide + 4.8 * u, 1.8 * u, trim))
    for side in (-1, 1):
        a = x - 2 * u if side < 0 else x + wide + 2 * u
        b = a - side * 8 * u
        hem = f"{a - side * 3.4 * u:.1f} {y + high + 4 * u:.1f}H{a + side * 1.6 * u:.1f}Z"
        d = f"M{a:.1f} {y - 3 * u:.1f}H{b:.1f}Q{b + side * 1.5 * u:.1f} {y + high * 0.5:.1f} {hem}"
        drawing.put(path(d, cloth))
        fold_ = f"M{a - side * 2.4 * u:.1f} {y:.1f}L{a - side * 1.2 * u:.1f} {y + high + 3 * u:.1f}"
        drawing.put(stroke(fold_, dark(cloth, 0.2), 0.4 * u, 'opacity="0.6"'))
    rod = f"M{x - 5 * u:.1f} {y - 3.2 * u:.1f}H{x + wide + 5 * u:.1f}"
    drawing.put(stroke(rod, ink("#6b4a34"), 0.9 * u))
    if not night and scene.weather == "clear":
        low = drawing.height
        beam = [
            (x, low - (low - y - high) * 0.4),
            (x + wide, low - (low - y - high) * 0.4),
            (x + wide * 1.5, low),
            (x + wide * 0.3, low),
        ]
        drawing.put(path(points(beam), "#fff3c9", 'opacity="0.16"'))


def rug(drawing: Drawing, floor: float, u: float) -> None:
    """Lay a rug in the middle of the floor."""
    w, h, ink, dice = drawing.width, drawing.height, drawing.ink, drawing.dice("rug")
    tone = figures.DYES.get(drawing.scene.colour_of("rug") or "") or dice.choice(RUGS)
    y, rx, ry = floor + (h - floor) * 0.62, min(w * 0.4, 42 * u), (h - floor) * 0.25
    for part, hue in (
        (1.0, tone),
        (0.86, pale(tone, 0.55)),
        (0.8, mix(tone, "#ffffff", 0.12)),
        (0.5, pale(tone, 0.35)),
        (0.44, tone),
    ):
        drawing.put(ellipse(w / 2, y, rx * part, ry * part, ink(hue)))


def people(drawing: Drawing, pieces: list[Piece], floor: float, u: float) -> None:
    """Put animals on the rug or where they were said to be, and small things on a table's top."""
    scene = drawing.scene
    room = [one for s in scene.subjects if s.kind != "furniture" for one in cast.single(s)[:6]]
    living = [s for s in room if s.kind in ("animal", "swimmer")]
    if scene.vessel == "vase" and not any(s.kind == "plant" for s in room):
        room.append(Subject(concept="vase", kind="ware", colour=scene.glaze))
    lay(drawing, [s for s in room if s not in living], pieces, floor, u)
    h, w, dice = drawing.height, drawing.width, drawing.dice("people")
    for k, subject in enumerate(living):
        high = cast.ANIMALS.get(subject.concept, 24) * u * (0.72 if subject.small else 0.95)
        off = k - (len(living) - 1) / 2
        if on := seat(subject, pieces):
            x, y = on.x + off * high * 0.7, on.foot - TOPS[on.name][0] * on.size
            cast.stand(drawing, subject, x, y, high * 0.85, dice)
        else:
            x = w / 2 + off * min(w * 0.84 / len(living), 34 * u)
            if any(p.name == "fireplace" and abs(p.x - x) < 16 * u for p in pieces):
                x += 22 * u  # beside the fire, not before it
            y = floor + (h - floor) * (0.66 + 0.12 * (k % 2))
            cast.stand(drawing, subject, x, y, high, dice)


def lay(
    drawing: Drawing, small: list[Subject], pieces: list[Piece], floor: float, u: float
) -> None:
    """Lay small things on a table's top where there is one, else on the floor."""
    h, w, dice = drawing.height, drawing.width, drawing.dice("things")
    near = (p for p in pieces if abs(p.x - w / 2) < w / 2)
    table = next((p for p in near if p.name in TOPS and not TOPS[p.name][1]), None)
    food = cast.edible(drawing)
    if table and food:
        small = [s for s in small if s.kind != "food"]
        aside = table.wide * (0.16 if small else 0.0)
        top = table.foot - TOPS[table.name][0] * table.size
        cast.heap(drawing, food, (table.x - aside, top, 15 * u), dice)
    for k, subject in enumerate(small):
        on = seat(subject, pieces) or table
        flower = subject.concept in (*COLOURS, "flower")
        high = (16 if flower else cast.SMALL.get(subject.concept, 11)) * u
        if on:
            x = on.x + ((k + 0.5) / len(small) - 0.5) * on.wide * 0.8
            show(drawing, subject, x, on.foot - TOPS[on.name][0] * on.size, min(high, 14 * u), dice)
        else:
            x, y = w * (k + 0.5) / len(small), floor + (h - floor) * 0.72
            show(drawing, subject, x, y, high * 1.3, dice)


def seat(subject: Subject, pieces: list[Piece]) -> Piece | None:
    """Return the furniture on which a subject was said to be."""
    way, _, anchor = subject.at.partition(" ")
    name = {"table": "diner"}.get(anchor, anchor)
    return next(
        (p for p in pieces if way in ("on", "in") and p.name == name and name in TOPS), None
    )


def lamplight(drawing: Drawing, pieces: list[Piece], u: float, dusk: bool) -> None:
    """Light the lamps when it is dark, and the fire always."""
    for piece in pieces:
        up = {"floorlamp": 1.62, "nightstand": 0.76}.get(piece.name)
        if dusk and up:
            y = piece.foot - up * piece.size
            drawing.glow(piece.x, y, (30 * u, 30 * u), "#ffce7a", 0.6)
        if piece.name == "fireplace":
            drawing.glow(
                piece.x,
                piece.foot - piece.size * 0.2,
                (24 * u, 20 * u),
                "#ff9d4a",
                0.6 if dusk else 0.35,
            )
    vignette(drawing)
