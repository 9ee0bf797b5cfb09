"""Sky by the hour: sun or moon, stars, clouds; and what falls from it."""

import random

from ferrotype.engines.illustrator import places, spectacles
from ferrotype.engines.illustrator.drawing import (
    Drawing,
    bands,
    circle,
    ellipse,
    rect,
    stops,
    stroke,
)
from ferrotype.engines.illustrator.light import mix


def heaven(drawing: Drawing, horizon: float) -> tuple[float, float]:
    """Paint the sky down to the horizon; return where the sun or moon stands."""
    scene, dice = drawing.scene, drawing.dice("sky")
    if scene.ground == "seabed":
        return places.abyss(drawing, horizon)
    if scene.ground in ("space", "moonscape"):
        return places.cosmos(drawing, horizon)
    w = drawing.width
    drawing.wash(0, horizon + 2, stops(*drawing.ink.sky))
    side = dice.choice((0.24, 0.3, 0.7, 0.76))
    x, y = (
        w * side,
        horizon * {"day": 0.24, "night": 0.26, "dawn": 0.78, "sunset": 0.8}.get(scene.time, 0.7),
    )
    if scene.time in ("night", "evening") and scene.weather in ("clear", "snow"):
        stars(drawing, horizon, dice)
    if scene.weather in ("clear", "snow", "wind") and scene.show not in ("fireworks", "rainbow"):
        luminary(drawing, x, y, min(w, horizon * 1.6))
    if scene.show not in ("aurora", "milkyway"):
        clouds(drawing, horizon, (x, y), dice)
    if scene.weather == "storm":
        lightning(drawing, horizon, drawing.dice("lightning"))
    spectacles.spectacle(drawing, horizon)
    return x, y


def luminary(drawing: Drawing, x: float, y: float, reach: float) -> None:
    """Hang the sun, or the moon with its seas."""
    night = drawing.scene.time in ("night", "evening")
    r = reach * (0.052 if night else 0.048)
    sun = drawing.ink.sun
    drawing.glow(x, y, (r * 8, r * 8), sun, 0.55 if night else 0.75)
    drawing.put(circle(x, y, r, drawing.radial(stops("#fffdf2", sun), 0.4, 0.4, 0.7)))
    if night:
        for dx, dy, size in (
            (-0.3, -0.2, 0.22),
            (0.25, 0.1, 0.3),
            (-0.1, 0.42, 0.17),
            (0.3, -0.45, 0.12),
        ):
            drawing.put(circle(x + dx * r, y + dy * r, size * r, "#d9d3b4", 'opacity="0.5"'))


def stars(drawing: Drawing, horizon: float, dice: random.Random) -> None:
    """Scatter stars, fewer towards the horizon."""
    unit = min(drawing.width, drawing.height) / 1000
    many = 150 if drawing.scene.time == "night" else 50
    for _ in range(many):
        x, y = dice.random() * drawing.width, dice.random() ** 1.4 * horizon * 0.92
        size = dice.choice((0.7, 0.9, 1.2, 1.2, 2.0)) * unit
        drawing.put(circle(x, y, size, "#fffbe8", f'opacity="{dice.uniform(0.4, 1):.2f}"'))


def cloud(drawing: Drawing, x: float, y: float, w: float, dice: random.Random) -> None:
    """Pile one cloud on a flat base at (x, y), `w` wide."""
    bright, shade = drawing.ink.cloud
    puffs = []
    n = dice.randint(5, 7)
    for k in range(n):
        at = (k + 0.5) / n * 2 - 1
        r = w * (0.09 + 0.12 * (1 - at * at)) * dice.uniform(0.8, 1.2)
        puffs.append((x + at * w * 0.42, y - r * 0.55, r))
    for part, down in ((0.0, 0.0), (0.45, 0.2), (1.0, 0.42)):
        tone = mix(shade, bright, part)
        shapes = "".join(
            ellipse(px, py - down * r, r * (1.15 - down * 0.3), r * (1 - down * 0.5), tone)
            for px, py, r in puffs
        )
        if not part:
            shapes += rect(x - w * 0.5, y - w * 0.085, w, w * 0.1, tone, w * 0.05)
        drawing.put(shapes)


def lightning(drawing: Drawing, horizon: float, dice: random.Random) -> None:
    """Let lightning strike from the clouds to the horizon, on one side and farther off."""
    unit, side = min(drawing.width, drawing.height) / 1000, dice.choice((0.2, 0.8))
    for at, low, wide in ((side, 1.0, 7.0), (1 - side * 0.8, 0.8, 3.5)):
        x, y = drawing.width * at, horizon * 0.3
        d = f"M{x:.1f} {y:.1f}"
        for k in range(1, 7):
            x += dice.uniform(18, 46) * unit * (-1 if k % 2 else 1)
            d += f"L{x:.1f} {y + horizon * (low - 0.3) * k / 6:.1f}"
        if drawing.scene.style not in ("ink", "pencil", "coloured pencil"):  # they draw its edge
            drawing.put(stroke(d, "#cfd8ff", 3 * wide * unit, 'opacity="0.3"'))
        drawing.put(stroke(d, "#fffbe6", wide * unit))


def clouds(drawing: Drawing, horizon: float, sun: tuple[float, float], dice: random.Random) -> None:
    """Spread clouds: a few in fine weather, clear of the sun; a ceiling of them in foul."""
    foul = drawing.scene.weather in ("rain", "snow", "cloudy", "storm", "fog")
    n = dice.randint(7, 9) if foul else dice.randint(3, 5)
    w = drawing.width
    span = min(w, drawing.height * 1.3)
    for k in range(n):
        y = horizon * (0.17 + 0.55 * dice.random() ** 1.2)
        size = span * dice.uniform(0.18, 0.34) * (1.15 - 0.7 * y / horizon)
        x = (k + 0.5) / n * w + dice.uniform(-0.1, 0.1) * w
        if not foul and abs(x - sun[0]) < size * 0.7 and abs(y - sun[1]) < size * 0.6:
            x += size * (1.3 if x > sun[0] else -1.3)
        cloud(drawing, x, max(y, size * 0.42), size, dice)


def weather(drawing: Drawing) -> None:
    """Let rain or snow fall over the whole picture, near flakes larger than far ones."""
    w, h, dice = drawing.width, drawing.height, drawing.dice("weather")
    unit = min(w, h) / 1000
    kind = drawing.scene.weather
    if kind in ("rain", "storm"):
        lines = "".join(
            f"M{x:.0f} {y:.0f}l{-9 * unit * k:.1f} {34 * unit * k:.1f}"
            for x, y, k in (
                (dice.random() * w * 1.1, dice.random() * h, dice.uniform(0.6, 1.3))
                for _ in range(190)
            )
        )
        drawing.put(stroke(lines, "#e9f1fb", 1.5 * unit, 'opacity="0.42"'))
    elif kind == "snow":
        for _ in range(190):
            r = dice.choice((1.6, 2.2, 2.2, 3.2, 4.6)) * unit
            drawing.put(
                circle(
                    dice.random() * w,
                    dice.random() * h,
                    r,
                    "#ffffff",
                    f'opacity="{dice.uniform(0.5, 0.95):.2f}"',
                )
            )
    elif kind == "fog":
        fog = mix(drawing.ink.haze, "#ffffff", 0.25)
        for y in (0.35, 0.55, 0.72):
            veil = ((0.0, fog, 0.0), (0.5, fog, 0.55), (1.0, fog, 0.0))
            drawing.put(bands(0, h * (y - 0.16), w, h * 0.34, veil))
