"""The caller's reference picture: its colours for "refonly", itself repainted for "repaint"."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ferrotype.engines.illustrator.styles import restyled


def apply(picture: Image.Image, path: Path, fields: dict[str, Any], seed: int) -> Image.Image:
    """Bring the reference at `path` into the picture, as strongly as `ref_strength` says."""
    with Image.open(path, formats=("PNG", "JPEG", "WEBP", "BMP", "TIFF")) as opened:
        reference = ImageOps.exif_transpose(opened).convert("RGB")
    strength = fields.get("ref_strength")
    power = 0.5 if strength is None else min(1.0, max(0.0, float(strength)))
    if fields.get("ref_mode") == "refonly":
        return regrade(picture, reference, 0.35 + 0.65 * power)
    fitted = ImageOps.fit(reference, picture.size, Image.Resampling.LANCZOS)
    toned = regrade(fitted, picture, 0.55 * (1 - power))
    return restyled(toned, "watercolour", seed)


def regrade(picture: Image.Image, model: Image.Image, power: float) -> Image.Image:
    """Move a picture's colours towards those of another: mean and spread of each channel."""
    sample = np.asarray(model.resize((64, 64)).convert("YCbCr"), np.float32).reshape(-1, 3)
    own = np.asarray(picture.resize((64, 64)).convert("YCbCr"), np.float32).reshape(-1, 3)
    tables: list[int] = []
    for channel in range(3):
        have, want = own[:, channel], sample[:, channel]
        gain = float(np.clip(want.std() / max(4.0, have.std()), 0.55, 1.6))
        levels = np.arange(256)
        moved = (levels - have.mean()) * gain + want.mean()
        tables += np.clip(levels + (moved - levels) * power, 0, 255).astype(int).tolist()
    return picture.convert("YCbCr").point(tables).convert("RGB")
