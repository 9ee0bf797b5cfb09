"""Flowers, leaves, pots and bouquets. A bloom is drawn once in a unit circle, then placed often."""

import math
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
LEAVES = ("#4f8a4b", "#3f7a4d", "#6a9c52", "#527f5e", "#84a95c")


def petals(n: int, reach: float, long: float, wide: float, fill: str, offset: float = 0) -> str:
    """Return `n` oval petals around the origin."""
    one = ellipse(0, -reach, wide, long, fill)
    return "".join(f'<g transform="rotate({360 * i / n + offset:.1f})">{one}</g>' for i in range(n))


def _rose(c: str) -> str:
    outer = "".join(
        circle(0.45 * math.cos(a), 0.45 * math.sin(a), 0.56, mix(dark(c, 0.16), c, i / 5))
        for i, a in enumerate(2 * math.pi * (k / 6 + 0.06) for k in range(6))
    )
    inner = "".join(
        circle(0.23 * math.cos(a), 0.23 * math.sin(a) - 0.02, 0.42, pale(c, 0.1 + 0.07 * i))
        for i, a in enumerate(2 * math.pi * (k / 4 + 0.1) for k in range(4))
    )
    whorl = stroke(
        "M-.28 .02C-.26 -.3 .24 -.34 .28 -.02S-.1 .3 -.12 .04S.12 -.14 .12 .04", dark(c, 0.32), 0.09
    )
    return outer + inner + circle(0, 0, 0.33, c) + whorl


def _tulip(c: str) -> str:
    back = path("M-.62 -.5C-.3 -.8 -.2 -.95 0 -1C.2 -.95 .3 -.8 .62 -.5L.5 .4H-.5Z", dark(c, 0.22))
    left = path("M-.68 -.86C-.2 -.6 .05 -.1 0 .8C-.7 .75 -.95 .1 -.68 -.86Z", dark(c, 0.06))
    right = path("M.68 -.86C.2 -.6 -.05 -.1 0 .8C.7 .75 .95 .1 .68 -.86Z", c)
    front = path("M0 -.62C.42 -.3 .46 .5 0 .82C-.46 .5 -.42 -.3 0 -.62Z", pale(c, 0.22))
    return back + left + right + front


def _daisy(c: str) -> str:
    ring = petals(12, 0.62, 0.4, 0.17, dark(c, 0.1), 15) + petals(12, 0.6, 0.4, 0.15, c)
    return ring + circle(0, 0, 0.32, "#e59a1d") + circle(-0.05, -0.06, 0.22, "#f9c93f")


def _sunflower(c: str) -> str:
    leaf = path("M0 -1C.2 -.75 .18 -.5 0 -.3C-.18 -.5 -.2 -.75 0 -1Z", dark(c, 0.14))
    back = "".join(f'<g transform="rotate({i * 24 + 12})">{leaf}</g>' for i in range(15))
    leaf = leaf.replace(dark(c, 0.14), c)
    front = "".join(f'<g transform="rotate({i * 24}) scale(.94)">{leaf}</g>' for i in range(15))
    seeds = "".join(
        circle(
            0.044 * k**0.5 * 1.25 * math.cos(k * 2.4),
            0.055 * k**0.5 * math.sin(k * 2.4),
            0.025,
            "#a4662c",
        )
        for k in range(1, 36)
    )
    return back + front + circle(0, 0, 0.48, "#54311b") + circle(0, 0, 0.34, "#6d3f1f") + seeds


def _cluster(c: str) -> str:
    dice = random.Random(7)
    parts = [circle(0, 0, 0.85, dark(c, 0.3))]
    for k in range(30):
        r, a = 0.86 * (k / 30) ** 0.5, k * 2.4
        tone = mix(dark(c, 0.12), pale(c, 0.35), dice.random() * 0.6 + 0.4 * (1 - r))
        x, y = r * math.cos(a), r * math.sin(a) - 0.04
        parts.append(
            "".join(
                circle(x + 0.1 * sx, y + 0.1 * sy, 0.115, tone) for sx in (-1, 1) for sy in (-1, 1)
            )
            + circle(x, y, 0.045, dark(c, 0.3))
        )
    return "".join(parts)


def _peony(c: str) -> str:
    layers = ""
    for n, reach, r, lift in ((9, 0.62, 0.36, -0.14), (8, 0.44, 0.33, 0.02), (6, 0.25, 0.27, 0.2)):
        for i in range(n):
            a = 2 * math.pi * (i / n) + reach * 7
            tone = dark(c, -lift) if lift < 0 else pale(c, lift + 0.06 * (i % 2))
            layers += circle(reach * math.cos(a), reach * math.sin(a), r, tone)
    return (
        layers
        + circle(0, 0, 0.2, pale(c, 0.45))
        + stroke("M-.12 .02Q0 -.2 .13 .02", dark(c, 0.2), 0.05)
    )


def _lavender(c: str) -> str:
    buds = "".join(
        ellipse(
            (-0.17, 0.17, 0)[k % 3] * (1 - k / 18),
            1 - k * 0.15,
            0.16,
            0.12,
            mix(dark(c, 0.2), pale(c, 0.3), k / 13),
        )
        for k in range(14)
    )
    return stroke("M0 1.8V.8", "#6f8f58", 0.1) + buds


def _gerbera(c: str) -> str:
    ring = petals(16, 0.62, 0.38, 0.14, dark(c, 0.14), 11) + petals(16, 0.56, 0.38, 0.13, c)
    eye = petals(14, 0.26, 0.16, 0.06, pale(c, 0.35)) + circle(0, 0, 0.24, dark(c, 0.55))
    return ring + eye + circle(0, 0, 0.12, "#f3d58a")


def _poppy(c: str) -> str:
    cups = "".join(
        ellipse(0.34 * math.cos(a), 0.34 * math.sin(a), 0.58, 0.52, mix(dark(c, 0.15), c, i / 3))
        for i, a in enumerate((3.9, 5.5, 2.4, 0.7))
    )
    return cups + circle(0, 0, 0.2, "#2d2230") + petals(9, 0.25, 0.07, 0.03, "#4a3542")


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
    lit = BLOOMS[kind](colour)
    for tone in sorted({lit[i : i + 7] for i in range(len(lit)) if lit[i] == "#"}):
        lit = lit.replace(tone, "\0" + mix(drawing.ink(tone), drawing.ink("#27402f"), shade)[1:])
    return drawing.symbol(lit.replace("\0", "#"))


def leaf(drawing: Drawing, colour: str) -> str:
    """Define a leaf that grows upwards from the origin, one unit long; return its symbol."""
    blade = path("M0 0C-.3 -.3 -.26 -.75 0 -1C.26 -.75 .3 -.3 0 0Z", drawing.ink(colour))
    half = path("M0 0C.3 -.3 .26 -.75 0 -1Z", drawing.ink(dark(colour, 0.16)))
    return drawing.symbol(blade + half)


def bouquet(drawing: Drawing, x: float, y: float, r: float, kind: str, dice: random.Random) -> None:
    """Put a full bunch over a pot's rim: centre (x, y), half width `r` pixels."""
    palette = dice.sample(COLOURS[kind], min(2, len(COLOURS[kind])))
    greens = [leaf(drawing, c) for c in dice.sample(LEAVES, 2)]
    for k in range(13):
        turn = -78 + 13 * k + dice.uniform(-6, 6)
        drawing.put(
            use(
                greens[k % 2],
                x + turn / 78 * r * 0.5,
                y + r * 0.15,
                r * dice.uniform(1.1, 1.55),
                turn,
            )
        )
    size = r * {"lavender": 0.36, "hydrangea": 0.5, "sunflower": 0.5, "peony": 0.46}.get(kind, 0.4)
    rows = ((0.95, 4, 0.34), (0.62, 5, 0.16), (0.24, 5, 0.0))
    for height, n, shade in rows:
        for k in range(n):
            at = (k + 0.5) / n * 2 - 1
            px = x + at * r * (1.18 if height < 0.9 else 0.85) + dice.uniform(-0.08, 0.08) * r
            py = y - r * (height * 1.25 * (1 - 0.3 * at * at) - 0.06) + dice.uniform(-0.1, 0.1) * r
            colour = dice.choice(palette)
            turn = at * 32 if kind in ("tulip", "lavender") else dice.uniform(-30, 30)
            drawing.put(
                use(
                    bloom(drawing, kind, colour, shade),
                    px,
                    py,
                    size * dice.uniform(0.85, 1.1),
                    turn,
                )
            )
    for k in range(4):
        turn = (-96, -60, 64, 98)[k] + dice.uniform(-8, 8)
        drawing.put(use(greens[k % 2], x + turn / 98 * r * 0.66, y + r * 0.1, r * 0.62, turn))


def pot(drawing: Drawing, x: float, y: float, r: float, h: float, kind: str) -> None:
    """Stand a pot on the ground at (x, y): half width `r` at the rim, height `h`, in pixels."""
    base = {
        "zinc": "#9fb0b8",
        "clay": "#c2693f",
        "wicker": "#b98a52",
        "enamel": "#6f9fa3",
        "cream": "#e9dcc3",
    }[kind]
    ink, foot, top = drawing.ink, r * 0.74, y - h
    paint = drawing.linear(
        stops(ink(dark(base, 0.28)), ink(pale(base, 0.22)), ink(base), ink(dark(base, 0.36))),
        x2=1,
        y2=0,
    )
    drawing.put(
        drawing.shade(x + r * 0.2, y - r * 0.02, r * 1.35, r * 0.34, drawing.ink.shadow * 1.6)
    )
    body = f"M{x - r:.1f} {top:.1f}L{x - foot:.1f} {y - r * 0.1:.1f}Q{x:.1f} {y + r * 0.14:.1f} {x + foot:.1f} {y - r * 0.1:.1f}L{x + r:.1f} {top:.1f}Z"
    drawing.put(path(body, paint))
    if kind == "wicker":
        for k in range(1, 5):
            line = y - r * 0.1 - h * k / 5
            wide = foot + (r - foot) * k / 5
            d = f"M{x - wide:.1f} {line:.1f}Q{x:.1f} {line + r * 0.16:.1f} {x + wide:.1f} {line:.1f}"
            drawing.put(
                stroke(
                    d,
                    ink(dark(base, 0.3)),
                    r * 0.07,
                    'stroke-dasharray="%.1f %.1f"' % (r * 0.16, r * 0.12),
                )
            )
    elif kind == "clay":
        drawing.put(rect(x - r * 1.06, top - h * 0.02, r * 2.12, h * 0.24, paint, r * 0.05))
    else:
        for part in (0.3, 0.72):
            wide = foot + (r - foot) * part
            line = y - r * 0.1 - h * part
            d = f"M{x - wide:.1f} {line:.1f}Q{x:.1f} {line + r * 0.16:.1f} {x + wide:.1f} {line:.1f}"
            drawing.put(stroke(d, ink(dark(base, 0.26)), r * 0.05))
    drawing.put(ellipse(x, top, r * 1.0, r * 0.15, ink(dark(base, 0.5))))


def ivy(
    drawing: Drawing,
    line: list[tuple[float, float]],
    size: float,
    dice: random.Random,
    flower: str | None,
) -> None:
    """Grow leaves, and blooms of a colour if given, along a line of points."""
    tones = [leaf(drawing, c) for c in LEAVES[:4]]
    petal = bloom(drawing, "hydrangea", flower, 0.05) if flower else ""
    for (x1, y1), (x2, y2) in zip(line, line[1:], strict=False):
        n = max(2, int(math.hypot(x2 - x1, y2 - y1) / size * 2.4))
        for k in range(n):
            px = x1 + (x2 - x1) * k / n + dice.gauss(0, size * 0.55)
            py = y1 + (y2 - y1) * k / n + dice.gauss(0, size * 0.4)
            drawing.put(
                use(dice.choice(tones), px, py, size * dice.uniform(0.7, 1.2), dice.uniform(0, 360))
            )
            if petal and dice.random() < 0.34:
                drawing.put(use(petal, px, py + size * 0.3, size * dice.uniform(0.35, 0.6), 0))


def basket(drawing: Drawing, x: float, y: float, r: float, dice: random.Random) -> None:
    """Hang a basket of flowers from (x, y) upwards out of sight of its hook; `r` its radius."""
    ink = drawing.ink
    for dx in (-0.85, 0, 0.85):
        drawing.put(
            stroke(f"M{x:.1f} {y - r * 2.3:.1f}L{x + dx * r:.1f} {y:.1f}", ink("#4a423e"), r * 0.06)
        )
    bowl = points(
        [(x - r, y), (x + r, y), (x + r * 0.55, y + r * 0.75), (x - r * 0.55, y + r * 0.75)]
    )
    drawing.put(
        path(
            bowl, drawing.linear(stops(ink("#8a6238"), ink("#c39a62"), ink("#6b4727")), x2=1, y2=0)
        )
    )
    kind = dice.choice(("peony", "hydrangea", "daisy", "gerbera"))
    bouquet(drawing, x, y + r * 0.1, r * 0.95, kind, dice)
    trail = [(x - r * 0.9, y + r * 0.1), (x - r * 1.05, y + r * 0.9)]
    for side in (trail, [(2 * x - a, b + r * 0.2) for a, b in trail]):
        ivy(drawing, side, r * 0.42, dice, None)


def planter(drawing: Drawing, x: float, y: float, w: float, h: float, dice: random.Random) -> None:
    """Set a window box with its top left corner at (x, y)."""
    ink = drawing.ink
    kinds = dice.sample(("peony", "gerbera", "daisy", "hydrangea", "rose"), 2)
    tones = [leaf(drawing, c) for c in LEAVES[:3]]
    for k in range(int(w / h * 5)):
        px = x + (k + 0.5) / int(w / h * 5) * w
        drawing.put(
            use(
                dice.choice(tones),
                px,
                y + h * 0.3,
                h * dice.uniform(0.9, 1.3),
                dice.uniform(-50, 50),
            )
        )
    n = int(w / h * 2.6)
    for k in range(n):
        kind = kinds[k % 2]
        symbol = bloom(drawing, kind, dice.choice(COLOURS[kind]))
        drawing.put(
            use(
                symbol,
                x + (k + 0.5) / n * w,
                y - h * dice.uniform(0.0, 0.4),
                h * dice.uniform(0.36, 0.48),
            )
        )
    front = drawing.linear(stops(ink("#a5713f"), ink("#7d5029")))
    drawing.put(rect(x, y + h * 0.12, w, h * 0.88, front, h * 0.08))
    for k in range(4):
        px = x - h * 0.1 + (k + 0.5) / 4 * w + dice.uniform(-0.4, 0.4) * h
        ivy(
            drawing,
            [(px, y + h * 0.2), (px + h * 0.15, y + h * dice.uniform(0.6, 1.1))],
            h * 0.35,
            dice,
            None,
        )


__all__ = [
    "BLOOMS",
    "COLOURS",
    "LEAVES",
    "basket",
    "bloom",
    "bouquet",
    "group",
    "ivy",
    "leaf",
    "petals",
    "planter",
    "pot",
]
