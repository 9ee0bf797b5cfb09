"""The lie of the land: horizon, shore, and the outlines of ranges, folds and banks."""

import math
import random
from itertools import pairwise

from msgspec import Struct

from ferrotype.engines.illustrator.drawing import (
    Drawing,
    points,
)

Line = list[tuple[float, float]]


LAND = {
    "meadow": {"spring": "#8cc25f", "summer": "#79b454", "autumn": "#c0a552", "winter": "#eef3f8"},
    "beach": {"": "#ecd5a4"},
    "desert": {"": "#e3b473"},
    "snowfield": {"": "#eff4f9"},
    "street": {"": "#8d8a88"},
    "seabed": {"": "#e3d3a4"},
    "moonscape": {"": "#a9a6b0"},
    "space": {"": "#101338"},
}
# where the horizon lies in such places, as a part of the height
LEVEL = {"street": 0.62, "seabed": 0.8, "moonscape": 0.66, "space": 1.2}


class Ground(Struct, frozen=True, kw_only=True):
    """The lie of the land, in pixels: horizon, near shore (or horizon), and the unit."""

    horizon: float
    shore: float
    u: float
    land: str


def survey(drawing: Drawing) -> Ground:
    """Choose horizon and shore for the picture's ratio."""
    w, h, scene = drawing.width, drawing.height, drawing.scene
    tall = min(1.0, max(0.0, (h / w - 1) / 2))
    horizon = h * (0.47 + 0.1 * tall + drawing.dice("horizon").uniform(-0.03, 0.03))
    wet = scene.water in ("lake", "sea", "water") or scene.ground == "beach"
    if scene.ground in LEVEL:
        horizon, wet = h * LEVEL[scene.ground], False
    part = {"lake": 0.52, "water": 0.52}.get(scene.water, 0.5 if scene.ground == "beach" else 1.2)
    kind = LAND[scene.ground]
    return Ground(
        horizon=horizon, shore=horizon + (h - horizon) * part if wet else horizon,
        u=min(w, h * 1.25) / 100, land=kind.get(scene.season) or next(iter(kind.values())),
    )  # fmt: skip


def ridge(dice: random.Random, w: float, base: float, high: float, peaks: int) -> Line:
    """Return the outline of a range, from left to right: sharp peaks by midpoint displacement."""
    line: Line = [(-20, base - high * dice.uniform(0.2, 0.6))]
    for k in range(peaks):
        x = (k + 0.5 + dice.uniform(-0.25, 0.25)) / peaks * w
        line.append((x, base - high * dice.uniform(0.62, 1)))
        line.append(((k + 1) / peaks * w, base - high * dice.uniform(0.12, 0.4)))
    line[-1] = (w + 20, line[-1][1])
    for rough in (0.16, 0.08, 0.04):
        finer: Line = [line[0]]
        for (x1, y1), (x2, y2) in pairwise(line):
            finer.append(((x1 + x2) / 2, (y1 + y2) / 2 + dice.uniform(-rough, rough) * high))
            finer.append((x2, y2))
        line = finer
    return line


def fold(dice: random.Random, w: float, base: float, high: float, waves: float) -> Line:
    """Return the outline of a soft fold of land, from left to right."""
    a, b = dice.uniform(0, 6.283), dice.uniform(0, 6.283)
    return [
        (
            x,
            base
            - high
            * (
                0.5
                + 0.38 * math.sin(x / w * waves * 6.283 + a)
                + 0.12 * math.sin(x / w * waves * 15 + b)
            ),
        )
        for x in (w * k / 36 for k in range(-1, 38))
    ]


def down(line: Line, floor: float) -> str:
    """Close an outline down to a floor."""
    return points([*line, (line[-1][0], floor), (line[0][0], floor)])


def bed(drawing: Drawing, ground: Ground, y: float) -> tuple[float, float]:
    """Return where the river's banks lie in the pixel row `y`."""
    w, h, top = drawing.width, drawing.height, ground.shore + (drawing.height - ground.shore) * 0.03
    side = drawing.dice("river").choice((-1, 1))
    part = max(0.0, (y - top) / (h - top)) ** 0.8
    mid = w * (0.5 + side * (0.06 + 0.26 * part)) + side * w * 0.07 * math.sin(part * 7)
    half = ground.u * (0.7 + 17 * part**1.7)
    return mid - half, mid + half
