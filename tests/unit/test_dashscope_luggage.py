"""Pictures in a size that an upstream takes."""

import random
from pathlib import Path

from PIL import Image

from ferrotype.engines.dashscope.luggage import MAX_PICTURE, packed
from ferrotype.media import File


def picture(path: Path, small: int, side: int) -> File:
    """Write a picture that looks like nothing, and like a photograph to a PNG's writer."""
    noise = random.Random(1).randbytes(4 * small * small)
    Image.frombytes("RGBA", (small, small), noise).resize((side, side)).save(path, compress_level=1)
    return File(path=str(path), type="image/png", width=side, height=side)


def test_a_photograph_goes_as_a_jpeg(tmp_path: Path) -> None:
    file = picture(tmp_path / "images-0.png", 400, 2200)
    assert Path(file.path).stat().st_size > MAX_PICTURE
    path, type = packed(file)
    assert type == "image/jpeg"
    assert path.suffix == ".jpg"
    assert path.stat().st_size < MAX_PICTURE
    with Image.open(path) as smaller:
        assert (smaller.format, smaller.size) == ("JPEG", (2200, 2200))


def test_what_is_small_goes_as_it_is(tmp_path: Path) -> None:
    file = picture(tmp_path / "images-0.png", 100, 100)
    assert packed(file) == (tmp_path / "images-0.png", "image/png")
    film = File(path=file.path, type="video/mp4")
    assert packed(film) == (tmp_path / "images-0.png", "video/mp4")
