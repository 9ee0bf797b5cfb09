"""The prompt card: what is set instead of a picture that would be wrong."""

from collections.abc import Iterator

from ferrotype.engines.illustrator.drawing import Drawing, path, points, rect, stroke, use
from ferrotype.engines.illustrator.flora import BLOOMS, COLOURS, LEAVES, bloom, leaf
from ferrotype.engines.illustrator.lettering import Line, font, settable

PAPERS = (
    ("#fbf5e9", "#f1e5cf", "#4a3a2c", "#b5744a"),
    ("#f3f6f2", "#dfe8df", "#2f4238", "#5e8a6c"),
    ("#f6f1f4", "#e8dbe3", "#43303d", "#a8677f"),
    ("#f1f4f8", "#d9e3ee", "#2b3950", "#5b80ab"),
    ("#faf3e3", "#f3dfb4", "#4c3818", "#c08a2d"),
)


def draw(drawing: Drawing) -> Iterator[None]:
    """Lay the paper, its border and corner flowers, then the words."""
    paper, edge, text, accent = drawing.dice("paper").choice(PAPERS)
    w, h = drawing.width, drawing.height
    u = min(w, h) / 100
    drawing.ground = edge
    drawing.glow(w / 2, h * 0.42, (w * 1.1, h * 1.1), paper, 1.0)
    for inset, wide in ((4, 0.35), (5.2, 0.14)):
        frame = f'stroke="{accent}" stroke-width="{wide * u:.2f}"'
        drawing.put(
            rect(inset * u, inset * u, w - 2 * inset * u, h - 2 * inset * u, "none", 1.5 * u, frame)
        )
    yield
    corners(drawing, u)
    yield
    words(drawing, u, text, accent)
    yield


def corners(drawing: Drawing, u: float) -> None:
    """Grow a spray of flowers into two opposite corners."""
    dice, w, h = drawing.dice("corners"), drawing.width, drawing.height
    kinds = dice.sample(sorted(BLOOMS), 3)
    left = dice.random() < 0.5
    for x, y, sx, sy in ((0, 0, 1, 1), (w, h, -1, -1)) if left else ((w, 0, -1, 1), (0, h, 1, -1)):
        for _ in range(24):
            a, b = (min(14.0, abs(dice.gauss(0, 9))) for _ in range(2))
            drawing.put(
                use(
                    leaf(drawing, dice.choice(LEAVES)),
                    x + sx * a * u,
                    y + sy * b * u,
                    dice.uniform(3, 5.5) * u,
                    dice.uniform(0, 360),
                )
            )
        for _ in range(13):
            a, b = (min(11.0, abs(dice.gauss(0, 6.5))) for _ in range(2))
            kind = dice.choice(kinds)
            tint = bloom(drawing, kind, dice.choice(COLOURS[kind][:3]))
            drawing.put(
                use(
                    tint,
                    x + sx * a * u,
                    y + sy * b * u,
                    dice.uniform(2, 3.6) * u,
                    dice.uniform(0, 360),
                )
            )


def wrap(text: str, width: float, size: int) -> list[str]:
    """Break a text into lines that fit a width.

    After a mark that stands in a line's second half, a blank, between Hanzi, or where it must.
    """
    lines, line, wide, breakable, marked = [], "", 0.0, 0, 0
    for c in text:
        step = font(size).getlength(c)
        if wide + step > width and line and c not in "，。、；：！？）》 ":
            cut = marked if 2 * marked > len(line) else breakable or len(line)
            lines.append(line[:cut].rstrip())
            line, breakable, marked = line[cut:], 0, 0
            wide = font(size).getlength(line)
        line, wide = line + c, wide + step
        if c == " " or c > "\u2e7f":
            breakable = len(line)
        if c in "，。、；：！？,;:":
            marked = len(line)
    return [one for one in [*lines, line.rstrip()] if one]


def words(drawing: Drawing, u: float, text: str, accent: str) -> None:
    """Set the prompt as large as its box lets it, and a line of facts below."""
    w, h = drawing.width, drawing.height
    prompt = settable(drawing.scene.prompt)[:600] or "…"
    wide, high = w - 26 * u, h - 46 * u if h < 1.6 * w else h - 70 * u
    size = int(9.5 * u)
    while size > 2.1 * u and len(wrap(prompt, wide, size)) * size * 1.5 > high:
        size = int(size * 0.92)
    many = len(wrap(prompt, wide, size))
    even = (part / 40 for part in range(20, 41))  # of as many lines, the most even
    fair = next(p for p in even if len(wrap(prompt, wide * p, size)) == many)
    lines = wrap(prompt, wide * fair, size)[: max(1, int(high / (size * 1.5)))]
    if len("".join(lines)) < len(prompt.replace(" ", "")) * 0.9:
        lines[-1] = lines[-1][:-1].rstrip() + "…"
    ascent = sum(font(size).getmetrics())
    top = h * 0.485 - (len(lines) - 1) * size * 0.75
    for k, one in enumerate(lines):
        y = top + k * size * 1.5
        line = Line(
            text=one, x=w / 2, y=y, width=wide * 1.02, height=size, colour=text, level=ascent
        )
        drawing.write(line)
    rule(drawing, min(h - 14 * u, top + (len(lines) - 0.2) * size * 1.5 + 3 * u), u, accent)
    extent = f"{drawing.width} × {drawing.height}"
    facts = f"{settable(drawing.model)[:60]}  ·  {extent}  ·  seed {drawing.seed}"
    drawing.write(
        Line(text=facts, x=w / 2, y=h - 9.2 * u, width=w - 46 * u, height=2.5 * u, colour=accent)
    )


def rule(drawing: Drawing, y: float, u: float, colour: str) -> None:
    """Draw the ornament between the words and the facts."""
    x = drawing.width / 2
    line = f"M{x - 9 * u:.1f} {y:.1f}H{x - 2 * u:.1f}M{x + 2 * u:.1f} {y:.1f}H{x + 9 * u:.1f}"
    lozenge = points([(x, y - u), (x + u, y), (x, y + u), (x - u, y)])
    drawing.put(stroke(line, colour, 0.25 * u), path(lozenge, colour))
