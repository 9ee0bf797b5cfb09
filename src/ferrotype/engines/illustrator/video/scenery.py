"""A scene drawn once in layers, from the sky to the grass before the camera."""

import math
import random
from collections.abc import Callable, Iterator
from threading import Event

from msgspec import Struct, structs
from PIL import Image

from ferrotype.engines.illustrator import cast, landscape, shop
from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.figures import DYES
from ferrotype.engines.illustrator.ground import Ground, survey
from ferrotype.engines.illustrator.lettering import letter
from ferrotype.engines.illustrator.scene import Scene, Subject
from ferrotype.engines.illustrator.sprites import place
from ferrotype.engines.illustrator.video.planes import Layer, Planes, Sprite
from ferrotype.engines.illustrator.words import concepts

Draw = Callable[[Drawing], Iterator[None]]
# what drives, and with the animals all that goes along the ground
RIGID = concepts("thing") - {"snowman", "fire", "bench", "umbrella-on-ground"}
WANDERERS = frozenset(cast.ANIMALS) & (RIGID | concepts("animal", "swimmer"))
QUIET = {"rain": "cloudy", "storm": "cloudy", "snow": "cloudy"}  # particles fall in their stead
GAITS = {
    "run": r"\brun|chas|gallop|play|jump|跑|奔|追|跳|玩",
    "walk": r"walk|stroll|wander|driv|cross|rid(e|ing)|走|散步|漫步|行驶|开",
}


class Actor(Struct, frozen=True, kw_only=True):
    """A subject on the ground: its body and shadow, its foot in the drawing, height in pixels."""

    body: Sprite
    shadow: Sprite
    x: float
    foot: float
    high: float
    facing: int
    pace: float
    rigid: bool
    phase: float

    def onto(self, canvas: Planes, left: float, seconds: float, span: float, gait: str) -> None:
        """Draw at a time; `left` is the canvas's place in the drawing, `span` the film's length.

        A runner crosses the middle at half-time. It leaves the ground in small arcs, and its
        shadow stays behind on the ground.
        """
        speed = {"run": 0.85, "walk": 0.42}.get(gait, 0.0) * self.high * self.pace
        x = self.x - left + self.facing * speed * (seconds - span / 2)
        if self.rigid:
            lift, lean = 0.0, 0.0
            tall = 1 + (0.004 * math.sin(seconds * 23 + self.phase) if speed else 0.0)
        elif speed:
            beat = seconds * (2.4 if gait == "run" else 1.7) * math.pi + self.phase
            hop = abs(math.sin(beat))
            lift = hop * self.high * (0.085 if gait == "run" else 0.03)
            lean = 0.055 * math.cos(2 * beat) * (1 if gait == "run" else 0.4) * self.facing
            tall = 1 + 0.035 * (hop - 0.5)
        else:
            lift, lean, tall = 0.0, 0.0, 1 + 0.012 * math.sin(seconds * 2.3 + self.phase)
        air = lift / self.high
        self.shadow.onto(
            canvas, x, self.foot, (1 - 1.6 * air,) * 2, 0.0, round(128 * (1 - 3 * air))
        )
        self.body.onto(canvas, x, self.foot - lift, (2 - tall, tall), lean)


class Flyer(Struct, frozen=True, kw_only=True):
    """A thing in the air that sways about its place."""

    body: Sprite
    x: float
    y: float
    phase: float
    reach: float

    def onto(self, canvas: Planes, left: float, seconds: float) -> None:
        """Draw at a time."""
        a = seconds * 0.9 + self.phase
        x = self.x - left + self.reach * 0.8 * math.sin(a * 0.7)
        self.body.onto(
            canvas, x, self.y + self.reach * math.sin(a), (1, 1), 0.05 * math.sin(a * 0.8)
        )


class Backdrop(Struct, frozen=True, kw_only=True):
    """A layer, how far it follows the camera (0 to 1), and what moves it beside the camera."""

    layer: Layer
    depth: float
    motion: str = ""


Part = Backdrop | Actor | Flyer


def lift(drawing: Drawing) -> Image.Image | None:
    """Take what was drawn since the last time off the drawing, as RGBA pixels."""
    if not any(drawing.layers):
        return None
    drawing.ground = None
    pixels, drawing.layers = drawing.pixels(), []
    return pixels if pixels.getbbox() else None


def parts(drawing: Drawing) -> Iterator[Part]:
    """Draw open country from back to front; `drawing` is as wide as the camera ever sees.

    The still's own stages are drawn, with a scene that leaves out at each what moves by itself.
    """
    scene, ground = drawing.scene, survey(drawing)
    fixed = without(scene, {*WANDERERS, *cast.ALOFT, *cast.AFLOAT})
    quiet = structs.replace(fixed, weather=QUIET.get(scene.weather, scene.weather))
    steps = landscape.draw(drawing)
    next(steps)
    yield from heaven(drawing)
    next(steps)
    yield from backdrop(drawing, 0.24)
    if ground.shore > ground.horizon:
        next(steps)
        yield from backdrop(drawing, 0.4, "water")
        cast.afloat(drawing, ground)
        yield from backdrop(drawing, 0.5, "boats")
    drawing.scene = fixed
    next(steps)
    next(steps)
    drawing.scene = scene
    cast.railway(drawing, ground)
    yield from backdrop(drawing, 0.6)
    yield from flyers(drawing, ground)
    yield from actors(drawing, ground)
    drawing.scene = quiet
    for _ in steps:
        pass
    yield from backdrop(drawing, 1.0)


def heaven(drawing: Drawing) -> Iterator[Backdrop]:
    """Yield the sky, and its clouds apart: the only ellipses in it."""
    sheets = list(drawing.sheets())
    puffs = [shape for sheet in sheets for shape in sheet if shape.startswith("<ellipse")]
    for sheet in sheets:
        sheet[:] = [shape for shape in sheet if not shape.startswith("<ellipse")]
    yield Backdrop(layer=Layer(drawing.pixels()), depth=0.1)
    drawing.layers, drawing.ground = [], None
    drawing.put(*puffs)
    yield from backdrop(drawing, 0.1, "clouds")


def without(scene: Scene, concepts: set[str]) -> Scene:
    """Return the scene without some subjects."""
    left = tuple(subject for subject in scene.subjects if subject.concept not in concepts)
    return structs.replace(scene, subjects=left)


def backdrop(drawing: Drawing, depth: float, motion: str = "") -> Iterator[Backdrop]:
    """Yield what was drawn since the last layer, if there is anything."""
    if pixels := lift(drawing):
        yield Backdrop(layer=Layer(pixels), depth=depth, motion=motion)


def flyers(drawing: Drawing, ground: Ground) -> Iterator[Flyer]:
    """Yield each thing in the air by itself; more than eight move as one."""
    cast.aloft(drawing, ground)
    laid, drawing.layers = drawing.layers, []
    things = [[one] for layer in laid if isinstance(layer, list) for one in layer]
    if len(things) > 8:
        things = [[one for thing in things for one in thing]]
    dice = drawing.dice("flyers")
    for thing in things:
        drawing.put(*thing)
        pixels = lift(drawing)
        box = pixels.getbbox() if pixels else None
        if pixels and box:
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            yield Flyer(
                body=Sprite(pixels, (x, y)), x=x, y=y, phase=dice.uniform(0, 6.283),
                reach=min(ground.u, (box[3] - box[1]) * 0.14),
            )  # fmt: skip


def actors(drawing: Drawing, ground: Ground) -> Iterator[Actor]:
    """Yield each animal and car by itself, the farthest first, all facing one way."""
    span = max(0.0, drawing.height - ground.shore) or drawing.height - ground.horizon
    dice, facing = drawing.dice("actors"), drawing.dice("facing").choice((-1, 1))
    for deep, x, subject, high in sorted(cast.herd(drawing, ground, span), key=lambda p: p[0]):
        if subject.concept not in WANDERERS:
            continue
        yield actor(drawing, subject, x, drawing.height - span + deep, high, facing, dice)


def actor(
    drawing: Drawing, subject: Subject, x: float, foot: float, high: float, facing: int,
    dice: random.Random,
) -> Actor:  # fmt: skip
    """Draw one animal's body, and its shadow apart from it."""
    side = int(high * 1.3) // 2 * 2 + 8
    small = Drawing(drawing.scene, side, side, 0)
    small.ink, small.ground = drawing.ink, None
    mid, low = side / 2, side * 0.88
    small.put(small.shade(mid, low, high * 0.42, high * 0.075, drawing.ink.shadow * 1.9))
    shadow = small.pixels()
    small.layers = []
    dye = DYES.get(subject.colour or "")
    place(small, subject.concept, mid, low, high, dye, facing > 0)
    pace = dice.uniform(0.9, 1.1) * (1.6 if subject.concept in RIGID else 1)
    return Actor(
        body=Sprite(small.pixels(), (mid, low)), shadow=Sprite(shadow, (mid, low)), x=x, foot=foot,
        high=high, facing=facing, pace=pace,
        rigid=subject.concept in RIGID, phase=dice.uniform(0, 3.1),
    )  # fmt: skip


def stages(scene: Scene, draw: Draw) -> int:
    """Return how many stages a template draws this scene in."""
    if draw is shop.draw:
        return len(shop.LAYERS)
    return sum(1 for _ in draw(Drawing(scene, 256, 256, 0)))


def flat(drawing: Drawing, draw: Draw, stop: Event) -> tuple[Image.Image, Image.Image]:
    """Draw a whole picture without what falls from the sky: before its last layer, and after.

    A shop's last layer is its lamplight, which may flicker.
    """
    before: Image.Image | None = None
    scene = drawing.scene
    count = stages(scene, draw)
    for stage, _ in enumerate(draw(drawing)):
        if stop.is_set():
            break  # whoever asked throws the part away
        if stage == count - 2:
            before = drawing.pixels()
            drawing.layers, drawing.ground = [], None
            drawing.scene = structs.replace(scene, weather=QUIET.get(scene.weather, scene.weather))
    after = drawing.pixels()
    pictures = []
    for picture in (before, Image.alpha_composite(before, after) if before else after):
        finished = (picture or after).convert("RGB")
        for line in drawing.lines:
            letter(finished, line)
        pictures.append(finished)
    return pictures[0], pictures[1]
