# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""A picture in the making: SVG shapes, and lettering that never enters the SVG.

The caller's words are set by Pillow on the finished pixels, so no prompt can become markup.
"""

import io
from collections.abc import Callable

import resvg_py
from PIL import Image

from ferrotype.engines.illustrator.lettering import Line, letter
from ferrotype.engines.illustrator.light import Light, light_of, mix
from ferrotype.engines.illustrator.scene import Dice, Scene

Stops = tuple[tuple[float, str, float], ...]


def stops(*colours: str) -> Stops:
    """Spread opaque colours evenly from 0 to 1."""
    return tuple((i / (len(colours) - 1), colour, 1.0) for i, colour in enumerate(colours))


class Drawing:
    """Shapes of one scene, in pixels. `ink` shows a colour in the scene's light."""

    def __init__(self, scene: Scene, width: int, height: int, seed: int, model: str = "") -> None:
        self.scene, self.width, self.height = scene, width, height
        self.seed, self.model = seed, model
        self.dice = Dice(seed)
        self.ink: Light = light_of(scene)
        self.parts: list[str] = [rect(0, 0, width, height, self.ink.haze)]
        self.defs: list[str] = []
        self.lines: list[Line] = []
        self.paints: dict[str, str] = {}
        self.symbols: dict[tuple[object, ...], str] = {}

    def put(self, *shapes: str) -> None:
        """Lay shapes over what is there."""
        self.parts.extend(shapes)

    def keep(self, kind: str, body: str) -> str:
        """Define something once and return its id."""
        name = self.paints.get(kind + body)
        if name is None:
            name = self.paints[kind + body] = f"d{len(self.paints)}"
            self.defs.append(kind.replace("ID", name) + body)
        return name

    def once(self, mark: tuple[object, ...], draw: Callable[[], str]) -> str:
        """Define a group the first time its mark is met; return its id."""
        if mark not in self.symbols:
            self.symbols[mark] = self.symbol(draw())
        return self.symbols[mark]

    def symbol(self, shapes: str) -> str:
        """Define a group for `use`; return its id."""
        return self.keep('<g id="ID">', shapes + "</g>")

    def clip(self, shapes: str) -> str:
        """Define a clip path; return the attribute that applies it."""
        name = self.keep('<clipPath id="ID">', shapes + "</clipPath>")
        return f'clip-path="url(#{name})"'

    def linear(self, steps: Stops, x2: float = 0, y2: float = 1, x1: float = 0) -> str:
        """Return the paint of a linear gradient over a shape's box (downwards by default)."""
        kind = f'<linearGradient id="ID" x1="{x1}" x2="{x2}" y2="{y2}">'
        return f"url(#{self.keep(kind, _steps(steps) + '</linearGradient>')})"

    def radial(self, steps: Stops, cx: float = 0.5, cy: float = 0.5, r: float = 0.5) -> str:
        """Return the paint of a radial gradient over a shape's box."""
        kind = f'<radialGradient id="ID" cx="{cx}" cy="{cy}" r="{r}">'
        return f"url(#{self.keep(kind, _steps(steps) + '</radialGradient>')})"

    def glow(self, x: float, y: float, r: float, colour: str, power: float) -> str:
        """Return a soft round light, built of flat rings (a gradient costs twenty times more)."""
        n = int(min(26, max(6, r / 5)))
        falls = [power * (1 - k / n) ** 2.2 for k in range(n, -1, -1)]
        return "".join(
            circle(x, y, r * (n - k) / n, colour, f'opacity="{(falls[k + 1] - falls[k]):.4f}"')
            for k in range(n)
        )

    def shade(self, x: float, y: float, rx: float, ry: float, power: float) -> str:
        """Return a soft contact shadow on the ground."""
        return "".join(
            ellipse(x, y, rx * part, ry * part, "#15122a", f'opacity="{power * 0.3:.3f}"')
            for part in (1.0, 0.86, 0.7, 0.5)
        )

    def write(self, line: Line) -> None:
        """Set a line of lettering over the finished shapes."""
        self.lines.append(line)

    def svg(self) -> str:
        """Return the whole drawing as SVG."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}">'
            f"<defs>{''.join(self.defs)}</defs>{''.join(self.parts)}</svg>"
        )

    def render(self) -> Image.Image:
        """Return the picture as RGB pixels."""
        png = resvg_py.svg_to_bytes(svg_string=self.svg(), skip_system_fonts=True)
        with Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
            picture = opened.convert("RGB")
        for line in self.lines:
            letter(picture, line)
        return picture


def _steps(steps: Stops) -> str:
    return "".join(
        f'<stop offset="{at:.3g}" stop-color="{colour}"'
        + (f' stop-opacity="{alpha:.3g}"' if alpha < 1 else "")
        + "/>"
        for at, colour, alpha in steps
    )


def bands(x: float, y: float, w: float, h: float, steps: Stops) -> str:
    """Return a downward gradient over whole pixels as flat bands: many times faster than one."""
    left, top, right, bottom = round(x), round(y), round(x + w), round(y + h)
    high = max(1, bottom - top)
    n = max(1, min(high, 150 if high > 240 else 48))
    out = []
    for k in range(n):
        at, k1, k2 = (k + 0.5) / n, top + high * k // n, top + high * (k + 1) // n
        i = max(1, next((j for j, step in enumerate(steps) if step[0] >= at), len(steps) - 1))
        (a, one, alpha1), (b, two, alpha2) = steps[i - 1], steps[i]
        part = (at - a) / max(1e-6, b - a)
        alpha = alpha1 + (alpha2 - alpha1) * part
        clear = f' fill-opacity="{alpha:.3f}"' if alpha < 1 else ""
        out.append(
            f'<path d="M{left} {k1}H{right}V{k2}H{left}Z" fill="{mix(one, two, part)}"{clear}/>'
        )
    return f'<g shape-rendering="crispEdges">{"".join(out)}</g>'


def _alpha(part: str, more: str) -> str:
    """Fade a paint, not its element: an element's opacity costs a layer of its own."""
    return f"{part}-{more}" if more.startswith("opacity") else more


def rect(x: float, y: float, w: float, h: float, fill: str, r: float = 0, more: str = "") -> str:
    """Return a rectangle, rounded by `r`."""
    round_ = f' rx="{r:.1f}"' if r else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"{round_} fill="{fill}" {_alpha("fill", more)}/>'


def circle(x: float, y: float, r: float, fill: str, more: str = "") -> str:
    """Return a circle."""
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}" fill="{fill}" {_alpha("fill", more)}/>'


def ellipse(x: float, y: float, rx: float, ry: float, fill: str, more: str = "") -> str:
    """Return an ellipse."""
    return f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{rx:.2f}" ry="{ry:.2f}" fill="{fill}" {_alpha("fill", more)}/>'


def path(d: str, fill: str, more: str = "") -> str:
    """Return a filled path."""
    return f'<path d="{d}" fill="{fill}" {_alpha("fill", more)}/>'


def stroke(d: str, colour: str, width: float, more: str = "") -> str:
    """Return a line with round ends."""
    return (
        f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width:.2f}" '
        f'stroke-linecap="round" stroke-linejoin="round" {_alpha("stroke", more)}/>'
    )


def use(name: str, x: float, y: float, scale: float, turn: float = 0, flip: bool = False) -> str:
    """Return a placed copy of a symbol."""
    spin = f" rotate({turn:.0f})" if turn else ""
    sx = -scale if flip else scale
    return f'<use href="#{name}" transform="translate({x:.1f} {y:.1f}){spin} scale({sx:.3f} {scale:.3f})"/>'


def points(corners: list[tuple[float, float]]) -> str:
    """Return a closed path through corners."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "Z"


def group(shapes: str, more: str) -> str:
    """Return shapes in a group with attributes."""
    return f"<g {more}>{shapes}</g>"
