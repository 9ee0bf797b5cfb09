"""What a caller brings to an edit: pictures, and perhaps a mask."""

from pathlib import Path

from msgspec import Struct
from PIL import Image

from ferrotype.media import File
from ferrotype.ports.engine import Job

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
ROLES = ("base_image_url", "images", "image_url", "sketch_image_url")
MOST = 9


class Sources(Struct, frozen=True):
    """Pictures (RGB) in the caller's order, and a mask (L, white = edit) the size of the first."""

    pictures: tuple[Image.Image, ...]
    mask: Image.Image | None = None


def sources(job: Job) -> Sources | None:
    """Open the job's pictures; None when it brings none to edit."""
    brought = [file for role in ROLES for file in job.inputs.get(role, [])]
    if not brought:
        return None
    pictures = tuple(opened(file) for file in brought[:MOST])
    masks = job.inputs.get("mask_image_url", [])
    if not masks:
        return Sources(pictures)
    mask = opened(masks[0]).convert("L")
    if mask.size != pictures[0].size:
        mask = mask.resize(pictures[0].size, Image.Resampling.NEAREST)
    return Sources(pictures, mask)


def opened(file: File) -> Image.Image:
    """Open one input, which is a file that we wrote."""
    with Image.open(Path(file.path), formats=FORMATS) as picture:
        return picture.convert("RGB")
