"""Adds the illustrator's own figures to a caller's picture, in its light."""

from PIL import Image, ImageStat

from ferrotype.engines.illustrator import cast
from ferrotype.engines.illustrator.drawing import Drawing, use
from ferrotype.engines.illustrator.edits import regions
from ferrotype.engines.illustrator.ground import Ground
from ferrotype.engines.illustrator.scene import Scene, Subject

STANDING = {**cast.ANIMALS, **cast.BUILT, **cast.TREES}


def drawable(subject: Subject) -> bool:
    """Say whether a subject can stand in or fly over any picture."""
    return subject.concept in STANDING or subject.concept in cast.ALOFT


def added(picture: Image.Image, subjects: tuple[Subject, ...], seed: int) -> Image.Image:
    """Stand subjects on the picture's ground, or let them fly in its sky."""
    w, h = picture.size
    sky = regions.sky(picture)
    foot = (sky.getbbox() or (0, 0, 0, 0))[3] if sky else round(h * 0.5)
    level = min(0.72 * h, max(0.28 * h, foot))
    drawing = clear(picture, subjects, seed)
    ground = Ground(horizon=level, shore=level, u=min(w, h * 1.25) / 100, land="#79b454")
    cast.aloft(drawing, ground)
    cast.ashore(drawing, ground)
    return laid(picture, drawing)


def inside(picture: Image.Image, subject: Subject, mask: Image.Image, seed: int) -> Image.Image:
    """Draw one subject as large as what a mask shows allows: less where that is no box."""
    left, top, right, bottom = mask.getbbox() or (0, 0, *picture.size)
    if regions.share(mask.crop((left, top, right, bottom))) < 0.92:
        inset = (right - left) // 8, (bottom - top) // 8
        left, top, right, bottom = (
            left + inset[0],
            top + inset[1],
            right - inset[0],
            bottom - inset[1],
        )
    drawing = clear(picture, (subject,), seed)
    dice, middle = drawing.dice("inside"), (left + right) / 2
    high = min((bottom - top) * 0.9, (right - left) * 1.05)
    symbol = cast.figure(drawing, subject, dice) if subject.concept in cast.ALOFT else None
    if symbol:
        drawing.put(use(symbol, middle, (top + bottom) / 2, high / 11.5))
        return laid(picture, drawing)
    cast.stand(drawing, subject, middle, bottom - (bottom - top) * 0.05, high, dice)
    return laid(picture, drawing)


def clear(picture: Image.Image, subjects: tuple[Subject, ...], seed: int) -> Drawing:
    """Return an empty drawing over the picture, by day or by night as the picture is."""
    dark = ImageStat.Stat(regions.small(picture, 64).convert("L")).mean[0] < 70
    scene = Scene(
        prompt="", template="landscape", subjects=subjects, time="night" if dark else "day"
    )
    drawing = Drawing(scene, *picture.size, seed)
    drawing.ground = None
    return drawing


def laid(picture: Image.Image, drawing: Drawing) -> Image.Image:
    """Lay a drawing's figures over the picture."""
    figures = drawing.pixels()
    out = picture.copy()
    out.paste(figures.convert("RGB"), mask=figures.getchannel("A"))
    return out
