"""Opens a stranger's picture and writes it anew as a plain PNG: 8-bit sRGB, upright, no metadata.

Imported before the sandbox closes, so every decoder that may be needed is loaded here.
"""

import copy
import io
import math
import mmap
import warnings
from contextlib import suppress
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageColor,
    ImageOps,
    ImagePalette,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ferrotype.errors import InvalidImageFormat, InvalidImageResolution
from ferrotype.ports.fetcher import FileRule

MAX_PIXELS = 64_000_000  # 8000 x 8000

_DECODERS = {
    "image/bmp": BmpImagePlugin.BmpImageFile,
    "image/gif": GifImagePlugin.GifImageFile,
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": PngImagePlugin.PngImageFile,
    "image/tiff": TiffImagePlugin.TiffImageFile,
    "image/webp": WebPImagePlugin.WebPImageFile,
}
FORMATS = tuple(type.removeprefix("image/") for type in _DECODERS)
# Pillow imports these where it needs them, which would be too late.
_NEEDED_LATER = (copy, mmap, ImageColor, ImagePalette, MpoImagePlugin)
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

Image.preinit()
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 20
PngImagePlugin.MAX_TEXT_MEMORY = 4 << 20


def rewrite(source: BinaryIO, target: BinaryIO, rule: FileRule) -> tuple[int, int, float]:
    """Decode the first frame and write it as PNG; return its width, its height, and no seconds.

    Raises `InvalidImageFormat` or `InvalidImageResolution`.
    """
    try:
        clean = _decode(source, rule)
        clean.save(target, "PNG", compress_level=1)
    except MemoryError:
        raise _wrong_size("it needs too much memory") from None
    return *clean.size, 0.0


def _decode(source: BinaryIO, rule: FileRule) -> Image.Image:
    """Return the first frame as a plain RGB picture. No word of the decoder's own gets out:
    decoders raise what they like, and tell addresses and paths.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=_formats(rule)) as image:
                _check_size(image.size, rule)
                image.load()
                clean = _to_srgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _wrong_size(f"it may have {MAX_PIXELS} pixels at most") from None
    except (InvalidImageResolution, MemoryError):
        raise
    except Exception:
        raise InvalidImageFormat from None
    clean.info.clear()
    return clean


def _formats(rule: FileRule) -> list[str]:
    kinds = (_DECODERS[type] for type in rule.types if type in _DECODERS)
    return [kind.format for kind in kinds if kind.format]


def _check_size(size: tuple[int, int], rule: FileRule) -> None:
    width, height = size
    if min(size) < rule.min_side or max(size) > rule.max_side:
        raise _wrong_size(
            f"each side must be {rule.min_side} to {rule.max_side} pixels, not {width}*{height}"
        )
    if width * height > MAX_PIXELS:
        raise _wrong_size(f"it may have {MAX_PIXELS} pixels at most")
    least, most = rule.min_ratio or 0.0, rule.max_ratio or math.inf
    if not least <= width / height <= most:
        raise _wrong_size(f"its ratio must be {least:g} to {most:g}, not {width / height:.3g}")


def _wrong_size(why: str) -> InvalidImageResolution:
    return InvalidImageResolution(f"The size of the input image is too small or too large: {why}.")


def _to_srgb(image: Image.Image) -> Image.Image:
    """Return a plain RGB picture: colours by the embedded profile, transparency ignored."""
    profile = image.info.get("icc_profile")
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        # 16 bits a pixel: `convert` alone would clip them instead of scaling them.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    if profile:
        # A broken profile, or one for other colours than the picture has, is passed over.
        with suppress(ImageCms.PyCMSError, OSError):
            return _by_profile(image, profile)
    return image.convert("RGB")


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    assert converted is not None
    return converted
