# ruff: noqa: E501  (an outline reads best on one line)
"""The foreground of open country: grass, wild flowers or a field of them, ripples of sand."""

from ferrotype.engines.illustrator import cast
from ferrotype.engines.illustrator.drawing import (
    Drawing,
    path,
    stroke,
    use,
)
from ferrotype.engines.illustrator.flora import COLOURS, bloom
from ferrotype.engines.illustrator.ground import Ground, bed
from ferrotype.engines.illustrator.light import dark, mix, pale
from ferrotype.engines.illustrator.trees import CROWNS


def foreground(drawing: Drawing, ground: Ground) -> None:
    """Grow grass and flowers along the lower edge, or scatter shells, stones, ripples of sand."""
    w, h, dice, ink, u = drawing.width, drawing.height, drawing.dice("grass"), drawing.ink, ground.u
    if ground.shore > h:
        return
    if drawing.scene.ground != "meadow":
        for _ in range(26):
            x, y = dice.random() * w, h - dice.random() ** 1.5 * (h - ground.shore) * 0.5
            drawing.put(
                stroke(
                    f"M{x:.1f} {y:.1f}q{3 * u:.1f} {-u * 0.8:.1f} {7 * u:.1f} 0",
                    ink(dark(ground.land, 0.14)),
                    u * 0.2,
                    'opacity="0.6"',
                )
            )
        return
    for row in range(4):
        tone = ink(mix(dark(ground.land, 0.3), pale(ground.land, 0.2), (0.2, 0.75, 0.0, 1.0)[row]))
        d = ""
        for _ in range(int(w / u * 2.6)):
            y = h - (h - ground.shore) * (0.34 - 0.11 * row) * dice.random() + u
            tall, lean = u * dice.uniform(1.8, 4.4) * (0.55 + row * 0.22), u * dice.uniform(-1, 1)
            if dry(drawing, ground, x := dice.random() * w, y):
                d += blade(x, y, tall, lean, u)
        drawing.put(path(d, tone))
    first = round(front_line(drawing, ground)) if named(drawing) else 0
    wildflowers(drawing, ground, range(first, h + 1))


def named(drawing: Drawing) -> bool:
    """Say whether the prompt asks for flowers."""
    return any(s.concept in (*COLOURS, "flower") for s in drawing.scene.subjects)


def front_line(drawing: Drawing, ground: Ground) -> float:
    """Return the pixel row before which nothing stands but grass and flowers."""
    return drawing.height - (drawing.height - ground.shore) * 0.22


def dry(drawing: Drawing, ground: Ground, x: float, y: float) -> bool:
    """Say whether a point of the foreground lies on land."""
    if drawing.scene.water != "river":
        return True
    left, right = bed(drawing, ground, y)
    return not left - ground.u < x < right + ground.u


def blade(x: float, y: float, tall: float, lean: float, u: float) -> str:
    """Return a blade of grass as part of a path."""
    up = f"M{x - u * 0.16:.1f} {y:.1f}Q{x:.1f} {y - tall * 0.6:.1f} {x + lean:.1f} {y - tall:.1f}"
    return f"{up}Q{x + u * 0.2:.1f} {y - tall * 0.5:.1f} {x + u * 0.18:.1f} {y:.1f}Z"


def wildflowers(drawing: Drawing, ground: Ground, rows: range) -> None:
    """Strew flowers over pixel rows: those the prompt names, far into the field; else a few."""
    scene, w, h, u = drawing.scene, drawing.width, drawing.height, ground.u
    if scene.season == "autumn" and not named(drawing):
        fallen(drawing, ground)
        return
    town = scene.backdrop == "city" and not named(drawing)
    if "flower" in scene.absent or scene.season == "winter" or town:
        return
    dice, lush, asked = drawing.dice("flowers"), named(drawing), list(scene.subjects)
    kinds = [s.concept for s in asked if s.concept in COLOURS] or ["daisy", "poppy", "hydrangea"]
    blooms = [(kind, colour) for kind in kinds for colour in cast.dyes(asked, kind)]
    reach = (h - ground.shore) * (0.86 if lush else 0.36)
    stems, found = "", []
    for _ in range(int(w / u * (6 if lush else 0.5))):
        deep = dice.random() ** 0.8
        x, y = dice.random() * w, h - reach * deep
        size = u * (1.5 - 1.1 * deep) * (1.0 if lush else 0.75)
        size *= 1.7 if kinds == ["lavender"] else 1.0  # a spike, not a disc
        if round(y) in rows and dry(drawing, ground, x, y):
            stems += f"M{x:.1f} {y + size * 3:.1f}Q{x + u * 0.2:.1f} {y + size:.1f} {x:.1f} {y:.1f}"
            found.append((y, x, max(1.0, round(size * 2) / 2), dice.choice(blooms)))
    drawing.put(stroke(stems, drawing.ink(dark(ground.land, 0.35)), u * 0.16))
    for y, x, size, (kind, colour) in sorted(found):
        blossom(drawing, kind, colour, size, (x, y), dice.random() < 0.5)


def fallen(drawing: Drawing, ground: Ground) -> None:
    """Strew fallen leaves over the meadow, and let a few still fall."""
    w, h, u, dice = drawing.width, drawing.height, ground.u, drawing.dice("leaves")
    for k in range(int(w / u * 1.6)):
        air = k % 7 == 0
        x = dice.random() * w
        y = (
            h * dice.uniform(0.3, 0.75)
            if air
            else h - (h - ground.shore) * 0.7 * dice.random() ** 1.5
        )
        size = u * (0.9 if air else 0.5 + 0.9 * max(0.0, (y - ground.shore) / (h - ground.shore)))
        if not air and not dry(drawing, ground, x, y):
            continue
        turn = f'transform="rotate({dice.randrange(180)} {x:.1f} {y:.1f})"'
        tone = drawing.ink(dice.choice(CROWNS["autumn"]))
        leaf = f"M{x - size:.1f} {y:.1f}q{size:.1f} {-size:.1f} {2 * size:.1f} 0q{-size:.1f} {size:.1f} {-2 * size:.1f} 0Z"
        drawing.put(path(leaf, tone, turn))


def blossom(
    drawing: Drawing, kind: str, colour: str, size: float, at: tuple[float, float], flip: bool
) -> None:
    """Paste one flower of the field, its middle at a point."""

    def paint(small: Drawing) -> None:
        small.put(use(bloom(small, kind, colour, 0.05), 0, 0, size, 10))

    box = (-1.3 * size - 1, -1.3 * size - 1, 1.3 * size + 1, 2 * size + 1)
    drawing.paste(("blossom", kind, colour, size), box, paint, at, flip)
