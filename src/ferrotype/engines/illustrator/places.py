"""Places that are no open country, in its layers: city and street, the deep sea, space."""

import random

from ferrotype.engines.illustrator.drawing import (
    Drawing,
    circle,
    ellipse,
    group,
    path,
    points,
    rect,
    stops,
    stroke,
    use,
)
from ferrotype.engines.illustrator.ground import Ground, down, fold
from ferrotype.engines.illustrator.light import dark, mix, pale
from ferrotype.engines.illustrator.sprites import place
from ferrotype.engines.illustrator.trees import tree

WALLS = ("#d9a58a", "#e8d3a9", "#9fb5a5", "#c98f86", "#b9c3cf", "#efe1cb", "#c7b08b", "#a7b4c9")
BLOCKS = ("#8797ab", "#a3adb8", "#7d8ba3", "#b3a99f", "#94a3a8")
CLOTHS = ("#c8473f", "#2f6b5c", "#e0a33c", "#3f6285", "#d9798b")
MARS = "#b5654a"
NEON = ("#ff5fa8", "#5fd8ff", "#b07bff", "#ffd25f")


def box(x: float, y: float, w: float, h: float) -> str:
    """Return a rectangle as a part of a path."""
    return f"M{x:.1f} {y:.1f}h{w:.1f}v{h:.1f}h{-w:.1f}Z"


def panes(
    dice: random.Random, area: tuple[float, float, float, float], pitch: tuple[float, float]
) -> tuple[str, str]:
    """Return a wall's windows as two paths: those that are lit at night, and the others."""
    x, y, w, h = area
    columns, rows = max(1, int(w / pitch[0])), max(1, int(h / pitch[1]))
    out = ["", ""]
    for row in range(rows):
        for column in range(columns):
            at = x + (column + 0.5) * w / columns, y + (row + 0.5) * h / rows
            wide, high = 0.5 * w / columns, 0.56 * h / rows
            out[dice.random() < 0.45] += box(at[0] - wide / 2, at[1] - high / 2, wide, high)
    return out[1], out[0]


def skyline(drawing: Drawing, ground: Ground) -> None:
    """Raise towers along the horizon in three rows, each nearer one darker and clearer."""
    dice, w, base, ink, u = (
        drawing.dice("skyline"), drawing.width, ground.horizon + 2, drawing.ink, ground.u,
    )  # fmt: skip
    tall = min(1.0, max(0.0, drawing.height / w - 1))
    reach = min(base * 0.8, u * (50 + 50 * tall))
    lit = ink.lamps > 0.7
    for row, (far, high, wide) in enumerate(((0.62, 1.0, 7.5), (0.4, 0.78, 9.0), (0.16, 0.52, 11))):
        x = -dice.random() * wide * u
        while x < w:
            span = wide * u * dice.uniform(0.7, 1.35)
            top = base - reach * high * (0.35 + 0.65 * dice.random() ** 1.4)
            tone = ink(dark(dice.choice(BLOCKS), 0.1 * row), far)
            drawing.put(rect(x, top, span, base - top, tone))
            crown(drawing, dice, (x, top, span), tone, u)
            shade = "#15122a"
            drawing.put(
                rect(x + span * 0.62, top, span * 0.38, base - top, shade, 0, 'opacity="0.1"')
            )
            inner = (x + span * 0.1, top + u, span * 0.8, base - top - u)
            bright, dim = panes(dice, inner, (1.9 * u, (2.3 + 0.3 * row) * u))
            pane = ink("#dcebf4", far) if not lit else mix("#ffd98a", ink.haze, far * 0.7)
            drawing.put(path(bright, pane, f'opacity="{0.5 + 0.35 * lit}"'))
            drawing.put(path(dim, dark(tone, 0.22)))
            if lit and row == 2 and dice.random() < 0.35:
                sign = rect(x + span * 0.2, top + 3 * u, 0.9 * u, 7 * u, dice.choice(NEON), 0.4 * u)
                drawing.put(sign)
            x += span * dice.uniform(0.92, 1.12)
    fog = [(0.0, ink.haze, 0.0), (1.0, ink.haze, 0.55)]
    high = reach * 0.3
    drawing.put(rect(0, base - high, w, high, drawing.linear(tuple(fog))))


def crown(
    drawing: Drawing, dice: random.Random, roof: tuple[float, float, float], tone: str, u: float
) -> None:
    """Finish a tower: flat, stepped, pointed or with a mast."""
    x, top, span = roof
    kind = dice.randrange(5)
    if kind == 1:
        drawing.put(rect(x + span * 0.2, top - 2.4 * u, span * 0.6, 2.6 * u, tone))
    elif kind == 2:
        mast = f"M{x + span / 2:.1f} {top:.1f}v{-6 * u:.1f}"
        drawing.put(
            stroke(mast, tone, 0.35 * u), rect(x + span * 0.3, top - u, span * 0.4, u, tone)
        )
    elif kind == 3:
        drawing.put(path(points([(x, top), (x + span, top), (x + span, top - 3.4 * u)]), tone))


def terrace(drawing: Drawing, ground: Ground) -> None:
    """Set a row of town houses along the street, each with a shop or a door below."""
    dice, w, ink, u = drawing.dice("terrace"), drawing.width, drawing.ink, ground.u
    base, x, city = ground.horizon + 2, -5.0 * ground.u, drawing.scene.backdrop == "city"
    winter = drawing.scene.season == "winter"
    while x < w:
        wide, storeys = dice.uniform(15, 23) * u, dice.randint(2, 3 + city)
        storey = 9.5 * u
        top = base - 11 * u - storeys * storey
        wall = dice.choice(WALLS)
        drawing.put(rect(x, top, wide, base - top, ink(wall)))
        drawing.put(rect(x + wide - 1.2 * u, top, 1.2 * u, base - top, ink(dark(wall, 0.2))))
        if city or dice.random() < 0.4:
            cap = ink("#f2f6fa" if winter else dark(wall, 0.25))
            drawing.put(rect(x - 0.5 * u, top - 1.4 * u, wide + u, 1.8 * u, cap))
        else:
            roof = "#f2f6fa" if winter else dice.choice(("#a8584a", "#8a5a4a", "#6d7f93"))
            ends = [(x - u, top), (x + wide + u, top), (x + wide - 2.5 * u, top - 7 * u)]
            drawing.put(path(points([*ends, (x + 2.5 * u, top - 7 * u)]), ink(roof)))
            drawing.put(rect(x + 4 * u, top - 9 * u, 2 * u, 5 * u, ink(dark(wall, 0.35))))
        windows(drawing, dice, (x, top, wide, storeys * storey), u)
        front(drawing, dice, (x, base - 10.4 * u, wide, 10.4 * u), u)
        x += wide


def windows(
    drawing: Drawing, dice: random.Random, area: tuple[float, float, float, float], u: float
) -> None:
    """Set framed windows in rows, some of them lit when it is dark."""
    ink, (x, y, wide, high) = drawing.ink, area
    columns, rows = max(2, round(wide / (6.2 * u))), max(1, round(high / (9.5 * u)))
    frame, glass = "", {True: "", False: ""}
    for row in range(rows):
        for column in range(columns):
            cx, cy = x + (column + 0.5) * wide / columns, y + (row + 0.52) * high / rows
            frame += box(cx - 1.95 * u, cy - 3 * u, 3.9 * u, 6 * u)
            frame += box(cx - 2.5 * u, cy + 3 * u, 5 * u, 0.7 * u)
            pane = box(cx - 1.5 * u, cy - 2.6 * u, 1.35 * u, 5.2 * u)
            pane += box(cx + 0.15 * u, cy - 2.6 * u, 1.35 * u, 5.2 * u)
            glass[ink.lamps > 0.5 and dice.random() < 0.6] += pane
    drawing.put(path(frame, ink("#f6efe2")), path(glass[False], ink("#7f9fb8")))
    drawing.put(path(glass[True], "#ffd88a"))


def front(
    drawing: Drawing, dice: random.Random, area: tuple[float, float, float, float], u: float
) -> None:
    """Draw a ground floor: a shop window below a striped awning, and a door."""
    ink, (x, y, wide, high) = drawing.ink, area
    wood, cloth = dice.choice(("#5b4033", "#37475f", "#2f5d52", "#7a3f4c")), dice.choice(CLOTHS)
    glow = "#ffdf9c" if ink.lamps > 0.5 else ink("#b5ccd8")
    drawing.put(rect(x + 0.6 * u, y, wide - 1.8 * u, high, ink(wood)))
    drawing.put(rect(x + 1.6 * u, y + 2 * u, wide * 0.56, 6.6 * u, glow))
    drawing.put(rect(x + wide * 0.7, y + 1.6 * u, 3.6 * u, high - 1.6 * u, ink(dark(wood, 0.3))))
    drawing.put(rect(x + wide * 0.7 + 0.6 * u, y + 2.4 * u, 2.4 * u, 3.6 * u, glow))
    stripes = max(3, round(wide / (2.6 * u)))
    step = (wide - u) / stripes
    for k in range(stripes):
        tone = ink(cloth if k % 2 == 0 else "#f8efdf")
        left = x + 0.2 * u + k * step
        drawing.put(path(box(left, y - 0.8 * u, step, 2.6 * u), tone))
        drawing.put(ellipse(left + step / 2, y + 1.8 * u, step / 2, 0.7 * u, tone))


def road(drawing: Drawing, ground: Ground, far: str) -> None:
    """Lay pavement, kerb and roadway before the houses; wet ones show them upside down."""
    w, h, ink, u = drawing.width, drawing.height, drawing.ink, ground.u
    top, span = ground.horizon, drawing.height - ground.horizon
    paved = "#e9eef4" if drawing.scene.season == "winter" else "#b9b2aa"
    kerb, near = top + span * 0.2, top + span * 0.84
    drawing.put(rect(0, top, w, h - top, ink(paved)))
    seams = "".join(f"M{x:.1f} {top:.1f}l{(x - w / 2) * 0.12:.1f} {span * 0.2:.1f}"
                    for x in (k * 5 * u for k in range(int(w / u / 5) + 2)))  # fmt: skip
    drawing.put(stroke(seams, ink(dark(paved, 0.16)), 0.14 * u))
    drawing.put(rect(0, top, w, span * 0.06, "#15122a", 0, 'opacity="0.16"'))
    tar = drawing.linear(stops(ink("#5c5f69"), ink("#4a4d58")))
    drawing.put(
        rect(0, kerb, w, near - kerb, tar), rect(0, kerb, w, 0.9 * u, ink(dark(paved, 0.35)))
    )
    drawing.put(rect(0, near, w, 1.1 * u, ink(pale(paved, 0.2))))
    if drawing.scene.weather in ("rain", "storm"):
        clip = drawing.clip(rect(0, kerb, w, near - kerb, "#fff"))
        mirror = f'transform="translate(0 {2 * kerb:.1f}) scale(1 -1)" opacity="0.34"'
        drawing.put(group(group(far, mirror), clip))
    dash, middle = 7 * u, (kerb + near) / 2
    marks = "".join(box(x, middle, dash * 0.55, 0.7 * u) for x in
                    (k * dash for k in range(int(w / dash) + 1)))  # fmt: skip
    drawing.put(path(marks, ink("#f4efe2"), 'opacity="0.85"'))
    furnish(drawing, ground, top + span * 0.16)
    if any("灯笼" in word or "lantern" in word for word in drawing.scene.known):
        lanterns(drawing, ground, top + span * 0.16)


def lanterns(drawing: Drawing, ground: Ground, foot: float) -> None:
    """Hang strings of red lanterns across the street."""
    w, u = drawing.width, ground.u
    for k in range(2):
        y, count = foot - (34 - 9 * k) * u, max(4, round(w / u / 12))
        step = w / count
        d = "".join(f"M{n * step:.1f} {y:.1f}q{step / 2:.1f} {2.4 * u:.1f} {step:.1f} 0"
                    for n in range(count))  # fmt: skip
        drawing.put(stroke(d, drawing.ink("#4a3a33"), 0.3 * u))
        for n in range(count):
            x = (n + 0.5) * step
            drawing.put(drawing.lamp(x, y + 5 * u, 7 * u, "#ff9d5a", 0.5 * drawing.ink.lamps))
            place(drawing, "red-paper-lantern", x, y + 9 * u, 8 * u)


def furnish(drawing: Drawing, ground: Ground, foot: float) -> None:
    """Stand lamps and young trees along the pavement; the lamps shine when it is dark."""
    w, u, dice, lit = drawing.width, ground.u, drawing.dice("furnish"), drawing.ink.lamps > 0.5
    count = max(1, round(w / u / 34))
    green = [tree(drawing, "tree", 0.0, dice) for _ in range(2)]
    for k in range(count):
        x = (k + 0.5) / count * w + dice.uniform(-3, 3) * u
        if "tree" not in drawing.scene.absent:
            at = x + 0.5 * w / count
            drawing.put(drawing.shade(at, foot, 5 * u, 0.9 * u, 0.5))
            drawing.put(use(dice.choice(green), at, foot, 1.5 * u))
        place(drawing, "lamppost", x, foot, 16 * u)
        if lit:
            drawing.put(drawing.lamp(x, foot - 29.5 * u, 13 * u, "#ffdf9c", 0.6))
            drawing.put(ellipse(x, foot + u, 9 * u, 1.6 * u, "#ffdf9c", 'opacity="0.16"'))


def abyss(drawing: Drawing, horizon: float) -> tuple[float, float]:
    """Paint the water seen from below its surface: light from above, and far rocks."""
    w, h, dice, u = (
        drawing.width,
        drawing.height,
        drawing.dice("sky"),
        min(drawing.width, drawing.height) / 100,
    )
    night = drawing.scene.time in ("night", "evening")
    tones = (
        ("#0d3b63", "#0a2f55", "#082445", "#061a36")
        if night
        else ("#7fdcec", "#3fb3d6", "#1f82b8", "#14609a")
    )
    drawing.wash(0, h, stops(*tones))
    sun = w * dice.choice((0.26, 0.36, 0.64, 0.74))
    for k in range(9):
        at = sun + (k - 4) * w * 0.09 + dice.uniform(-3, 3) * u
        wide, lean = dice.uniform(2, 7) * u, (k - 4) * w * 0.06
        ray = [
            (at, -u),
            (at + wide, -u),
            (at + wide * 2.2 + lean, h * 0.86),
            (at - wide + lean, h * 0.86),
        ]
        beam = drawing.linear(((0.0, "#ffffff", 0.24), (1.0, "#ffffff", 0.0)))
        drawing.put(path(points(ray), beam))
    for far, high in ((0.72, 0.3), (0.5, 0.2)):
        line = fold(dice, w, horizon + 2 * u, horizon * high, 1.6 + w / h * 0.6)
        drawing.put(path(down(line, h), mix("#0e3f66", tones[2], far)))
    for _ in range(26):
        x, y, r = dice.random() * w, dice.random() * horizon, dice.choice((0.5, 0.7, 1.1, 1.6)) * u
        rim = (
            f'stroke="#ffffff" stroke-opacity=".6" stroke-width="{0.14 * u:.2f}" fill-opacity=".16"'
        )
        drawing.put(ellipse(x, y, r, r, "#ffffff", rim))
    return sun, 0.0


def seabed(drawing: Drawing, ground: Ground) -> None:
    """Lay the sand of the sea's floor, with stones, weed and coral."""
    w, h, dice, u = drawing.width, drawing.height, drawing.dice("land"), ground.u
    tint = mix(ground.land, "#1f82b8" if drawing.scene.time == "day" else "#082445", 0.32)
    for k in range(3):
        top = ground.horizon + (h - ground.horizon) * (0.06 + 0.3 * k)
        line = fold(dice, w, top, (h - ground.horizon) * 0.2, 1.1 + 0.5 * k)
        drawing.put(path(down(line, h + 2), mix(tint, "#0e3f66", 0.3 - 0.14 * k)))
        for _ in range(max(2, round(w / u / 26))):
            x, y = line[dice.randrange(2, 36)]
            name = dice.choice(("weed", "weed", "coral", "boulder"))
            high = u * dice.uniform(8, 15) * (0.6 + 0.25 * k)
            hue = dice.choice((None, "#e0608a", "#f2a03c")) if name == "coral" else None
            place(drawing, name, x, y + high * 0.08 + k * u, high, hue, dice.random() < 0.5)


def cosmos(drawing: Drawing, horizon: float) -> tuple[float, float]:
    """Paint space: clouds of light, stars, and a world or two where none was asked for."""
    w, h, dice = drawing.width, drawing.height, drawing.dice("sky")
    low, u = min(h, horizon), min(drawing.width, drawing.height) / 100
    drawing.wash(0, low + 2, stops("#070a20", "#101338", "#1d1747", "#2a1c52"))
    hues = dice.sample(("#7a4fd0", "#2f7fd6", "#d0508f", "#2fb6a8", "#d6803f"), 3)
    for k, hue in enumerate(hues):
        x, y = w * (0.16 + 0.34 * k) + dice.uniform(-8, 8) * u, low * dice.uniform(0.2, 0.8)
        drawing.glow(x, y, (dice.uniform(38, 62) * u, dice.uniform(24, 40) * u), hue, 0.5)
    for _ in range(min(700, round(230 * w * low / min(w, low) ** 2))):
        r = dice.choice((0.07, 0.09, 0.12, 0.12, 0.2, 0.3)) * u
        x, y, power = dice.random() * w, dice.random() * low, dice.uniform(0.35, 1)
        drawing.put(circle(x, y, r, "#fffbe8", f'opacity="{power:.2f}"'))
    side = dice.choice((0.14, 0.86))
    if not any(s.kind == "cosmic" for s in drawing.scene.subjects):
        world(drawing, w * side, low * 0.3, 15 * u, dice, ring=dice.random() < 0.6)
        world(drawing, w * (1 - side), low * dice.uniform(0.55, 0.75), 6 * u, dice, ring=False)
    else:
        near = 11.0 if of_mars(drawing) else 4.5
        world(drawing, w * side, low * dice.uniform(0.12, 0.2), near * u, dice, ring=False)
    return w * side, low * 0.3


def world(drawing: Drawing, x: float, y: float, r: float, dice: random.Random, ring: bool) -> None:
    """Draw a planet with bands, lit from the upper left."""
    tone = dice.choice(("#d98a5a", "#6f9fd8", "#c9a0d8", "#7fc0a8", "#d8b46a"))
    tone = MARS if of_mars(drawing) else tone
    clip = drawing.clip(circle(x, y, r, "#fff"))
    stripes = "".join(
        rect(x - r, y + r * (k / 3.5 - 1), 2 * r, r * dice.uniform(0.08, 0.2), dark(tone, 0.16))
        for k in range(7)
    )
    shade = drawing.radial(
        ((0.0, "#000010", 0.0), (0.6, "#000010", 0.1), (1.0, "#000010", 0.75)), 0.32, 0.3, 0.8
    )
    hoop = f'transform="rotate(-18 {x:.1f} {y:.1f})"'
    if ring:
        arc = f"M{x - 1.9 * r:.1f} {y:.1f}a{1.9 * r:.1f} {0.42 * r:.1f} 0 0 1 {3.8 * r:.1f} 0"
        drawing.put(group(stroke(arc, pale(tone, 0.4), r * 0.16, 'opacity="0.8"'), hoop))
    turn = f'transform="rotate(-18 {x:.1f} {y:.1f})"'
    drawing.put(
        circle(x, y, r, pale(tone, 0.12)), group(group(stripes, turn), clip), circle(x, y, r, shade)
    )
    if ring:
        arc = f"M{x - 1.9 * r:.1f} {y:.1f}a{1.9 * r:.1f} {0.42 * r:.1f} 0 0 0 {3.8 * r:.1f} 0"
        drawing.put(group(stroke(arc, pale(tone, 0.4), r * 0.16, 'opacity="0.8"'), hoop))


def of_mars(drawing: Drawing) -> bool:
    """Say whether the prompt speaks of Mars."""
    return any(
        word in ("mars", "火星", "火星表面", "surface of mars") for word in drawing.scene.known
    )


def craters(drawing: Drawing, ground: Ground) -> None:
    """Lay dusty ground with craters, larger and rounder towards the viewer."""
    w, h, dice, u = drawing.width, drawing.height, drawing.dice("land"), ground.u
    land = MARS if of_mars(drawing) else ground.land
    span = h - ground.horizon
    for k in range(3):
        line = fold(dice, w, ground.horizon + span * (0.02 + 0.22 * k), span * 0.16, 0.9 + 0.4 * k)
        drawing.put(path(down(line, h + 2), mix(land, "#1d1747", 0.36 - 0.14 * k)))
    for k in range(12):
        deep = ((k + dice.random()) / 12) ** 1.3
        x, y, r = dice.random() * w, ground.horizon + span * (0.16 + 0.8 * deep), u * (2 + 7 * deep)
        flat = 0.26 + 0.08 * deep
        drawing.put(
            ellipse(x, y, r, r * flat, pale(land, 0.16)),
            ellipse(x + r * 0.05, y + r * 0.05, r * 0.86, r * flat * 0.8, dark(land, 0.4)),
            ellipse(x + r * 0.1, y + r * 0.1, r * 0.7, r * flat * 0.6, dark(land, 0.22)),
        )  # fmt: skip
