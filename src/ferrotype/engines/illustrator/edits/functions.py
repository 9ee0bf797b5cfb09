"""The named functions of the image editing model: each makes one picture and says what it did."""

from collections.abc import Callable

from PIL import Image

from ferrotype.engines.illustrator import landscape, styles, tones
from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.edits import (
    collage,
    doodle,
    fill,
    instructed,
    materials,
    props,
    restore,
)
from ferrotype.engines.illustrator.edits.instructed import Done
from ferrotype.engines.illustrator.edits.instruction import Wish
from ferrotype.engines.illustrator.edits.sources import Sources
from ferrotype.engines.illustrator.reader import read
from ferrotype.ports.engine import Job

LONGEST = 4096  # pixels of a side that an edit may reach by growing
Function = Callable[[Job, Sources, Wish, int], Done]


def strength_of(job: Job) -> float:
    """Return how far the result may leave the picture, 0 to 1."""
    value = job.fields.get("strength")
    return 0.5 if value is None else min(1.0, max(0.0, float(value)))


def stylised(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Lay a style over all of the picture: the one named, else a picture book's."""
    if not wish.empty:
        return instructed.follow(given.pictures[0], wish, seed, strength_of(job))
    drawn = styles.restyled(
        given.pictures[0], "picture book", seed, min(1.0, 0.2 + 1.6 * strength_of(job))
    )
    return drawn, ["picture book: no style was understood"]


def part_stylised(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Remake one thing of the picture in a material, or in a style."""
    picture = given.pictures[0]
    found = instructed.place_of(picture, next(iter(wish.regions), "subject"))
    if given.mask is not None:
        found = given.mask, "masked part"
    if found is None:
        return picture, ["the place named was not found: nothing changed"]
    mask, what = found
    if wish.material or not wish.looks:
        material = wish.material or "wood"
        return materials.clad(picture, mask, material, seed), [f"{what} of {material}"]
    return Image.composite(styles.restyled(picture, wish.looks[0], seed), picture, mask), [
        f"{what} as {wish.looks[0]}"
    ]


def described(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Follow an instruction over the whole picture."""
    return instructed.follow(given.pictures[0], wish, seed, strength_of(job))


def masked(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Change only what the mask shows: draw what is named, dye, restyle, or fill."""
    picture, mask = given.pictures[0], given.mask
    if mask is None or mask.getbbox() is None:
        return picture, ["the mask shows nothing to edit: nothing changed"]
    scene = read(job.prompt)
    things = [thing for thing in (*wish.add, *scene.subjects) if props.drawable(thing)]
    if things and not (wish.remove or (wish.turning and wish.colours)):
        made = props.inside(fill.fill(picture, mask, seed), things[0], mask, seed)
        return Image.composite(made, picture, mask), [
            f"masked part filled, {things[0].concept} drawn in it"
        ]
    made, done = picture, []
    for colour in wish.colours[-1:]:
        made = tones.recolour(made, mask, colour, (0.92, 0.8, 0.86, 0.74)[seed % 4])
        done.append(f"masked part {colour}")
    if wish.material:
        made = materials.clad(made, mask, wish.material, seed)
        done.append(f"masked part of {wish.material}")
    if wish.moods or wish.looks:
        made, more = instructed.follow(made, Wish(moods=wish.moods, looks=wish.looks), seed)
        done += [f"masked part {what}" for what in more]
    if not done:
        made, done = fill.fill(picture, mask, seed), ["masked part filled from around it"]
    return Image.composite(made, picture, mask), done


def cleaned(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Fill what the mask shows; without one, take light lettering out of a corner."""
    picture = given.pictures[0]
    if given.mask is not None:
        return fill.fill(picture, given.mask, seed), ["masked part filled from around it"]
    picture, where = restore.unmarked(picture, seed)
    return picture, [
        f"lettering in the {where} corner removed"
        if where
        else "no mark was found: nothing changed"
    ]


def expanded(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Continue the picture beyond its edges by the scales asked for."""
    picture = given.pictures[0]
    w, h = picture.size
    left, top, right, bottom = (
        float(job.fields.get(f"{side}_scale") or 1) - 1
        for side in ("left", "top", "right", "bottom")
    )
    scale = min(1.0, max(LONGEST, w, h) / max(w * (1 + left + right), h * (1 + top + bottom)))
    if scale < 1:
        picture = collage.resized(picture, (max(1, round(w * scale)), max(1, round(h * scale))))
    w, h = picture.size
    more = int(w * left), int(h * top), int(w * right), int(h * bottom)
    done = ["continued by {}, {}, {}, {} pixels (left, top, right, bottom)".format(*more)]
    if scale < 1:
        done.append(f"the picture itself at {scale:.0%}, to stay within {LONGEST} pixels")
    return fill.expand(picture, more, seed), done


def enlarged(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Enlarge the picture by a whole factor, as far as we go."""
    picture = given.pictures[0]
    asked = int(job.fields.get("upscale_factor") or 1)
    factor = max(1.0, min(asked, LONGEST / max(picture.size)))
    done = [f"enlarged {factor:.3g} times"]
    if factor < asked:
        done.append(f"not {asked} times, to stay within {LONGEST} pixels")
    size = round(picture.width * factor), round(picture.height * factor)
    return restore.enlarge(picture, size, seed), done


def colourised(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Colour a grey picture; in one that has colours, do only what the instruction names."""
    picture = given.pictures[0]
    if not restore.greyness(picture):
        picture, done = instructed.follow(picture, wish, seed)
        return picture, ["the picture has colours: they were kept", *done]
    named = tuple((place, colour) for place, colour in wish.recolour if place != "whole")
    done = ["coloured by tone and place", *(f"{place} {colour}" for place, colour in named)]
    return restore.colourise(picture, named, seed), done


def doodled(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Colour a sketch's areas; draw a picture that is no sketch in coloured pencil."""
    told = job.fields.get("is_sketch") or "sketch_image_url" in job.inputs
    sketch = bool(told) or restore.greyness(given.pictures[0])
    if not sketch:
        return styles.restyled(given.pictures[0], "coloured pencil", seed), [
            "drawn anew in coloured pencil"
        ]
    return doodle.coloured(given.pictures[0], wish.colours, seed), ["sketch coloured"]


def recast(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Set the caller's cartoon figure into a scene of the prompt, or strengthen its drawing."""
    picture, scene = given.pictures[0], read(job.prompt)
    drawn = None
    if scene.template == "landscape":
        drawing = Drawing(scene, *picture.size, seed)
        for _ in landscape.draw(drawing):
            pass
        drawn = styles.apply(drawing.render(), scene.style, seed, picture.size)
    made = doodle.figure(picture, drawn, seed)
    if made is None:
        return styles.restyled(picture, "cartoon", seed), [
            "no figure on a plain ground was found: drawn as a cartoon"
        ]
    return made, ["figure set into a drawn scene" if drawn else "figure set before a plain ground"]


FUNCTIONS: dict[str, Function] = {
    "stylization_all": stylised, "stylization_local": part_stylised, "description_edit": described,
    "description_edit_with_mask": masked, "remove_watermark": cleaned, "expand": expanded,
    "super_resolution": enlarged, "colorization": colourised, "doodle": doodled,
    "control_cartoon_feature": recast,
}  # fmt: skip
