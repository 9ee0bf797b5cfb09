# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""Puts a landscape's subjects in their places: feet on their shadow, boats on their waterline."""

import random

from ferrotype.engines.illustrator import figures
from ferrotype.engines.illustrator.drawing import Drawing, ellipse, group, stroke, use
from ferrotype.engines.illustrator.flora import COLOURS
from ferrotype.engines.illustrator.ground import Ground
from ferrotype.engines.illustrator.scene import Subject
from ferrotype.engines.illustrator.sprites import has, place
from ferrotype.engines.illustrator.trees import tree
from ferrotype.engines.illustrator.words import concepts, table

HIGH: dict[str, dict[str, float]] = table("props")["high"]


def heights(size: str, *kinds: str) -> dict[str, float]:
    """Return the height of each concept of some kinds, in units in the foreground."""
    given = HIGH[size]
    named = {concept: given.get("*", 0.0) for concept in concepts(*kinds)}
    return {c: high for c, high in {**named, **given}.items() if high and c != "*"}


BUILT = heights("building", "building")
TREES = heights("tree")
SMALL = heights("small", "food", "ware", "furniture") | {"basket": 12.0}
# whatever stands in the foreground: animals, vehicles, and small things
ANIMALS = SMALL | heights("thing", "thing") | heights("animal", "animal", "swimmer")
ALOFT = heights("flying", "flying", "cosmic")
AFLOAT = heights("floating", "vessel")
DEEP = heights("swimming", "marine")


def dyes(named: list[Subject], kind: str) -> list[str]:
    """Return the tints of a flower: the colour asked for, else its own."""
    for subject in named:
        if subject.colour and subject.concept in (kind, "flower"):
            return [figures.DYES[subject.colour]]
    return list(COLOURS[kind][:3])


def spread(dice: random.Random, count: int, low: float, high: float) -> list[float]:
    """Return `count` places between two, evenly with a little chance, from left to right."""
    step = (high - low) / count
    return [low + (k + 0.5 + dice.uniform(-0.16, 0.16)) * step for k in range(count)]


def figure(drawing: Drawing, subject: Subject, dice: random.Random) -> str | None:
    """Define what is drawn by our own hand; None for what the art pack has."""
    dye = figures.DYES.get(subject.colour or "")
    plain = {"lighthouse": figures.lighthouse, "windmill": figures.windmill, "sailboat": figures.sailboat,
             "rowboat": figures.rowboat, "balloon": figures.balloon, "bird": figures.bird,
             "butterfly": figures.butterfly}  # fmt: skip
    if subject.concept in plain:
        return plain[subject.concept](drawing, dye)
    if subject.concept == "house":
        return figures.house(drawing, dye, dice)
    if subject.concept == "hot-air-balloon":
        return figures.hot_air_balloon(drawing, dye, dice)
    if subject.concept in ("tree", "pine", "cherry"):
        return tree(drawing, subject.concept, 0.0, dice)
    return None


def stand(
    drawing: Drawing, subject: Subject, x: float, foot: float, high: float, dice: random.Random
) -> None:
    """Stand one subject on the ground with its contact shadow."""
    wide = high * {**dict.fromkeys(BUILT, 0.42), **dict.fromkeys(TREES, 0.3)}.get(
        subject.concept, 0.42
    )
    drawing.put(
        drawing.shade(
            x + high * 0.06, foot - high * 0.005, wide, high * 0.075, drawing.ink.shadow * 1.9
        )
    )
    symbol = figure(drawing, subject, dice)
    if symbol:
        drawing.put(use(symbol, x, foot, high / 10, 0, dice.random() < 0.5))
    elif has(subject.concept):
        place(drawing, subject.concept, x, foot, high, dye_of(subject), dice.random() < 0.5)
    if subject.at == "in basket":
        place(drawing, "basket", x, foot + high * 0.04, high * 0.62)


def dye_of(subject: Subject) -> str | None:
    """Return the colour that was asked for, as a dye."""
    return figures.DYES.get(subject.colour or "")


def ashore(drawing: Drawing, ground: Ground) -> None:
    """Place buildings on the middle ground, trees at the sides, animals in the foreground."""
    h, w, u, dice = drawing.height, drawing.width, ground.u, drawing.dice("ashore")
    span = max(0.0, h - ground.shore) or (h - ground.horizon)
    placed: list[tuple[float, float, Subject, float]] = []
    if drawing.scene.ground == "space":
        return
    side = dice.choice((-1, 1))
    for subject in drawing.scene.subjects:
        name = subject.concept
        if name in BUILT:
            low, high = (
                (0.08, 0.92) if subject.count > 2 else ((0.52, 0.96) if side > 0 else (0.04, 0.48))
            )
            size = BUILT[name] * u * (0.7 if subject.count > 2 else 1.0)
            placed += [
                (span * 0.3, x, subject, size)
                for x in spread(dice, subject.count, low * w, high * w)
            ]
            side = -side
        elif name in TREES and subject.count <= 8:
            low, high = (
                (0.02, 0.98) if subject.count > 2 else ((0.03, 0.4) if side > 0 else (0.6, 0.97))
            )
            placed += [
                (span * 0.42, x, subject, TREES[name] * u * dice.uniform(0.9, 1.1))
                for x in spread(dice, subject.count, low * w, high * w)
            ]
    placed += herd(drawing, ground, span)
    spots = {subject.concept: x for _, x, subject, _ in placed}
    for deep, x, subject, size in sorted(placed, key=lambda p: p[0]):
        anchor = subject.at.partition(" ")[2]
        if anchor in spots and anchor != subject.concept and subject.count == 1:
            aside = 0.0 if subject.at.startswith(("under", "before")) else size * 0.9
            x = spots[anchor] + (aside if spots[anchor] < w / 2 else -aside)
        stand(drawing, subject, x, h - span + deep, size, dice)


def herd(
    drawing: Drawing, ground: Ground, span: float
) -> list[tuple[float, float, Subject, float]]:
    """Give each animal its own place side by side: depth, middle, subject, height in pixels."""
    wet, dice = drawing.scene.water, drawing.dice("herd")
    each = [
        subject
        for subject in drawing.scene.subjects
        if subject.concept in ANIMALS and not (subject.concept in AFLOAT and wet)
        for _ in range(subject.count)
    ]
    if not each or drawing.scene.ground in ("seabed", "space"):
        return []
    crowd = min(1.0, (2.4 / len(each)) ** 0.45)
    placed = []
    street = drawing.scene.ground == "street"
    for k, x in enumerate(spread(dice, len(each), 0.12 * drawing.width, 0.88 * drawing.width)):
        size = ANIMALS[each[k].concept] * ground.u * (0.72 if each[k].small else 1.0) * crowd
        deep = span * (0.62 + 0.14 * (k % 2))
        if street and each[k].kind == "thing":
            deep, size = span * (0.5 + 0.2 * (k % 2)), size * 0.95
        elif street:
            deep = span * (0.9 + 0.03 * (k % 2))
        placed.append((deep, x, each[k], size * (1 + 0.1 * (k % 2))))
    return placed


def aloft(drawing: Drawing, ground: Ground) -> None:
    """Let what flies or swims hang in the open, clear of the horizon and of each other."""
    w, u, dice, scene = drawing.width, ground.u, drawing.dice("aloft"), drawing.scene
    sizes = DEEP | {"duck": 0.0} if scene.ground == "seabed" else ALOFT
    each = [
        subject
        for subject in scene.subjects
        if sizes.get(subject.concept)
        for _ in range(max(subject.count, 4 if subject.concept in ("bird", "fish") else 1))
    ]
    order = [(k * 5 + 2) % len(each) if len(each) % 5 else k for k in range(len(each))]
    crowd = min(1.0, (4 / max(1, len(each))) ** 0.4)
    places = spread(dice, len(each), 0.08 * w, 0.92 * w) if each else []
    for k, x in enumerate(places):
        subject = each[order[k]]
        scale = sizes[subject.concept] * u * dice.uniform(0.85, 1.12) * crowd
        if len(each) == 1 and scene.ground in ("seabed", "space"):
            scale *= 1.25
        low = ground.horizon * (0.86 if subject.concept == "butterfly" else 0.62)
        if scene.ground in ("seabed", "space"):
            low = min(ground.horizon, drawing.height) * 0.86
        y = low * (0.3 + 0.36 * ((k * 2 + len(each)) % 3)) + dice.uniform(-2, 2) * u
        y = max(scale * 0.75, min(y, drawing.height - scale * 0.7))
        symbol, dye = figure(drawing, subject, dice), dye_of(subject)
        if symbol:
            drawing.put(use(symbol, x, y, scale / 10, dice.uniform(-5, 5)))
        else:
            flip = scene.ground == "seabed" and dice.random() < 0.5
            place(drawing, subject.concept, x, y + scale / 2, scale, dye, flip)


def afloat(drawing: Drawing, ground: Ground) -> None:
    """Set boats and swimmers on the water, each with its mirror image and a wake line."""
    w, u, dice = drawing.width, ground.u, drawing.dice("afloat")
    deep = min(drawing.height, ground.shore) - ground.horizon
    for subject in drawing.scene.subjects:
        size = AFLOAT.get(subject.concept)
        if size is None or deep <= 0 or drawing.scene.ground == "seabed":
            continue
        for k, x in enumerate(spread(dice, subject.count, 0.16 * w, 0.84 * w)):
            line = ground.horizon + deep * (
                0.44 + 0.14 * (k % 3) / max(1, min(2, subject.count - 1))
            )
            high = (
                size * u * (0.82 + 0.2 * (k % 2)) * min(1.0, (2.5 / max(1, subject.count)) ** 0.4)
            )
            float_one(drawing, subject, x, line, high, dice)


def float_one(
    drawing: Drawing, subject: Subject, x: float, line: float, high: float, dice: random.Random
) -> None:
    """Draw one thing on the water at its waterline."""
    symbol, flip = figure(drawing, subject, dice), dice.random() < 0.5
    start = len(drawing.parts)
    if symbol:
        drawing.put(use(symbol, x, line, high / 10, 0, flip))
    else:
        place(drawing, subject.concept, x, line + high * 0.06, high, dye_of(subject), flip)
    thing = "".join(drawing.parts[start:])
    del drawing.parts[start:]
    mirror = group(
        thing,
        f'transform="translate(0 {line * 1.72 + high * 0.02:.1f}) scale(1 -.72)" opacity="0.3"',
    )
    drawing.put(
        mirror, ellipse(x, line, high * 0.46, high * 0.03, "#14384c", 'opacity="0.35"'), thing
    )
    for k in range(4):
        wide, y = high * (0.5 - 0.08 * k), line + high * (0.05 + 0.055 * k)
        drawing.put(
            stroke(
                f"M{x - wide:.1f} {y:.1f}q{wide:.1f} {high * 0.03:.1f} {2 * wide:.1f} 0",
                "#ffffff",
                high * 0.012,
                'opacity="0.5"',
            )
        )
