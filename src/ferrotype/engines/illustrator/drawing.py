# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""A picture in the making: SVG shapes, and lettering that never enters the SVG.

The caller's words are set by Pillow on the finished pixels, so no prompt can become markup.
"""

import io
from collections.abc import Callable, Hashable, Iterator

import resvg_py
from msgspec import structs
from PIL import Image

from ferrotype.engines.illustrator.cutouts import DRAWER, Pasted, Stops, gradient, halo
from ferrotype.engines.illustrator.lettering import Line, letter
from ferrotype.engines.illustrator.light import Light, light_of, mix
from ferrotype.engines.illustrator.scene import Dice, Scene


def stops(*colours: str) -> Stops:
    """Spread opaque colours evenly from 0 to 1."""
    return tuple((i / (len(colours) - 1), colour, 1.0) for i, colour in enumerate(colours))


class Drawing:
    """Shapes of one scene, in pixels. `ink` shows a colour in the scene's light.

    Its layers lie over one another in their order: sheets of shapes, which resvg renders, and
    cut-outs, which are pixels already. Each sheet costs a pass over the picture: keep them few.
    """

    def __init__(self, scene: Scene, width: int, height: int, seed: int, model: str = "") -> None:
        self.scene, self.width, self.height = scene, width, height
        self.seed, self.model = seed, model
        self.dice = Dice(seed)
        self.ink: Light = light_of(scene)
        self.ground: str | None = self.ink.haze
        self.layers: list[list[str] | Pasted] = []
        self.defs: list[str] = []
        self.lines: list[Line] = []
        self.paints: dict[str, str] = {}
        self.symbols: dict[tuple[object, ...], str] = {}

    @property
    def parts(self) -> list[str]:
        """The shapes of the sheet that lies on top, a new one where a cut-out does."""
        if not self.layers or isinstance(self.layers[-1], Pasted):
            self.layers.append([])
        top = self.layers[-1]
        assert isinstance(top, list)
        return top

    def put(self, *shapes: str) -> None:
        """Lay shapes over what is there."""
        self.parts.extend(shapes)

    def paste(
        self,
        mark: Hashable,
        box: tuple[float, float, float, float],
        paint: Callable[["Drawing"], None],
        at: tuple[float, float],
        flip: bool = False,
    ) -> None:
        """Lay a cut-out over what is there, its origin at a point.

        `paint` draws it around (0, 0) within `box` (left, top, right, bottom) the first time that
        its mark is met in this light; it may go by nothing else.
        """
        left, top, right, bottom = (round(edge) for edge in box)

        def cut() -> Image.Image:
            small = Drawing(self.scene, right - left, bottom - top, 0)
            small.ink, small.ground, small.dice = self.ink, None, Dice(str(mark))
            paint(small)
            return small.pixels(left, top)

        pixels = DRAWER.take((mark, left, top, right, bottom, self.ink), cut)
        if flip:
            pixels = pixels.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        x, y = round(at[0]), round(at[1])
        self.layers.append(Pasted(pixels, x - right if flip else x + left, y + top))

    def lay(self, pixels: Image.Image, x: int, y: int) -> None:
        """Lay RGBA pixels over what is there, their upper left corner at (x, y)."""
        self.layers.append(Pasted(pixels, x, y))

    def wash(self, y: float, high: float, steps: Stops) -> None:
        """Lay a downward gradient over the picture's whole width."""
        first, last = round(y), max(round(y) + 1, round(y + high))
        self.layers.append(Pasted(gradient(self.width, last - first, steps), 0, first))

    def glow(
        self, x: float, y: float, reach: tuple[float, float], colour: str, power: float
    ) -> None:
        """Lay a soft light over what is there."""
        left, top = round(x - reach[0]), round(y - reach[1])
        seen = None
        if self.ground is not None:  # a whole picture, whose corner is the origin
            wide, high = max(2, round(2 * reach[0])), max(2, round(2 * reach[1]))
            seen = (
                max(0, -left),
                max(0, -top),
                min(wide, self.width - left),
                min(high, self.height - top),
            )
            if seen[0] >= seen[2] or seen[1] >= seen[3]:
                return
            left, top = left + seen[0], top + seen[1]
        self.layers.append(Pasted(halo(*reach, colour, power, seen), left, top))

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

    def lamp(self, x: float, y: float, r: float, colour: str, power: float) -> str:
        """Return the soft light of a lamp that is part of a symbol."""
        steps = tuple((k / 6, colour, power * (1 - k / 6) ** 2.2) for k in range(7))
        return circle(x, y, r, self.radial(steps))

    def shade(self, x: float, y: float, rx: float, ry: float, power: float) -> str:
        """Return a soft contact shadow on the ground."""
        return "".join(
            ellipse(x, y, rx * part, ry * part, "#15122a", f'opacity="{power * 0.13:.3f}"')
            for part in (1.08, 1.0, 0.92, 0.84, 0.76, 0.67, 0.57, 0.45)
        )

    def write(self, line: Line) -> None:
        """Set a line of lettering over the finished shapes."""
        self.lines.append(line)

    def svg(self, parts: list[str], left: int = 0, top: int = 0) -> str:
        """Return shapes as SVG; (left, top) is the place of its upper left corner."""
        box = f"{left} {top} {self.width} {self.height}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}"'
            f' viewBox="{box}"><defs>{"".join(self.defs)}</defs>{"".join(parts)}</svg>'
        )

    def sheets(self) -> Iterator[list[str]]:
        """Yield the sheets of shapes, lowest first."""
        return (layer for layer in self.layers if isinstance(layer, list))

    def pixels(self, left: int = 0, top: int = 0) -> Image.Image:
        """Return the layers as RGBA pixels; (left, top) is the place of the upper left corner."""
        size = (self.width, self.height)
        canvas = Image.new("RGBA", size, self.ground or (0, 0, 0, 0))
        for layer in self.layers:
            if isinstance(layer, Pasted):
                structs.replace(layer, x=layer.x - left, y=layer.y - top).onto(canvas)
                continue
            svg = self.svg(layer, left, top)
            png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
            with Image.open(io.BytesIO(png), formats=("PNG",)) as sheet:
                Pasted(sheet, 0, 0).onto(canvas)
        return canvas

    def render(self) -> Image.Image:
        """Return the picture as RGB pixels, with its lettering."""
        picture = self.pixels().convert("RGB")
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
