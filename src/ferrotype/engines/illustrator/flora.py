# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""Flowers, leaves, pots and bouquets. A bloom is drawn once in a unit circle, then placed often."""

import math
import random
import re
from itertools import pairwise

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
from ferrotype.engines.illustrator.light import dark, mix, pale

COLOURS = {
    "rose": ("#d8324a", "#f2a0b5", "#f7d9c4", "#b3173d", "#fbeee6", "#ef7f8e"),
    "tulip": ("#e8455a", "#f5b53c", "#b45cc9", "#f28aa6", "#f06a35", "#fff0dc"),
    "daisy": ("#ffffff", "#fff3d1", "#f9c5d8", "#e9e2ff"),
    "sunflower": ("#f8b81f", "#f5a314"),
    "hydrangea": ("#7f9be6", "#b69be8", "#e3a3cf", "#9fc6ea", "#f1e9f7"),
    "peony": ("#f4a3bd", "#f9c9d4", "#e56b92", "#fbe6e2", "#f5b49b"),
    "lavender": ("#8f74d1", "#a78be0", "#6f63c6"),
    "gerbera": ("#f0663f", "#ef4d74", "#f7a531", "#fcd85c", "#d43d8b"),
    "poppy": ("#e2412c", "#ee6a3b", "#f08a5d"),
}
# rows of a bunch, far to near: height, blooms, how deep in shade
LUSH = ((0.95, 3, 0.34), (0.6, 4, 0.16), (0.24, 5, 0.0))
SPARSE = ((0.75, 2, 0.2), (0.3, 4, 0.0))
POTS = {
    "zinc": "#9fb0b8",
    "clay": "#c2693f",
    "wicker": "#b98a52",
    "enamel": "#6f9fa3",
    "cream": "#e9dcc3",
}
Line = list[tuple[float, float]]
LEAVES = ("#4f8a4b", "#3f7a4d", "#6a9c52", "#527f5e", "#84a95c")


def disc(x: float, y: float, r: float) -> str:
    """Return a circle as part of a path: many of one colour cost as much as one shape."""
    return f"M{x - r:.2f} {y:.2f}a{r:.2f} {r:.2f} 0 1 1 {2 * r:.2f} 0a{r:.2f} {r:.2f} 0 1 1 {-2 * r:.2f} 0"


def ring(n: int, inner: float, outer: float, wide: float, turn: float = 0.0) -> str:
    """Return `n` petals around the origin as one path, from `inner` to `outer`."""
    d, mid = "", inner + (outer - inner) * 0.62
    for k in range(n):
        c, s = math.cos(2 * math.pi * k / n + turn), math.sin(2 * math.pi * k / n + turn)
        p = [
            (r * c - o * s, r * s + o * c)
            for r, o in ((inner, 0), (mid, wide), (outer, 0), (mid, -wide))
        ]
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = p
        over = 1.12
        d += f"M{x0:.2f} {y0:.2f}Q{x1:.2f} {y1:.2f} {x2 * over - x0 * 0.12:.2f} {y2 * over - y0 * 0.12:.2f}Q{x3:.2f} {y3:.2f} {x0:.2f} {y0:.2f}"
    return d


def rosette(n: int, reach: float, r: float, turn: float) -> tuple[str, str]:
    """Return two paths of discs in a circle, every other one, so that neighbours show apart."""
    at = [2 * math.pi * k / n + turn for k in range(n)]
    discs = [disc(reach * math.cos(a), reach * math.sin(a), r) for a in at]
    return "".join(discs[::2]), "".join(discs[1::2])


def _rose(c: str) -> str:
    one, two = rosette(6, 0.45, 0.55, 0.3)
    three, four = rosette(4, 0.22, 0.4, 0.7)
    tones = (
        (one, dark(c, 0.16)),
        (two, dark(c, 0.05)),
        (three, pale(c, 0.12)),
        (four, pale(c, 0.26)),
    )
    whorl = stroke(
        "M-.28 .02C-.26 -.3 .24 -.34 .28 -.02S-.1 .3 -.12 .04S.12 -.14 .12 .04", dark(c, 0.32), 0.09
    )
    return "".join(path(d, tone) for d, tone in tones) + circle(0, 0, 0.33, c) + whorl


def _tulip(c: str) -> str:
    back = path("M-.62 -.5C-.3 -.8 -.2 -.95 0 -1C.2 -.95 .3 -.8 .62 -.5L.5 .4H-.5Z", dark(c, 0.22))
    left = path("M-.68 -.86C-.2 -.6 .05 -.1 0 .8C-.7 .75 -.95 .1 -.68 -.86Z", dark(c, 0.06))
    right = path("M.68 -.86C.2 -.6 -.05 -.1 0 .8C.7 .75 .95 .1 .68 -.86Z", c)
    front = path("M0 -.62C.42 -.3 .46 .5 0 .82C-.46 .5 -.42 -.3 0 -.62Z", pale(c, 0.22))
    return back + left + right + front


def _daisy(c: str) -> str:
    under, over = (
        path(ring(11, 0.2, 1, 0.3, 0.28), dark(c, 0.13)),
        path(ring(11, 0.2, 0.96, 0.27), c),
    )
    return under + over + circle(0, 0, 0.32, "#e59a1d") + circle(-0.05, -0.06, 0.21, "#f9c93f")


def _sunflower(c: str) -> str:
    under, over = (
        path(ring(14, 0.3, 1, 0.3, 0.22), dark(c, 0.14)),
        path(ring(14, 0.3, 0.94, 0.27), c),
    )
    seeds = "".join(
        disc(0.065 * k**0.5 * math.cos(k * 2.4), 0.065 * k**0.5 * math.sin(k * 2.4), 0.04)
        for k in range(3, 34, 2)
    )
    return under + over + circle(0, 0, 0.48, "#54311b") + path(seeds, "#a4662c")


def _cluster(c: str) -> str:
    tones = (dark(c, 0.12), c, pale(c, 0.22), pale(c, 0.4))
    layers, eyes = ["", "", "", ""], ""
    for k in range(19):
        r, a = 0.84 * (k / 19) ** 0.5, k * 2.4
        x, y = r * math.cos(a), r * math.sin(a) - 0.04
        layers[3 - min(3, int(r * 3) + k % 2)] += "".join(
            disc(x + 0.12 * sx, y + 0.12 * sy, 0.135) for sx in (-1, 1) for sy in (-1, 1)
        )
        eyes += disc(x, y, 0.05)
    return (
        circle(0, 0, 0.88, dark(c, 0.26))
        + "".join(path(d, t) for d, t in zip(layers, tones, strict=True))
        + path(eyes, dark(c, 0.28))
    )


def _peony(c: str) -> str:
    out = ""
    for n, reach, r, low, high in (
        (8, 0.6, 0.38, dark(c, 0.16), dark(c, 0.06)),
        (8, 0.42, 0.32, c, pale(c, 0.13)),
        (6, 0.23, 0.25, pale(c, 0.22), pale(c, 0.34)),
    ):
        one, two = rosette(n, reach, r, reach * 7)
        out += path(one, low) + path(two, high)
    return out + circle(0, 0, 0.2, pale(c, 0.48))


def _lavender(c: str) -> str:
    rows = [disc((-0.17, 0.17, 0)[k % 3] * (1 - k / 18), 1 - k * 0.15, 0.15) for k in range(14)]
    tones = (dark(c, 0.2), c, pale(c, 0.24))
    return stroke("M0 1.8V.8", "#6f8f58", 0.1) + "".join(
        path("".join(rows[k::3]), t) for k, t in enumerate(tones)
    )


def _gerbera(c: str) -> str:
    under, over = (
        path(ring(15, 0.15, 1, 0.24, 0.21), dark(c, 0.16)),
        path(ring(15, 0.15, 0.94, 0.22), c),
    )
    eye = path(ring(12, 0.1, 0.46, 0.1), pale(c, 0.35)) + circle(0, 0, 0.24, dark(c, 0.55))
    return under + over + eye + circle(0, 0, 0.12, "#f3d58a")


def _poppy(c: str) -> str:
    one, two = rosette(4, 0.36, 0.56, 0.7)
    eye = path(ring(9, 0.1, 0.34, 0.05), "#4a3542")
    return path(one, dark(c, 0.12)) + path(two, c) + eye + circle(0, 0, 0.2, "#2d2230")


BLOOMS = {
    "rose": _rose,
    "tulip": _tulip,
    "daisy": _daisy,
    "sunflower": _sunflower,
    "hydrangea": _cluster,
    "peony": _peony,
    "lavender": _lavender,
    "gerbera": _gerbera,
    "poppy": _poppy,
}


def bloom(drawing: Drawing, kind: str, colour: str, shade: float = 0.0) -> str:
    """Define a bloom in the scene's light, deepened by `shade`; return its symbol."""

    def draw() -> str:
        def lit(match: re.Match[str]) -> str:
            return mix(drawing.ink(match[0]), drawing.ink("#27402f"), shade)

        return re.sub("#[0-9a-f]{6}", lit, BLOOMS[kind](colour))

    return drawing.once(("bloom", kind, colour, shade, drawing.ink), draw)


def leaf(drawing: Drawing, colour: str) -> str:
    """Define a leaf that grows upwards from the origin, one unit long; return its symbol."""

    def draw() -> str:
        blade = path("M0 0C-.3 -.3 -.26 -.75 0 -1C.26 -.75 .3 -.3 0 0Z", drawing.ink(colour))
        return blade + path("M0 0C.3 -.3 .26 -.75 0 -1Z", drawing.ink(dark(colour, 0.16)))

    return drawing.once(("leaf", colour, drawing.ink), draw)


def bouquet(
    drawing: Drawing,
    x: float,
    y: float,
    r: float,
    kind: str,
    dice: random.Random,
    lush: bool = True,
) -> None:
    """Put a full bunch over a pot's rim: centre (x, y), half width `r` pixels."""
    palette, variant, flip = dice.randrange(3), dice.randrange(2), dice.random()
    mark, size = ("bouquet", kind, palette, variant, lush), round(r, 1)
    box = (-2.1 * size, -2.0 * size, 2.1 * size, 0.9 * size)

    def paint(small: Drawing) -> None:
        bunch(small, size, kind, (COLOURS[kind] * 3)[2 * palette : 2 * palette + 2], lush)

    drawing.paste((*mark, size), box, paint, (x, y), flip < 0.5)


def bunch(drawing: Drawing, r: float, kind: str, palette: tuple[str, ...], lush: bool) -> None:
    """Draw a bunch around the origin: leaves behind, rows of blooms, leaves over the rim."""
    dice = drawing.dice("bunch")
    greens = [leaf(drawing, c) for c in dice.sample(LEAVES, 2)]
    for k in range(7 if lush else 3):
        turn = -72 + (24 if lush else 72) * k + dice.uniform(-6, 6)
        long = r * dice.uniform(1.1, 1.55)
        drawing.put(use(greens[k % 2], turn / 78 * r * 0.5, r * 0.15, long, turn))
    size = r * {"lavender": 0.36, "hydrangea": 0.5, "sunflower": 0.5, "peony": 0.46}.get(kind, 0.4)
    for height, n, shade in LUSH if lush else SPARSE:
        for k in range(n):
            at = (k + 0.5) / n * 2 - 1
            px = at * r * (1.18 if height < 0.9 else 0.85) + dice.uniform(-0.08, 0.08) * r
            py = -r * (height * 1.25 * (1 - 0.3 * at * at) - 0.06) + dice.uniform(-0.1, 0.1) * r
            turn = at * 32 if kind in ("tulip", "lavender") else dice.uniform(-30, 30)
            tint = bloom(drawing, kind, dice.choice(palette), shade)
            drawing.put(use(tint, px, py, size * dice.uniform(0.85, 1.1), turn))
    for k in range(4 if lush else 2):
        turn = (-90, 92, -58, 62)[k] + dice.uniform(-8, 8)
        drawing.put(use(greens[k % 2], turn / 98 * r * 0.66, r * 0.1, r * 0.62, turn))


def pot(drawing: Drawing, x: float, y: float, r: float, h: float, kind: str) -> None:
    """Stand a pot on the ground at (x, y): half width `r` at the rim, height `h`, in pixels."""
    r, h = round(r, 1), round(h, 1)
    box = (-1.5 * r, -h - 0.4 * r, 1.7 * r, 0.5 * r)
    drawing.paste(("pot", kind, r, h), box, lambda small: thrown(small, r, h, kind), (x, y))


def thrown(drawing: Drawing, r: float, h: float, kind: str) -> None:
    """Draw a pot that stands on the origin, with its shadow."""
    base, ink, foot, top = POTS[kind], drawing.ink, r * 0.74, -h
    tones = (ink(dark(base, 0.28)), ink(pale(base, 0.22)), ink(base), ink(dark(base, 0.36)))
    paint = drawing.linear(stops(*tones), x2=1, y2=0)
    drawing.put(drawing.shade(r * 0.2, -r * 0.02, r * 1.35, r * 0.34, drawing.ink.shadow * 1.6))
    low = -r * 0.1
    drawing.put(
        path(
            f"M{-r:.1f} {top:.1f}L{-foot:.1f} {low:.1f}Q0 {r * 0.14:.1f} {foot:.1f} {low:.1f}L{r:.1f} {top:.1f}Z",
            paint,
        )
    )
    weave = f'stroke-dasharray="{r * 0.16:.1f} {r * 0.12:.1f}"' if kind == "wicker" else ""
    for part in (0.2, 0.4, 0.6, 0.8) if kind == "wicker" else (0.3, 0.72) if kind != "clay" else ():
        line, wide = low - h * part, foot + (r - foot) * part
        d = f"M{-wide:.1f} {line:.1f}Q0 {line + r * 0.16:.1f} {wide:.1f} {line:.1f}"
        drawing.put(stroke(d, ink(dark(base, 0.28)), r * 0.06, weave))
    if kind == "clay":
        drawing.put(rect(-r * 1.06, top - h * 0.02, r * 2.12, h * 0.24, paint, r * 0.05))
    drawing.put(ellipse(0, top, r, r * 0.15, ink(dark(base, 0.5))))


def ivy(drawing: Drawing, line: Line, size: float, dice: random.Random, flower: str | None) -> None:
    """Grow leaves, and blooms of a colour if given, along a line of points."""
    tones = [leaf(drawing, c) for c in LEAVES[:4]]
    petal = bloom(drawing, "hydrangea", flower, 0.05) if flower else ""
    for (x1, y1), (x2, y2) in pairwise(line):
        n = max(2, int(math.hypot(x2 - x1, y2 - y1) / size * 2.4))
        for k in range(n):
            px = x1 + (x2 - x1) * k / n + dice.gauss(0, size * 0.55)
            py = y1 + (y2 - y1) * k / n + dice.gauss(0, size * 0.4)
            long, turn = size * dice.uniform(0.7, 1.2), dice.uniform(0, 360)
            drawing.put(use(dice.choice(tones), px, py, long, turn))
            if petal and dice.random() < 0.34:
                drawing.put(use(petal, px, py + size * 0.3, size * dice.uniform(0.35, 0.6), 0))


def climber(
    drawing: Drawing, line: Line, size: float, dice: random.Random, flower: str | None
) -> None:
    """Lead a climbing plant along a line of points: sprays of leaves, now and then in flower."""
    size = round(size, 1)
    box = (-2.2 * size, -2.2 * size, 2.2 * size, 2.2 * size)

    def paint(small: Drawing) -> None:
        ivy(small, [(0, -size * 0.7), (0, size * 0.7)], size, small.dice("spray"), flower)

    for (x1, y1), (x2, y2) in pairwise(line):
        n = max(1, round(math.hypot(x2 - x1, y2 - y1) / size / 1.1))
        for k in range(n):
            at = (x1 + (x2 - x1) * (k + 0.5) / n, y1 + (y2 - y1) * (k + 0.5) / n)
            mark = ("spray", size, flower, dice.randrange(6))
            drawing.paste(mark, box, paint, at, dice.random() < 0.5)


def basket(drawing: Drawing, x: float, y: float, r: float, dice: random.Random) -> None:
    """Hang a basket of flowers from (x, y) upwards out of sight of its hook; `r` its radius."""
    kind, variant = dice.choice(("peony", "hydrangea", "daisy", "gerbera")), dice.randrange(3)
    r = round(r, 1)
    box = (-2.3 * r, -2.5 * r, 2.3 * r, 2.4 * r)
    mark = ("basket", kind, variant, r)
    drawing.paste(mark, box, lambda small: hung(small, r, kind), (x, y), dice.random() < 0.5)


def hung(drawing: Drawing, r: float, kind: str) -> None:
    """Draw a hanging basket with its rim at the origin."""
    ink, dice = drawing.ink, drawing.dice("basket")
    wires = "".join(f"M0 {-r * 2.3:.1f}L{dx * r:.1f} 0" for dx in (-0.85, 0, 0.85))
    wicker = drawing.linear(stops(ink("#8a6238"), ink("#c39a62"), ink("#6b4727")), x2=1, y2=0)
    bowl = points([(-r, 0), (r, 0), (r * 0.55, r * 0.75), (-r * 0.55, r * 0.75)])
    drawing.put(stroke(wires, ink("#4a423e"), r * 0.06), path(bowl, wicker))
    bunch(drawing, r * 0.95, kind, tuple(dice.sample(COLOURS[kind], 2)), True)
    for side in (-1, 1):
        trail = [(side * r * 0.9, r * 0.1), (side * r * 1.05, r * (1.0 + 0.1 * side))]
        ivy(drawing, trail, r * 0.42, dice, None)


def planter(drawing: Drawing, x: float, y: float, w: float, h: float, dice: random.Random) -> None:
    """Set a window box with its top left corner at (x, y)."""
    variant, w, h = dice.randrange(8), round(w, 1), round(h, 1)
    box = (-0.8 * h, -1.4 * h, w + 0.8 * h, 1.9 * h)
    mark = ("planter", variant, w, h)
    drawing.paste(mark, box, lambda small: planted(small, w, h), (x, y))


def planted(drawing: Drawing, w: float, h: float) -> None:
    """Draw a window box with its top left corner at the origin."""
    ink, dice = drawing.ink, drawing.dice("planter")
    kinds = dice.sample(("peony", "gerbera", "daisy", "hydrangea", "rose"), 2)
    tones = [leaf(drawing, c) for c in LEAVES[:3]]
    for k in range(n := int(w / h * 5)):
        long, turn = h * dice.uniform(0.9, 1.3), dice.uniform(-50, 50)
        drawing.put(use(dice.choice(tones), (k + 0.5) / n * w, h * 0.3, long, turn))
    for k in range(n := int(w / h * 2.6)):
        symbol = bloom(drawing, kinds[k % 2], dice.choice(COLOURS[kinds[k % 2]]))
        py, size = -h * dice.uniform(0.0, 0.4), h * dice.uniform(0.36, 0.48)
        drawing.put(use(symbol, (k + 0.5) / n * w, py, size))
    front = drawing.linear(stops(ink("#a5713f"), ink("#7d5029")))
    drawing.put(rect(0, h * 0.12, w, h * 0.88, front, h * 0.08))
    for k in range(4):
        px = -h * 0.1 + (k + 0.5) / 4 * w + dice.uniform(-0.4, 0.4) * h
        trail = [(px, h * 0.2), (px + h * 0.15, h * dice.uniform(0.6, 1.1))]
        ivy(drawing, trail, h * 0.35, dice, None)
