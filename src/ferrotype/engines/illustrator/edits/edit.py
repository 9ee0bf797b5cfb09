"""One edit: the caller's pictures and an instruction in, a picture and what was done to it out."""

import re

from msgspec import Struct
from PIL import Image

from ferrotype.engines.illustrator.edits import collage, instructed
from ferrotype.engines.illustrator.edits.functions import FUNCTIONS
from ferrotype.engines.illustrator.edits.instructed import Done
from ferrotype.engines.illustrator.edits.instruction import Wish, read
from ferrotype.engines.illustrator.edits.sources import Sources
from ferrotype.ports.engine import Job

TARGET = re.compile(
    r"(?:into|onto|in|on|to|到|入|进|在)\s*(?:the\s+)?(?:image|picture|图片|图|第)?\s*(first|second|third|[1-9一二三])"
)
NUMBERS = {"first": 1, "second": 2, "third": 3, "一": 1, "二": 2, "三": 3}


class Edited(Struct, frozen=True):
    """A picture, what was done to make it, words understood, and words that were left out."""

    picture: Image.Image
    done: tuple[str, ...]
    known: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def edit(job: Job, given: Sources, seed: int) -> Edited:
    """Make the picture that a seed gives."""
    wish = read(job.prompt)
    named = "doodle" if "sketch_image_url" in job.inputs else str(job.fields.get("function"))
    function = FUNCTIONS.get(named)
    picture, done = (
        function(job, given, wish, seed) if function else composed(job, given, wish, seed)
    )
    if any(picture is own for own in given.pictures):
        picture = picture.copy()
    missed = ("bbox_list",) if job.fields.get("bbox_list") else ()
    return Edited(picture, tuple(done), wish.known, (*wish.unknown, *missed))


def size_of(job: Job, last: Image.Image) -> tuple[int, int]:
    """Return the size asked for; in the last picture's ratio where the request leaves that open."""
    if not job.fields.get("size_follows"):
        return job.size
    ratio = min(8.0, max(0.125, last.width / last.height))
    wide = (job.size[0] * job.size[1] * ratio) ** 0.5
    return max(16, round(wide / 16) * 16), max(16, round(wide / ratio / 16) * 16)


def composed(job: Job, given: Sources, wish: Wish, seed: int) -> Done:
    """Follow an instruction over one picture or several."""
    pictures, done = given.pictures, list[str]()
    size = size_of(job, pictures[-1])
    if len(pictures) == 1:
        base = collage.fit(pictures[0], size, seed)
    elif wish.layout == "like":
        base = collage.matched(collage.fit(pictures[0], size, seed), pictures[1])
        done = ["image 1 in the colours of image 2"]
    elif wish.layout == "into":
        base, done = hosted(job.prompt, pictures, size, seed)
    else:
        base = collage.collage(list(pictures), size, wish.layout, seed)
        how = wish.layout if wish.layout in ("beside", "above") else "in rows"
        done = [f"{len(pictures)} images set {how}"]
    if palette := job.fields.get("color_palette"):
        base = instructed.in_palette(base, [str(entry["hex"]) for entry in palette])
        done.append("drawn towards the palette given")
    if wish.empty and done:
        return base, done
    picture, more = instructed.follow(base, wish, seed)
    return picture, done + more


def hosted(
    prompt: str, pictures: tuple[Image.Image, ...], size: tuple[int, int], seed: int
) -> Done:
    """Set the other pictures into the one that the instruction names, else into the last."""
    named = [NUMBERS.get(n) or int(n) for n in TARGET.findall(prompt.lower())]
    host = next((n - 1 for n in named if n <= len(pictures)), len(pictures) - 1)
    scene = collage.fit(pictures[host], size, seed)
    guests = [picture for k, picture in enumerate(pictures) if k != host]
    for k, guest in enumerate(guests):
        at = (k + 1) / (len(guests) + 1) + (seed % 5 - 2) * 0.04, 0.93
        scene = collage.placed(scene, guest, 0.5 / len(guests) ** 0.4, at)
    return scene, [f"set into image {host + 1}"]
