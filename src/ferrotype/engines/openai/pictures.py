"""A picture that the server drew, brought to the size that was asked for."""

import io
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from ferrotype.engines.openai.provenance import facts
from ferrotype.engines.openai.wire import Garbage
from ferrotype.media import Output
from ferrotype.ports.engine import Job
from ferrotype.provenance import TRAINED, plain, save_png

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 64 * 1024 * 1024


def keep(made: bytes, path: Path, job: Job, i: int, size: tuple[int, int], served: str) -> Output:
    """Write the i-th picture as a PNG of exactly that size, which says so where that was a change.

    Raises `Garbage` for what is no picture.
    """
    with _open(made) as given:
        picture = given.convert("RGB")
        changed = ""
        if picture.size != size:
            changed = f"brought from {given.width}x{given.height} to {size[0]}x{size[1]}"
            picture = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    told, system = facts(job, i, served, changed), plain(served or job.model)
    save_png(picture, path, told, source=TRAINED, system=system)
    return Output(path=str(path), type="image/png", width=size[0], height=size[1])


def _open(made: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(made), formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise Garbage(f"the server's picture has {picture.width} x {picture.height} pixels")
        picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Garbage(f"the server's picture cannot be read: {error}") from error
    return picture
