"""Does to one picture what an instruction asks for, and says what was done."""

from PIL import Image

from ferrotype.engines.illustrator import styles, tones
from ferrotype.engines.illustrator.edits import materials, moods, props, regions
from ferrotype.engines.illustrator.edits.instruction import Wish

Done = tuple[Image.Image, list[str]]


def follow(picture: Image.Image, wish: Wish, seed: int, strength: float = 1.0) -> Done:
    """Apply what was understood, the style last; where nothing was, a light grade."""
    before, done = picture, list[str]()
    if things := tuple(thing for thing in wish.add if props.drawable(thing)):
        picture = props.added(picture, things, seed)
        done.append("added " + ", ".join(thing.concept for thing in things))
    for place, colour in wish.recolour:
        picture, what = dyed(picture, place, colour, seed)
        done += what
    if wish.material:
        picture, what = remade(picture, wish, seed)
        done += what
    for mood in moods.ordered(wish.moods):
        picture = moods.apply(picture, mood, seed)
        done.append(mood)
    for look in wish.looks[:2]:
        picture = styles.restyled(picture, look, seed)
        done.append(look)
    if strength < 0.5 and done:
        picture = Image.blend(before, picture, 0.3 + 1.4 * strength)
    if not done:
        return moods.grade(picture, seed), [
            "a light grade: nothing that can be done was understood"
        ]
    return Image.blend(picture, moods.grade(picture, seed), 0.35), done


def place_of(picture: Image.Image, name: str) -> tuple[Image.Image, str] | None:
    """Return the mask of a place and its name, or None when it is not to be found.

    A place is a region, the pixels of a colour, the whole, or else the main subject.
    """
    if name == "whole":
        return Image.new("L", picture.size, 255), "whole picture"
    by_colour = name in regions.HUES and name != "green"
    mask = regions.coloured(picture, name) if by_colour else regions.find(picture, name)
    if mask is None or regions.share(mask) < 0.002:
        return None
    return mask, f"what is {name}" if by_colour else name.replace(
        "subject", "main subject (guessed)"
    )


def dyed(picture: Image.Image, place: str, colour: str, seed: int) -> Done:
    """Give a place a colour; the whole picture gets a tint of it."""
    found = place_of(picture, place)
    if found is None:
        return picture, []
    part = 0.55 if place == "whole" else (0.92, 0.8, 0.86, 0.74)[seed % 4]
    return tones.recolour(picture, found[0], colour, part), [f"{found[1]} {colour}"]


def remade(picture: Image.Image, wish: Wish, seed: int) -> Done:
    """Make a place of another material."""
    found = place_of(picture, next(iter(wish.regions), "subject"))
    if found is None:
        return picture, []
    return materials.clad(picture, found[0], wish.material, seed), [
        f"{found[1]} of {wish.material}"
    ]


def in_palette(picture: Image.Image, colours: list[str]) -> Image.Image:
    """Draw the picture's colours towards a palette, dark to light."""
    ranked = sorted(
        (tones.rgb(c) for c in colours), key=lambda c: c[0] * 299 + c[1] * 587 + c[2] * 114
    )
    return Image.blend(picture, tones.mapped(picture, ranked), 0.55)
