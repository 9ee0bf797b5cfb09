# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""Things in a landscape: buildings, boats, balloons, birds; each at (0, 0), ten units high."""

import random

from ferrotype.engines.illustrator.drawing import (
    Drawing,
    circle,
    ellipse,
    path,
    points,
    rect,
    stops,
    stroke,
)
from ferrotype.engines.illustrator.light import dark, mix, pale

DYES = {
    "red": "#dc3d3a", "orange": "#ee8a3a", "yellow": "#f2c445", "green": "#5da65a", "blue": "#4383cf",
    "purple": "#8a62c2", "pink": "#f08fb0", "white": "#f5f2ea", "black": "#3b383d", "brown": "#94643e",
    "grey": "#a2a5aa",
}  # fmt: skip


def house(drawing: Drawing, dye: str | None, dice: random.Random) -> str:
    """Define a cottage with a gable to the left and a long roof."""
    ink = drawing.ink
    wall, roof = dye or "#f0e2c8", dice.choice(("#b4553e", "#8a5a4a", "#6d7f93"))
    lit = drawing.ink.lamps > 0.5
    pane = "#ffd77a" if lit else ink("#8fb3c9")
    snow = drawing.scene.season == "winter"
    cover = "#f5f8fc" if snow else pale(roof, 0.08)
    parts = [
        rect(3.2, -9.6, 1.1, 3, ink(dark(roof, 0.25))),
        rect(-1, -4.4, 6.4, 4.4, ink(dark(wall, 0.12))),
        path("M-1.6 -4.2L1.2 -8.6H5.2L6.2 -4.2Z", ink(cover)),
        path(points([(-5, 0), (-5, -4.4), (-2, -8.2), (1, -4.4), (1, 0)]), ink(wall)),
        stroke("M-5.7 -3.7L-2 -8.5L1.7 -3.7", ink("#f5f8fc" if snow else dark(roof, 0.06)), 0.75),
        rect(-2.9, -3.4, 1.8, 3.4, ink("#7a4a2c"), 0.3),
        circle(-2, -5.6, 0.65, pane, f'stroke="{ink("#fbf5e8")}" stroke-width=".25"'),
    ]
    frame = f'stroke="{ink("#fbf5e8")}" stroke-width=".28"'
    parts += [rect(x, -3.3, 1.3, 1.6, pane, 0.1, frame) for x in (1.7, 3.6)]
    if lit:
        parts.append(drawing.lamp(2.6, -2.4, 3.6, "#ffd27a", 0.5))
    smoke = [
        ellipse(
            3.9 + 0.5 * k + dice.uniform(-0.1, 0.1),
            -10.1 - 0.75 * k,
            0.4 + 0.2 * k,
            0.35 + 0.12 * k,
            ink("#f4f2f0"),
            f'opacity="{0.5 - 0.1 * k:.2f}"',
        )
        for k in range(4)
    ]
    return drawing.symbol("".join(parts + smoke))


def lighthouse(drawing: Drawing, dye: str | None) -> str:
    """Define a banded lighthouse; its lamp shines when it is dark."""
    ink, band = drawing.ink, dye or "#cf4238"
    rock = path("M-3 .4Q-2.6 -.9 -1.2 -.8Q0 -1.3 1.4 -.7Q2.8 -.8 3.2 .4Z", ink("#7d7671"))
    tower = drawing.linear(stops(ink("#fffaf0"), ink("#f0e9dd"), ink("#bfb8b2")), x2=1, y2=0)
    parts = [rock, path(points([(-1.05, -0.6), (-0.65, -7.6), (0.65, -7.6), (1.05, -0.6)]), tower)]
    red = drawing.linear(stops(ink(pale(band, 0.16)), ink(band), ink(dark(band, 0.3))), x2=1, y2=0)
    for low, high in ((-2.6, -1.0), (-5.4, -3.9)):
        a, b = 0.65 + 0.4 * (low + 7.6) / 7, 0.65 + 0.4 * (high + 7.6) / 7
        parts.append(path(points([(-a, low), (a, low), (b, high), (-b, high)]), red))
    lamp = "#fff2b8" if drawing.ink.lamps > 0.5 else ink("#cfe2ea")
    parts += [
        rect(-0.95, -7.8, 1.9, 0.35, ink("#4a4448")), rect(-0.5, -8.9, 1, 1.1, lamp),
        path("M-.7 -8.9L0 -9.9L.7 -8.9Z", red), rect(-0.16, -6.9, 0.32, 0.6, ink("#4f5d6b")),
    ]  # fmt: skip
    if drawing.ink.lamps > 0.5:
        beam = drawing.linear(((0, "#fff0b0", 0.0), (1, "#fff0b0", 0.6)), x2=1, y2=0)
        parts += [path("M0 -8.4L-14 -10.4V-6.6Z", beam), drawing.lamp(0, -8.4, 3, "#fff0b0", 0.8)]
    return drawing.symbol("".join(parts))


def windmill(drawing: Drawing, dye: str | None) -> str:
    """Define a windmill with four lattice sails."""
    ink, wall = drawing.ink, dye or "#efe3cd"
    body = drawing.linear(stops(ink(pale(wall, 0.2)), ink(wall), ink(dark(wall, 0.22))), x2=1, y2=0)
    cap = path("M-1.2 -6.2Q0 -8.6 1.2 -6.2Z", ink("#8a4f3b"))
    base = path(points([(-1.9, 0), (-1.1, -6.2), (1.1, -6.2), (1.9, 0)]), body)
    door = rect(-0.5, -1.7, 1, 1.7, ink("#70472c"), 0.4) + rect(
        -0.35, -4.2, 0.7, 0.8, ink("#6c8797"), 0.1
    )
    sail = rect(-0.08, -4.2, 0.16, 4.2, ink("#6a4a33")) + rect(
        0.08, -4.1, 0.85, 3.2, ink("#fbf4e3"), 0.05, 'opacity="0.92"'
    )
    bars = stroke("M.08 -3.3H.93M.08 -2.5H.93M.08 -1.7H.93M.5 -4.1V-.9", ink("#8a6a4c"), 0.07)
    arms = "".join(
        f'<g transform="translate(0 -6.5) rotate({a})">{sail}{bars}</g>'
        for a in (18, 108, 198, 288)
    )
    return drawing.symbol(base + door + cap + arms + circle(0, -6.5, 0.26, ink("#5a3d29")))


def sailboat(drawing: Drawing, dye: str | None) -> str:
    """Define a small boat with two sails, its waterline at the origin."""
    ink = drawing.ink
    cloth, hull = (dye or "#fbf1dd"), "#a2583a" if dye is None else dark(dye, 0.28)
    main = drawing.linear(stops(ink(cloth), ink(dark(cloth, 0.14))), x2=1, y2=0)
    return drawing.symbol(
        rect(-0.12, -9.6, 0.24, 8.4, ink("#6a4a33"))
        + path("M.25 -9.3Q3.4 -5.4 3.5 -2Q1.8 -1.7 .25 -1.9Z", main)
        + path("M-.25 -8.6Q-2.4 -4.6 -2.9 -1.9Q-1.4 -1.6 -.25 -1.9Z", ink(dark(cloth, 0.09)))
        + path("M0 -9.6L1.1 -9.25L0 -8.9Z", ink("#d9503f"))
        + path(
            "M-3.9 -1.3H4.2Q3.6 .45 2.4 .5H-2.3Q-3.5 .4 -3.9 -1.3Z",
            drawing.linear(stops(ink(pale(hull, 0.15)), ink(dark(hull, 0.3)))),
        )
        + stroke("M-3.8 -1.1H4.05", ink("#f6ead2"), 0.22)
    )


def rowboat(drawing: Drawing, dye: str | None) -> str:
    """Define a wooden rowing boat, low on the water."""
    ink, hull = drawing.ink, dye or "#9a6238"
    return drawing.symbol(
        path(
            "M-7 -3Q0 -1 7.2 -3.2Q6.4 .3 4 .6H-4Q-6 .3 -7 -3Z",
            drawing.linear(stops(ink(pale(hull, 0.14)), ink(dark(hull, 0.34)))),
        )
        + path("M-7 -3Q0 -1 7.2 -3.2Q0 -2.4 -7 -3Z", ink(dark(hull, 0.55)))
        + stroke("M-6.5 -1.7Q0 .1 6.6 -1.9M-5.9 -.6Q0 .7 5.9 -.8", ink(dark(hull, 0.4)), 0.14)
        + stroke("M1 -1.7L5.6 .5M-1.6 -1.7L-6 .6", ink("#d9b98a"), 0.28)
    )


def balloon(drawing: Drawing, dye: str | None) -> str:
    """Define a toy balloon on a string; its middle is at the origin."""
    c = dye or "#dc3d3a"
    ink = drawing.ink
    skin = drawing.radial(
        stops(ink(pale(c, 0.55)), ink(pale(c, 0.12)), ink(c), ink(dark(c, 0.28))), 0.34, 0.28, 0.78
    )
    return drawing.symbol(
        stroke("M0 4.1C1 5.4 -1 6.6 .2 8.2S-.4 10 .1 10.6", ink("#f3ece0"), 0.2)
        + path("M-.5 4.3L0 3.6L.5 4.3Z", ink(dark(c, 0.2)))
        + path("M0 3.8C-2.6 2.4 -3.2 .6 -3.2 -.9A3.2 3.4 0 0 1 3.2 -.9C3.2 .6 2.6 2.4 0 3.8Z", skin)
        + ellipse(
            -1.1, -2.2, 0.55, 0.9, "#ffffff", 'opacity="0.5" transform="rotate(24 -1.1 -2.2)"'
        )
    )


def hot_air_balloon(drawing: Drawing, dye: str | None, dice: random.Random) -> str:
    """Define a hot-air balloon in gores of two colours; its middle is at the origin."""
    ink = drawing.ink
    pairs = (
        ("#d9503f", "#f6d9a0"),
        ("#3f78b5", "#f5e9cf"),
        ("#e79a36", "#7fb0a3"),
        ("#8a62b0", "#f3c2cb"),
    )
    one, two = (dye, pale(dye, 0.72)) if dye else dice.choice(pairs)
    shape = "M0 -5A3.9 3.9 0 0 1 3.9 -1.1C3.9 1 1.6 2.6 .9 3.9H-.9C-1.6 2.6 -3.9 1 -3.9 -1.1A3.9 3.9 0 0 1 0 -5Z"
    parts = [path(shape, ink(one))]
    for wide in (0.82, 0.46, 0.15):
        tone = two if wide != 0.46 else one
        parts.append(f'<g transform="scale({wide} 1)">{path(shape, ink(tone))}</g>')
    sheen = drawing.radial(
        ((0, "#ffffff", 0.42), (0.5, "#ffffff", 0), (1, "#1c1830", 0.42)), 0.32, 0.3, 0.8
    )
    parts += [
        path(shape, sheen), stroke("M-.8 3.9L-.55 5M.8 3.9L.55 5", ink("#5b4232"), 0.1),
        rect(-0.75, 4.9, 1.5, 1.15, ink("#93653c"), 0.2), rect(-0.8, 4.8, 1.6, 0.28, ink("#6d4628"), 0.1),
    ]  # fmt: skip
    return drawing.symbol("".join(parts))


def bird(drawing: Drawing, dye: str | None) -> str:
    """Define a gull in flight; its middle is at the origin."""
    tone = drawing.ink(dye or ("#5d6f86" if drawing.scene.water else "#3d4658"), 0.15)
    return drawing.symbol(
        path(
            "M0 .5C-.5 -.3 -1.9 -1.5 -4.4 -.8C-2.6 -.8 -1.2 .1 -.5 1.1Q0 1.5 .6 1C1.4 0 2.8 -.9 4.6 -1.2C2 -1.7 .6 -.4 0 .5Z",
            tone,
        )
    )


def butterfly(drawing: Drawing, dye: str | None) -> str:
    """Define a butterfly; its middle is at the origin."""
    c, ink = dye or "#f09a3c", drawing.ink
    wings = "".join(
        f'<g transform="scale({s} 1)">'
        + path("M0 0C1 -3.6 4.4 -4.4 4.6 -2.4C4.7 -.6 2 .2 0 0Z", ink(c)) + path("M0 .2C2 .2 3.6 1.2 3 2.6C2 3.8 .6 2 0 .2Z", ink(pale(c, 0.25)))
        + circle(3.1, -2.1, 0.5, ink(mix(c, "#ffffff", 0.6))) + "</g>"
        for s in (1, -0.8)
    )  # fmt: skip
    return drawing.symbol(
        wings
        + ellipse(0, 0, 0.28, 1.7, ink("#3d2d2a"))
        + stroke("M0 -1.4Q.3 -2.6 1 -3M0 -1.4Q-.3 -2.6 -.9 -3", ink("#3d2d2a"), 0.14)
    )
