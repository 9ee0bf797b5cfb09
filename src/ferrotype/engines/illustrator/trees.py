# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""Trees and shrubs for the open country, each drawn once per kind and tint."""

import math
import random

from ferrotype.engines.illustrator.drawing import (
    Drawing,
    circle,
    ellipse,
    path,
    points,
    stops,
    stroke,
)
from ferrotype.engines.illustrator.light import dark, mix, pale

CROWNS = {
    "spring": ("#8fbf63", "#a5c96e", "#7bb068"),
    "summer": ("#5f9a4c", "#4e8a4a", "#73a851"),
    "autumn": ("#e0963a", "#cf6a35", "#e3b548"),
    "winter": ("#dfe8f0", "#cfdbe8", "#eef3f8"),
}


def broadleaf(drawing: Drawing, crown: str, far: float, dice: random.Random) -> str:
    """Define a round tree, ten units high on its foot at the origin; return its symbol."""
    ink = drawing.ink
    bark = ink("#6d4c35", far)
    trunk = path("M-.55 0Q-.25 -1.5 -.32 -4.6L.32 -4.6Q.25 -1.5 .6 0Q0 -.25 -.55 0Z", bark)
    limbs = stroke("M0 -3.2Q-.9 -4.2 -1.5 -5M.05 -3.4Q.9 -4.3 1.4 -5.2", bark, 0.3)
    low, high = ink(dark(crown, 0.34), far), ink(pale(crown, 0.24), far)
    balls = [
        (-1.9, -5.1, 1.5),
        (1.9, -5.2, 1.55),
        (0, -4.9, 1.7),
        (-1.2, -6.9, 1.7),
        (1.3, -7, 1.65),
        (0, -8.1, 1.6),
    ]
    jig = [
        (x + dice.uniform(-0.3, 0.3), y + dice.uniform(-0.3, 0.3), r * dice.uniform(0.9, 1.12))
        for x, y, r in balls
    ]
    under = "".join(circle(x + 0.12, y + 0.22, r, low) for x, y, r in jig)
    paint = drawing.radial(
        stops(high, ink(crown, far), ink(dark(crown, 0.16), far)), 0.34, 0.26, 0.8
    )
    over = "".join(circle(x - 0.08, y - 0.05, r * 0.94, paint) for x, y, r in jig)
    dabs = ""
    for _ in range(22):
        a, r = dice.uniform(0, 6.283), 2.5 * dice.random() ** 0.5
        x, y = r * math.cos(a), -6.5 + 0.85 * r * math.sin(a)
        dabs += ellipse(x, y, 0.2, 0.13, high if y < -6.2 else low, 'opacity="0.55"')
    return drawing.symbol(trunk + limbs + under + over + dabs)


def pine(drawing: Drawing, far: float, snow: bool) -> str:
    """Define a fir, ten units high; return its symbol."""
    ink, parts = (
        drawing.ink,
        [path(points([(-0.3, 0), (0.3, 0), (0.2, -2), (-0.2, -2)]), drawing.ink("#5b4333", far))],
    )
    for k in range(5):
        foot, wide, high = -0.9 - k * 1.65, 2.5 - k * 0.42, 3.1 - 0.15 * k
        tone = mix("#2f6048", "#5c8f58", k / 5)
        left = path(
            f"M0 {foot - high:.2f}L{-wide:.2f} {foot + 0.25:.2f}Q{-wide / 2:.2f} {foot - 0.15:.2f} 0 {foot + 0.15:.2f}Z",
            ink(pale(tone, 0.08), far),
        )
        right = path(
            f"M0 {foot - high:.2f}L{wide:.2f} {foot + 0.25:.2f}Q{wide / 2:.2f} {foot - 0.15:.2f} 0 {foot + 0.15:.2f}Z",
            ink(dark(tone, 0.2), far),
        )
        parts.append(right + left)
        if snow:
            top = f"M0 {foot - high:.2f}L{-wide * 0.66:.2f} {foot - high * 0.26:.2f}Q{-wide * 0.2:.2f} {foot - high * 0.3:.2f} 0 {foot - high * 0.16:.2f}Q{wide * 0.3:.2f} {foot - high * 0.36:.2f} {wide * 0.56:.2f} {foot - high * 0.36:.2f}Z"
            parts.append(path(top, ink("#f4f8fc", far * 0.7)))
    return drawing.symbol("".join(parts))


def tree(drawing: Drawing, kind: str, far: float, dice: random.Random) -> str:
    """Define a tree of a kind in the scene's season; return its symbol."""
    winter = drawing.scene.season == "winter"
    if kind == "pine":
        return pine(drawing, far, winter)
    crown = "#f2b3c6" if kind == "cherry" else dice.choice(CROWNS[drawing.scene.season])
    return broadleaf(drawing, crown, far, dice)


def wood(
    drawing: Drawing, line: list[tuple[float, float]], high: float, far: float, dice: random.Random
) -> str:
    """Return a far forest edge along a line of points: one path of many small firs and crowns."""
    d, x_last = "", line[-1][0]
    x, k = line[0][0], 0
    while x < x_last:
        while k < len(line) - 2 and line[k + 1][0] < x:
            k += 1
        foot = line[k][1] + high * 0.12
        tall = high * dice.uniform(0.55, 1.1)
        wide = tall * dice.uniform(0.17, 0.24)
        d += f"M{x - wide:.1f} {foot:.1f}L{x - wide * 0.35:.1f} {foot - tall * 0.55:.1f}L{x - wide * 0.5:.1f} {foot - tall * 0.52:.1f}L{x:.1f} {foot - tall:.1f}L{x + wide * 0.5:.1f} {foot - tall * 0.52:.1f}L{x + wide * 0.35:.1f} {foot - tall * 0.55:.1f}L{x + wide:.1f} {foot:.1f}Z"
        x += wide * dice.uniform(0.8, 1.7)
    tone = {"autumn": "#8a6a3c", "winter": "#7d93a3"}.get(drawing.scene.season, "#3d6b50")
    return path(d, drawing.ink(tone, far))
