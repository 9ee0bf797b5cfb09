"""Near things: food on a table, a product before a plain ground, a badge."""

import math
import random
from collections.abc import Iterator

from msgspec import structs

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
    use,
)
from ferrotype.engines.illustrator.flora import COLOURS, bloom
from ferrotype.engines.illustrator.lettering import Line
from ferrotype.engines.illustrator.light import dark, mix, pale
from ferrotype.engines.illustrator.reader import QUOTED
from ferrotype.engines.illustrator.scene import Subject
from ferrotype.engines.illustrator.sprites import has, place
from ferrotype.engines.illustrator.words import table

PROPS = table("props")
SERVE: dict[str, list[str]] = PROPS["serve"]
ROOMS = ("#c9b8a4", "#9fb0a6", "#b9a0a0", "#a8b4c4", "#d2bd98")
WOODS = ("#b98252", "#9b6b45", "#c79a6b", "#7f5a40")
PAPERS = ("#f3d9cf", "#dbe8ee", "#e3dcf0", "#dff0e2", "#f6ebc9", "#e9e6e2")


def most(subject: Subject) -> int:
    """Return how many of a thing are shown one by one: flowers stand together in one vase."""
    return 1 if subject.concept in (*COLOURS, "flower", "books") else 12


def each(drawing: Drawing) -> list[Subject]:
    """Return the things to show one by one; "fruit" is some of each kind."""
    found = [one for s in drawing.scene.subjects for one in cast.single(s)[: most(s)]]
    if not found and drawing.scene.trade:
        found = [Subject(concept=c) for c in PROPS["stand_for"].get(drawing.scene.trade, ())]
    return found


def show(
    drawing: Drawing, subject: Subject, x: float, foot: float, high: float, dice: random.Random
) -> None:
    """Stand one thing of any kind at a point, `high` pixels high, on its shadow."""
    drawing.put(
        drawing.shade(x, foot - high * 0.01, high * 0.46, high * 0.07, drawing.ink.shadow * 2)
    )
    if subject.concept in (*COLOURS, "flower"):
        bunch(drawing, subject, x, foot, high * 1.25, dice)
    elif symbol := cast.figure(drawing, subject, dice):
        drawing.put(
            use(symbol, x, foot if subject.kind != "flying" else foot - high / 2, high / 10)
        )
    elif has(subject.concept):
        name = "tablelamp" if subject.concept == "floorlamp" else subject.concept
        place(drawing, name, x, foot, high, cast.dye_of(subject), lie=True)


def bunch(
    drawing: Drawing, subject: Subject, x: float, foot: float, high: float, dice: random.Random
) -> None:
    """Stand a vase of flowers."""
    kinds = [subject.concept] if subject.concept in COLOURS else ["rose", "daisy", "tulip"]
    heads = [(math.sin(k * 2.4) * high * 0.23, -high * (0.62 + 0.055 * (k % 6))) for k in range(11)]
    root = f"M{x:.1f} {foot - high * 0.4:.1f}"
    stems = "".join(
        f"{root}Q{x:.1f} {foot + dy * 0.9:.1f} {x + dx:.1f} {foot + dy:.1f}" for dx, dy in heads
    )
    drawing.put(stroke(stems, drawing.ink("#5f8f4f"), high * 0.014))
    for k, (dx, dy) in enumerate(sorted(heads, key=lambda head: head[1])):
        kind = kinds[k % len(kinds)]
        colour = figures.DYES.get(subject.colour or "") or dice.choice(COLOURS[kind][:3])
        size = high * (0.12 if len(heads) > 1 else 0.2)
        drawing.put(
            use(bloom(drawing, kind, colour, 0.05), x + dx, foot + dy, size, dice.uniform(-25, 25))
        )
    place(drawing, "vase", x, foot, high * 0.62, figures.DYES.get(drawing.scene.glaze or ""))


def wall(drawing: Drawing, level: float) -> None:
    """Paint a room out of focus: its wall, soft lights, a window's brightness."""
    dice, w, ink = drawing.dice("wall"), drawing.width, drawing.ink
    tone = dice.choice(ROOMS)
    drawing.wash(0, level + 2, stops(ink(dark(tone, 0.2)), ink(tone), ink(pale(tone, 0.25))))
    reach = min(w, drawing.height)
    side = dice.choice((0.2, 0.8))
    drawing.glow(w * side, level * 0.4, (reach * 0.62, reach * 0.5), ink("#fff6dc"), 0.85)
    for _ in range(9):
        x, y, r = (
            dice.random() * w,
            level * dice.uniform(0.08, 0.8),
            reach * dice.uniform(0.02, 0.055),
        )
        hue = dice.choice(("#ffe2a8", "#fff4da", "#f7c9a2", "#d8ead8"))
        drawing.put(
            circle(x, y, r, hue, 'opacity="0.22"'), circle(x, y, r * 0.8, hue, 'opacity="0.14"')
        )


def planks(drawing: Drawing, level: float) -> None:
    """Lay a wooden table towards the viewer."""
    dice, w, h, ink = drawing.dice("planks"), drawing.width, drawing.height, drawing.ink
    wood, far = dice.choice(WOODS), -(h - level) * 1.6
    drawing.wash(level, h - level, stops(ink(pale(wood, 0.3)), ink(wood), ink(dark(wood, 0.22))))
    step = max(h - level, w / 14) * 0.62
    for k in range(-1, int(w / step) + 2):
        low, high = k * step, w / 2 + (k * step - w / 2) * (1 + (h - level) / far)
        seam = f"M{low:.1f} {h}L{high:.1f} {level:.1f}"
        drawing.put(stroke(seam, ink(dark(wood, 0.4)), min(w, h) * 0.004, 'opacity="0.55"'))
        grain = [low + step * part for part in (0.22, 0.5, 0.8)]
        d = "".join(
            f"M{x:.1f} {h}L{w / 2 + (x - w / 2) * (1 + (h - level) / far):.1f} {level:.1f}"
            for x in grain
        )
        drawing.put(stroke(d, ink(dark(wood, 0.2)), min(w, h) * 0.002, 'opacity="0.35"'))
    drawing.put(rect(0, level, w, min(w, h) * 0.012, ink(pale(wood, 0.5)), 0, 'opacity="0.6"'))


def board(drawing: Drawing) -> Iterator[None]:
    """Draw food or things on a table, from back to front, pausing after each layer."""
    w, h, scene, dice = drawing.width, drawing.height, drawing.scene, drawing.dice("board")
    level = h * (0.52 if h < w * 1.6 else 0.6)
    wall(drawing, level)
    yield
    planks(drawing, level)
    things = each(drawing)
    yield
    flowers = any(s.concept in (*COLOURS, "flower") for s in things)
    filled = scene.vessel in cast.HOLDERS and things[:1]
    if scene.vessel == "vase" and not flowers:
        things = [*things, Subject(concept="vase", colour=scene.glaze)]
    if filled and things[0].concept not in SERVE["whole"]:
        held = [s for s in things if s is things[0] or s.concept not in SERVE["apart"]]
        held = [s for s in held if s.kind in ("food", "ware") and has(s.concept)]
        others = [s for s in things if s not in held]
        if held:
            size = min(w, h) * (0.37 if others and scene.vessel == "plate" else 0.5)
            cast.heap(drawing, held, (w * (0.44 if others else 0.5), h * 0.86, size), dice)
        beside(drawing, others, dice)
    elif not things:
        size = min(w, h) * 0.5
        bare = Subject(concept=scene.vessel or "plate", colour=scene.glaze)
        show(drawing, bare, w / 2, level + (h - level) * 0.5, size, dice)
    else:
        serve(drawing, things, level, dice)
    yield
    vignette(drawing)
    yield


def grid(drawing: Drawing, count: int, level: float) -> list[tuple[float, float, float]]:
    """Return a foot and a height for each of `count` things, the farther ones first."""
    w, h = drawing.width, drawing.height
    across = (
        count
        if count < 5 and w > 0.8 * h
        else (
            max(min(2, count), min(count, round((count * w / h * 1.3) ** 0.5)))
            if w / h < 2.2 * count
            else count
        )
    )
    rows = math.ceil(count / across)
    size = min(
        h * (0.58 if rows == 1 else 0.46 / rows**0.45),
        w * 0.84 / across / (1.06 if count > 1 else 1.3),
    )
    found = []
    for k in range(count):
        row, column = divmod(k, across)
        here = min(across, count - row * across)
        pitch = min(w * 0.9 / here, size * 1.6)
        x = w / 2 + (column - (here - 1) / 2) * pitch + (size * 0.1 if row % 2 else 0)
        middle = level + (h - level) * 0.56
        spread = min(h - size * 0.12 - middle, size * 0.62 * (rows - 1))
        found.append((x, middle + (row - (rows - 1) / 2) * (spread * 1.2 / max(1, rows - 1)), size))
    return found


def serve(drawing: Drawing, things: list[Subject], level: float, dice: random.Random) -> None:
    """Set each thing on the table, on a plate where it is eaten from one; what is hot steams."""
    alike = all(s.concept in SERVE["little"] for s in things)
    for subject, (x, foot, high) in zip(things, grid(drawing, len(things), level), strict=True):
        little = subject.concept in SERVE["little"] and not alike
        size = high * dice.uniform(0.94, 1.03) * (0.68 if little else 1)
        if subject.concept in SERVE["plate"]:
            drawing.put(drawing.shade(x, foot + size * 0.03, size * 0.66, size * 0.1, 0.5))
            place(drawing, "plate", x, foot + size * 0.075, size * 0.74)
        show(
            drawing,
            subject,
            x,
            foot,
            size * (0.86 if subject.concept in SERVE["plate"] else 1),
            dice,
        )
        if subject.concept in SERVE["hot"]:
            steam(drawing, x, foot - size * 0.86, size)


def steam(drawing: Drawing, x: float, y: float, size: float) -> None:
    """Let steam rise."""
    for k in (-1, 0, 1):
        a, s = x + k * size * 0.13, size * 0.08
        d = f"M{a:.1f} {y:.1f}q{s:.1f} {-s:.1f} 0 {-2 * s:.1f}t0 {-2 * s:.1f}t0 {-2 * s:.1f}"
        drawing.put(stroke(d, "#ffffff", size * 0.022, 'opacity="0.34"'))


def beside(drawing: Drawing, things: list[Subject], dice: random.Random) -> None:
    """Stand what goes into no bowl beside it, to its right and left by turns."""
    w, h = drawing.width, drawing.height
    size = min(w, h) * 0.3
    for k, subject in enumerate(things[:4]):
        side, row = (1, -1)[k % 2], k // 2
        show(drawing, subject, w / 2 + side * w * 0.37, h * (0.86 + 0.09 * row), size, dice)


def vignette(drawing: Drawing) -> None:
    """Deepen the lower edge a little."""
    h = drawing.height
    shade = drawing.linear(((0.0, "#15122a", 0.0), (1.0, "#15122a", 0.22)))
    drawing.put(rect(0, h * 0.8, drawing.width, h * 0.2 + 1, shade))


def studio(drawing: Drawing) -> Iterator[None]:
    """Draw things before a plain ground, or a badge, pausing after each layer."""
    scene, dice, w, h = drawing.scene, drawing.dice("studio"), drawing.width, drawing.height
    drawing.ink = structs.replace(drawing.ink, ambient=(1.0, 1.0, 1.0))
    plain = figures.DYES.get(scene.backing)
    paper = (
        mix(plain, "#ffffff", 0.12 if scene.backing != "white" else 0.6)
        if plain
        else dice.choice(PAPERS)
    )
    things = each(drawing)
    if scene.emblem:
        yield from badge(drawing, things, paper, dice)
        return
    level = h * 0.6
    low = mix(paper, "#ffffff", 0.2)
    drawing.wash(0, h, stops(dark(paper, 0.1), paper, low, dark(paper, 0.06), dark(paper, 0.12)))
    reach = min(w, h)
    drawing.glow(w / 2, h * 0.45, (reach * 0.7, reach * 0.62), "#ffffff", 0.6)
    yield
    raised = len(things) == 1 and things[0].kind in ("ware", "food") and dice.random() < 0.6
    spots = grid(drawing, len(things), level - h * 0.1)
    if raised:
        x, foot, high = spots[0]
        spots = [(x, foot - high * 0.06, high * 0.86)]
        stand = high * 0.8
        drawing.put(drawing.shade(x, foot + stand * 0.42, stand * 0.95, stand * 0.1, 0.5))
        place(drawing, "podium", x, foot + stand * 0.42, stand, paper)
    yield
    for subject, (x, foot, high) in zip(things, spots, strict=True):
        show(drawing, subject, x, foot, high, dice)
    yield


def badge(
    drawing: Drawing, things: list[Subject], paper: str, dice: random.Random
) -> Iterator[None]:
    """Draw a round badge with its things inside, and the words that were asked for below."""
    w, h = drawing.width, drawing.height
    words = QUOTED.search(drawing.scene.prompt)
    drawing.ground = mix(paper, "#ffffff", 0.55)
    x, y, r = w / 2, h * (0.43 if words else 0.5), min(w, h) * (0.34 if words else 0.4)
    tone = dice.choice(("#2f5d6b", "#7a3f5c", "#37475f", "#2f6b5c", "#8a4f3a"))
    yield
    drawing.put(
        circle(x, y, r, tone), circle(x, y, r * 0.93, paper), circle(x, y, r * 0.9, tone),
        circle(x, y, r * 0.865, mix(paper, "#ffffff", 0.4)),
    )  # fmt: skip
    for k in range(24):
        a = k / 24 * math.tau
        drawing.put(
            circle(x + math.cos(a) * r * 0.965, y + math.sin(a) * r * 0.965, r * 0.012, "#ffffff")
        )
    yield
    shown = things[:3]
    size = r * (1.1 if len(shown) == 1 else 1.3 / len(shown))
    for k, subject in enumerate(shown):
        show(
            drawing,
            subject,
            x + (k - (len(shown) - 1) / 2) * size * 1.05,
            y + size * 0.5,
            size,
            dice,
        )
    stars(drawing, x, y, r, tone)
    if words:
        line = Line(
            text=words[1], x=x, y=y + r * 1.26, width=w * 0.8, height=r * 0.26, colour=tone,
            bold=0.012,
        )  # fmt: skip
        drawing.write(line)
    drawing.put(ellipse(x, y - r * 0.5, r * 0.5, r * 0.16, "#ffffff", 'opacity="0.14"'))
    yield


def stars(drawing: Drawing, x: float, y: float, r: float, tone: str) -> None:
    """Set a small star on each side of a badge."""
    rays = [(n * math.pi / 5, r * (0.026 if n % 2 else 0.06)) for n in range(10)]
    for side in (-1, 1):
        mid, low = x + side * r * 0.62, y + r * 0.42
        star = [(mid + math.sin(a) * far, low - math.cos(a) * far) for a, far in rays]
        drawing.put(path(points(star), tone))
