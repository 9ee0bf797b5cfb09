"""What a file's first bytes tell: its type, and the size of a picture."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ferrotype.media import EXTENSIONS, image_size, png_size, sniff

FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/gif": "GIF",
}


def saved(
    format: str, size: tuple[int, int] = (123, 45), mode: str = "RGB", **options: object
) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("type", FORMATS)
def test_pictures_are_known_by_their_first_bytes(type: str) -> None:
    assert sniff(saved(FORMATS[type])[:32]) == type
    assert type in EXTENSIONS


@pytest.mark.parametrize(
    ("head", "type"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\x04\0\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\0\0\0\x08wide\0\0", "video/quicktime"),
    ],
)
def test_sounds_and_films_are_known_too(head: bytes, type: str) -> None:
    assert sniff(head) == type


@pytest.mark.parametrize(
    "head",
    [
        *(b"", b"<svg xmlns=", b"%!PS-Adobe-3.0 EPSF", b"8BPS\0\1", b"#EXTM3U\n", b"\0" * 32),
        *(b"RIFF\0\0\0\0AVI ", b"\0\0\0\x20ftypavif", b"\0\0\0\x20ftypheic", b"\x1aE\xdf\xa3"),
        *(b"\xff\xfe#\0", b"\xff\xf1\x50\x80", b"\xff\xea\x90\x64"),  # UTF-16, AAC, no MPEG version
    ],
)
def test_other_files_are_not(head: bytes) -> None:
    assert sniff(head) is None


@pytest.mark.parametrize(
    "data",
    [
        saved("PNG"),
        saved("JPEG"),
        saved("JPEG", progressive=True, exif=b"Exif\0\0" + bytes(60_000)),
        saved("WEBP"),
        saved("WEBP", lossless=True),
        saved("WEBP", mode="RGBA"),
        saved("WEBP", exif=b"Exif\0\0" + bytes(100)),
    ],
)
def test_the_size_is_read_from_the_header(data: bytes) -> None:
    assert image_size(io.BytesIO(data)) == (123, 45)
    assert png_size(io.BytesIO(data)) == ((123, 45) if data.startswith(b"\x89PNG") else None)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_cut_off_header_has_no_size(format: str) -> None:
    data = saved(format)
    assert all(image_size(io.BytesIO(data[:end])) is None for end in range(20))


@pytest.mark.parametrize("format", ["BMP", "TIFF", "GIF"])
def test_the_size_of_other_pictures_is_not_read(format: str) -> None:
    assert image_size(io.BytesIO(saved(format))) is None


@settings(deadline=None)
@given(
    st.sampled_from([saved("PNG"), saved("JPEG"), saved("WEBP"), b"\xff\xd8\xff"]),
    st.integers(2, 40),
    st.binary(max_size=200),
)
def test_any_bytes_have_a_size_or_none(start: bytes, keep: int, rest: bytes) -> None:
    size = image_size(io.BytesIO(start[:keep] + rest))
    assert size is None or (len(size) == 2 and min(size) >= 0)
