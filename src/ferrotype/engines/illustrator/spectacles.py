"""What plays in the sky: northern lights, a rainbow, fireworks, the Milky Way."""

import math
import random
from itertools import pairwise

from ferrotype.engines.illustrator.drawing import Drawing, circle, rect, stroke
from ferrotype.engines.illustrator.ground import fold
from ferrotype.engines.illustrator.places import NEON

BOW = ("#e8574f", "#f0954a", "#f5d94f", "#6cc06a", "#4f9fe0", "#7a62c8")


def spectacle(drawing: Drawing, horizon: float) -> None:
    """Show what the scene asks for, if anything."""
    if show := SHOWS.get(drawing.scene.show):
        show(drawing, horizon, drawing.dice("show"))


def aurora(drawing: Drawing, horizon: float, dice: random.Random) -> None:
    """Hang three curtains of northern light."""
    w = drawing.width
    for k, hue in enumerate(("#3fe0a0", "#58f0c8", "#9a6ff0")):
        line = fold(dice, w, horizon * (0.5 + 0.13 * k), horizon * 0.26, 0.8 + 0.3 * k)
        for (x1, y1), (x2, y2) in pairwise(line):
            for part in range(4):
                x, y = x1 + (x2 - x1) * part / 4, y1 + (y2 - y1) * part / 4
                wave = 0.3 + 0.12 * math.sin(x / w * 30 + k * 2) + 0.05 * dice.random()
                paint = drawing.linear(((0.0, hue, 0.0), (0.75, hue, 0.42), (1.0, hue, 0.0)))
                wide = (x2 - x1) / 4 + 0.6
                drawing.put(rect(x, y - horizon * wave, wide, horizon * wave, paint))


def rainbow(drawing: Drawing, horizon: float, dice: random.Random) -> None:
    """Stand a bow on the horizon."""
    w = drawing.width
    r = min(w * 0.52, horizon * 1.02)
    for k, hue in enumerate(BOW):
        arc = r - k * r * 0.032
        d = f"M{w / 2 - arc:.1f} {horizon:.1f}a{arc:.1f} {arc:.1f} 0 0 1 {2 * arc:.1f} 0"
        drawing.put(stroke(d, hue, r * 0.034, 'opacity="0.55"'))


def fireworks(drawing: Drawing, horizon: float, dice: random.Random) -> None:
    """Let rockets burst all along the sky."""
    w, u = drawing.width, unit(drawing, horizon)
    count = max(4, round(w / horizon * 4))
    for k in range(count):
        x = (k + 0.5) / count * w
        burst(drawing, x, horizon * dice.uniform(0.14, 0.5), u * dice.uniform(9, 17), dice)


def milky_way(drawing: Drawing, horizon: float, dice: random.Random) -> None:
    """Strew a band of stars across the sky."""
    w, u, lean = drawing.width, unit(drawing, horizon), dice.choice((-1, 1))
    for _ in range(420):
        t, off = dice.random(), dice.gauss(0, 0.07)
        x = w * (0.5 + lean * (t - 0.5) * 0.7 + off)
        faint = f'opacity="{dice.uniform(0.3, 0.9):.2f}"'
        r = u * dice.choice((0.08, 0.12, 0.2))
        drawing.put(circle(x, horizon * t * 0.95, r, "#fff6e0", faint))
    for k in range(7):
        t = k / 6
        x = w * (0.5 + lean * (t - 0.5) * 0.7)
        drawing.put(drawing.lamp(x, horizon * t * 0.95, 16 * u, "#a9a0e8", 0.3))


def unit(drawing: Drawing, horizon: float) -> float:
    """Return a hundredth of the sky's shorter side."""
    return min(drawing.width, horizon * 1.6) / 100


def burst(drawing: Drawing, x: float, y: float, r: float, dice: random.Random) -> None:
    """Draw one burst of fireworks: sparks on falling rays."""
    hue, rays = dice.choice((*NEON, "#ffb14a", "#8ff0a0")), 22
    drawing.put(drawing.lamp(x, y, r * 1.3, hue, 0.35))
    d = ""
    for k in range(rays):
        a = k / rays * math.tau
        reach = r * dice.uniform(0.75, 1.05)
        dx, dy = math.cos(a) * reach, math.sin(a) * reach
        bend = f"Q{x + dx * 0.8:.1f} {y + dy * 0.8:.1f} {x + dx:.1f} {y + dy + r * 0.12:.1f}"
        d += f"M{x + dx * 0.2:.1f} {y + dy * 0.2:.1f}{bend}"
        drawing.put(circle(x + dx, y + dy + r * 0.12, r * 0.035, "#fff6e0"))
    drawing.put(stroke(d, hue, r * 0.03))


SHOWS = {
    "aurora": aurora,
    "rainbow": rainbow,
    "fireworks": fireworks,
    "milkyway": milky_way,
}
