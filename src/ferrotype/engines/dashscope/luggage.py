"""Input files in a size that an upstream takes."""

from pathlib import Path

from ferrotype.media import File

MAX_PICTURE = 9_500_000  # bytes: most models take 10 MB, and a photograph is far more as a PNG
QUALITIES = (95, 90, 80, 60)


def packed(file: File) -> tuple[Path, str]:
    """Return a file to upload and its type: a picture that is too large as a PNG becomes a JPEG.

    Written beside the file, without its transparency. Blocks for as long as that takes.
    """
    path = Path(file.path)
    if file.type != "image/png" or path.stat().st_size <= MAX_PICTURE:
        return path, file.type
    from PIL import Image  # a tenth of a second, only for large pictures

    smaller = path.with_suffix(".upload.jpg")
    with Image.open(path) as picture:
        flat = picture.convert("RGB")
    for quality in QUALITIES:
        flat.save(smaller, "JPEG", quality=quality, subsampling=0)
        if smaller.stat().st_size <= MAX_PICTURE:
            break
    return smaller, "image/jpeg"
