# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""Puts a landscape's subjects in their places: feet on their shadow, boats on their waterline."""

import random
from collections.abc import Sequence

from msgspec import structs

from ferrotype.engines.illustrator import figures
from ferrotype.engines.illustrator.drawing import Drawing, ellipse, group, stroke, use
from ferrotype.engines.illustrator.flora import COLOURS
from ferrotype.engines.illustrator.ground import Ground, bed
from ferrotype.engines.illustrator.scene import Subject
from ferrotype.engines.illustrator.sprites import has, place
from ferrotype.engines.illustrator.trees import tree
from ferrotype.engines.illustrator.words import concepts, table

HIGH: dict[str, dict[str, float]] = table("props")["high"]


HOLDERS = ("bowl", "basket", "plate")  # what things are heaped in
MIXED = ("red", "yellow", "blue", "green", "purple", "orange", "pink")


def single(subject: Subject) -> list[Subject]:
    """Return each one of a subject by itself, with the colour that it has of many."""
    if subject.concept in ("fruits", "vegetables"):
        kinds = table("props")["stand_for"][subject.concept]
        return [structs.replace(subject, concept=kind, count=1) for kind in kinds]
    if subject.colour != "mixed":
        return [subject] * subject.count
    return [structs.replace(subject, colour=MIXED[k % 7]) for k in range(subject.count)]


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
DEEP = heights("swimming", "marine") | {"coral": 0.0}  # it grows on the ground


def dyes(named: list[Subject], kind: str) -> list[str]:
    """Return the tints of a flower: the colour asked for, else its own."""
    for subject in named:
        if subject.colour == "mixed" and subject.concept in (kind, "flower"):
            return [figures.DYES[colour] for colour in MIXED]
        if subject.colour and subject.concept in (kind, "flower"):
            return [figures.DYES[subject.colour]]
    return list(COLOURS[kind][:3])


def spread(dice: random.Random, count: int, low: float, high: float) -> list[float]:
    """Return `count` places between two, evenly with a little chance, from left to right."""
    step = (high - low) / count
    return [low + (k + 0.5 + dice.uniform(-0.16, 0.16)) * step for k in range(count)]


def figure(drawing: Drawing, subject: Subject, dice: random.Random) -> str | None:
    """Define what is drawn by our own hand; None for what the art pack has."""
    dye = figures.DYES.get(subject.colour or "") or {"dove": "#fdfdfb"}.get(subject.concept)
    plain = {"lighthouse": figures.lighthouse, "windmill": figures.windmill, "sailboat": figures.sailboat,
             "rowboat": figures.rowboat, "balloon": figures.balloon, "bird": figures.bird, "dove": figures.bird,
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
    if subject.concept in HOLDERS and (food := edible(drawing)):
        heap(drawing, food, (x, foot, high), dice)
    elif symbol:
        drawing.put(use(symbol, x, foot, high / 10, 0, dice.random() < 0.5))
    elif has(subject.concept):
        name = "umbrella-on-ground" if subject.concept == "umbrella" else subject.concept
        place(drawing, name, x, foot, high, dye_of(subject), dice.random() < 0.5)
    if subject.concept == "fire":
        drawing.put(drawing.lamp(x, foot - high * 0.3, high * 2, "#ffb45a", 0.5))
    if subject.at == "in basket":
        place(drawing, "basket", x, foot + high * 0.04, high * 0.62)


def railway(drawing: Drawing, ground: Ground) -> None:
    """Lay a railway across the picture under the wheels of its trains."""
    w, h, ink = drawing.width, drawing.height, drawing.ink
    span = max(0.0, h - ground.shore) or (h - ground.horizon)
    for deep, _, subject, high in herd(drawing, ground, span):
        if subject.concept != "locomotive":
            continue
        foot, step = h - span + deep, high * 0.16
        ties = "".join(f"M{k * step:.1f} {foot - high * 0.03:.1f}l{-high * 0.05:.1f} {high * 0.09:.1f}"
                       for k in range(int(w / step) + 2))  # fmt: skip
        drawing.put(stroke(ties, ink("#7a5a42"), high * 0.035))
        for down in (-0.005, 0.04):
            drawing.put(stroke(f"M0 {foot + high * down:.1f}H{w}", ink("#6d7280"), high * 0.016))


def edible(drawing: Drawing) -> list[Subject]:
    """Return what lies in the scene's basket, bowl or plate."""
    held = drawing.scene.vessel in HOLDERS
    return [one for s in drawing.scene.subjects if held and s.kind == "food" for one in single(s)]


def dye_of(subject: Subject) -> str | None:
    """Return the colour that was asked for, as a dye."""
    return figures.DYES.get(subject.colour or "")


def heap(
    drawing: Drawing, things: list[Subject], at: tuple[float, float, float], dice: random.Random
) -> None:
    """Pile things into the scene's bowl or basket, or on its plate; `at`: middle, foot, size."""
    (x, foot, size), vessel = at, drawing.scene.vessel
    kinds, told = list(dict.fromkeys(things)), things[0].count not in (1, 3, 4)
    flat = vessel == "plate"
    many = len(things) if told else max(len(things), 5 if flat and things[0].count > 1 else 7)
    many = len(things) if flat and things[0].count == 1 else many
    pile = [kinds[k % len(kinds)] for k in range(many)]
    dye = figures.DYES.get(drawing.scene.glaze or "")
    drawing.put(drawing.shade(x, foot, size * 0.6, size * 0.08, 0.6))
    if flat:
        place(drawing, vessel, x, foot, size * 1.06, dye)
    rim = foot - size * (0.16 if flat else 0.56)
    back = (len(pile) // 2) if len(pile) > 2 else 0
    for k, subject in enumerate(pile):
        row, column = (0, k) if k < back else (1, k - back)
        here = back if row == 0 else len(pile) - back
        dx = (column - (here - 1) / 2) * size * 0.92 / max(1, here) * (0.8 if row == 0 else 1)
        y = (
            rim
            + size * dice.uniform(-0.025, 0.025)
            + size * ((0.0 if row == 0 else 0.11) if flat else (0.03 if row == 0 else 0.2))
        )
        one = size * min(0.46 if here > 1 else 0.7, 0.9 / max(1, here) + 0.16)
        turned = dice.random() < 0.5
        place(drawing, subject.concept, x + dx, y, one, dye_of(subject), turned, flat)
    if not flat:
        place(drawing, vessel, x, foot, size * 1.06, dye)


Placed = tuple[float, float, Subject, float]  # depth below the shore, x, subject, size


def ashore(drawing: Drawing, ground: Ground) -> None:
    """Place buildings on the middle ground, trees at the sides, animals in the foreground."""
    if drawing.scene.ground == "space":
        return
    dice = drawing.dice("ashore")
    span = max(0.0, drawing.height - ground.shore) or (drawing.height - ground.horizon)
    placed: list[Placed] = []
    side = dice.choice((-1, 1))
    built = any(s.concept in BUILT for s in drawing.scene.subjects)
    view = any(s.concept in AFLOAT for s in drawing.scene.subjects)  # that trees must not hide
    for subject in drawing.scene.subjects:
        if subject.concept in BUILT:
            size = BUILT[subject.concept] * ground.u * (0.7 if subject.count > 2 else 1.1)
            places = _spread(drawing, dice, subject.count, _lots(subject.count, side))
            placed += [(span * 0.3, x, subject, size) for x in places]
            side = -side
        elif subject.concept in TREES and subject.count <= 8:
            deep = span * (0.24 if subject.count > 2 and built else 0.42)  # behind what is built
            size = TREES[subject.concept] * ground.u
            places = _spread(drawing, dice, subject.count, _rows(subject.count, side, view))
            placed += [(deep, x, subject, size * dice.uniform(0.9, 1.1)) for x in places]
    railway(drawing, ground)
    placed += herd(drawing, ground, span)
    _stand_all(drawing, placed, drawing.height - span, dice)


def _spread(
    drawing: Drawing, dice: random.Random, count: int, between: tuple[float, float]
) -> Sequence[float]:
    low, high = between
    return spread(dice, count, low * drawing.width, high * drawing.width)


def _lots(count: int, side: int) -> tuple[float, float]:
    """Return between which parts of the width so many buildings stand."""
    if count > 2:
        return 0.08, 0.92
    return (0.52, 0.96) if side > 0 else (0.04, 0.48)


def _rows(count: int, side: int, view: bool) -> tuple[float, float]:
    """Return between which parts of the width so many trees stand."""
    if view and count == 1:
        return (0.8, 0.98) if side > 0 else (0.02, 0.2)
    if count > 2 and not view:
        return 0.02, 0.98
    return (0.6, 0.97) if side > 0 else (0.03, 0.4)


def _stand_all(
    drawing: Drawing, placed: Sequence[Placed], shore: float, dice: random.Random
) -> None:
    """Stand what was placed, the farthest first: in a crown, beside its neighbour, or as it is."""
    spots = {subject.concept: x for _, x, subject, _ in placed}
    crowns = {
        s.concept: (deep - 0.46 * size, x) for deep, x, s, size in placed if s.concept in TREES
    }
    for deep, x, subject, size in sorted(placed, key=lambda p: p[0]):
        anchor = subject.at.partition(" ")[2]
        perched = subject.at.startswith(("in ", "on ")) and ANIMALS.get(subject.concept, 99) < 20
        if perched and anchor in crowns and subject.kind == "animal":
            deep, x = crowns[anchor]
            place(drawing, subject.concept, x, shore + deep, size * 0.7, dye_of(subject))
            continue
        if anchor in spots and anchor != subject.concept and subject.count == 1:
            aside = size * (0.5 if subject.at.startswith(("under", "before")) else 0.9)
            x = spots[anchor] + (aside if spots[anchor] < drawing.width / 2 else -aside)
        stand(drawing, subject, x, shore + deep, size, dice)


def dry(drawing: Drawing, ground: Ground, y: float, reach: float) -> tuple[float, float]:
    """Return between what columns things may stand at a pixel row: not in a river's bed."""
    w = drawing.width
    if drawing.scene.water != "river":
        return 0.12 * w, 0.88 * w
    left, right = bed(drawing, ground, y)
    left, right = left - reach, right + reach
    return (0.04 * w, left) if left > w - right else (right, 0.96 * w)


def herd(
    drawing: Drawing, ground: Ground, span: float
) -> list[tuple[float, float, Subject, float]]:
    """Give each animal its own place side by side: depth, middle, subject, height in pixels."""
    wet, dice, deep_sea = (
        drawing.scene.water,
        drawing.dice("herd"),
        drawing.scene.ground == "seabed",
    )
    food = edible(drawing)
    basket = [Subject(concept=drawing.scene.vessel, kind="ware")] if food else []
    each = [
        one
        for subject in (
            *basket,
            *(s for s in drawing.scene.subjects if not food or s.kind != "food"),
        )
        if subject.concept in ANIMALS and not (subject.concept in AFLOAT and wet)
        if not (deep_sea and DEEP.get(subject.concept))
        for one in single(subject)
    ]
    if not each or drawing.scene.ground == "space":
        return []
    crowd = min(1.25, (2.4 / len(each)) ** 0.45)
    placed = []
    street = drawing.scene.ground == "street"
    low, high = dry(drawing, ground, drawing.height - span * 0.24, 9 * ground.u)
    beside = any(s.concept in {**BUILT, **TREES} for s in drawing.scene.subjects)
    crowd = min(crowd, 1.0) if beside else crowd
    crowd *= min(1.0, 1.2 * (high - low) / (0.76 * drawing.width)) ** 0.5
    for k, x in enumerate(spread(dice, len(each), low, high)):
        size = ANIMALS[each[k].concept] * ground.u * (0.72 if each[k].small else 1.0) * crowd
        size *= 0.8 if beside and ANIMALS[each[k].concept] < 20 and each[k].kind == "animal" else 1
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
        one for subject in scene.subjects if sizes.get(subject.concept) for one in single(subject)
    ]
    order = [(k * 5 + 2) % len(each) if len(each) % 5 else k for k in range(len(each))]
    crowd = min(1.0, (4 / max(1, len(each))) ** 0.4)
    places = spread(dice, len(each), 0.08 * w, 0.92 * w) if each else []
    for k, x in enumerate(places):
        subject = each[order[k]]
        scale = sizes[subject.concept] * u * dice.uniform(0.85, 1.12) * crowd
        if len(each) == 1:
            scale *= 1.5 if scene.ground in ("seabed", "space") else 1.3
        low = ground.horizon * 0.62
        if scene.ground in ("seabed", "space"):
            low = min(ground.horizon, drawing.height) * 0.8
        y = low * (0.3 + 0.36 * ((k * 2 + len(each)) % 3)) + dice.uniform(-2, 2) * u
        if subject.concept == "butterfly" and scene.ground not in ("seabed", "space"):
            y = ground.horizon + (drawing.height - ground.horizon) * (0.12 + 0.2 * (k % 3))
        floor = ground.horizon if scene.ground == "seabed" else drawing.height
        y = max(scale * 0.75, min(y, floor - scale * 0.7))
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
        banks = drawing.scene.water != "sea" and subject.count < 5  # with trees on either side
        low = 0.3 if banks else 0.16
        places = spread(dice, subject.count, low * w, (1 - low) * w)
        each = zip(places, single(subject), strict=True)
        for k, (x, one) in enumerate(each):
            line = ground.horizon + deep * (
                0.44 + 0.14 * (k % 3) / max(1, min(2, subject.count - 1))
            )
            high = (
                size * u * (0.82 + 0.2 * (k % 2)) * min(1.0, (2.5 / max(1, subject.count)) ** 0.4)
            )
            float_one(drawing, one, x, line, high, dice)


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
