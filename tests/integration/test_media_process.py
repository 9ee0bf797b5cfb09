"""The media process against files that mean harm, and files that are merely odd."""

import asyncio
import io
import json
import os
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from ferrotype.errors import Broken, InvalidImageFormat, InvalidImageResolution
from ferrotype.fetchers import media_process
from ferrotype.fetchers.media_process import MediaLimits, MediaProcess
from ferrotype.ports.fetcher import FileRule

RULE = FileRule(
    types=("image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff"),
    max_bytes=10 << 20,
    min_side=16,
    max_side=60_000,
)


async def convert(folder: Path, data: bytes, rule: FileRule = RULE) -> Image.Image:
    source, target = folder / "raw", folder / "clean.png"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    file = await MediaProcess().convert(source, folder / "clean", rule)
    assert file.path == str(target)
    assert target.stat().st_mode & 0o777 == 0o600
    with Image.open(target) as image:
        image.load()
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (file.width, file.height))
    assert image.info == {}
    return image


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def colour(image: Image.Image, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    pixel = image.getpixel(at)
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


def near(image: Image.Image, wanted: tuple[int, ...], at: tuple[int, int] = (0, 0)) -> bool:
    return all(abs(a - b) <= 12 for a, b in zip(colour(image, at), wanted, strict=True))


def png(width: int, height: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunk(*one) for one in extra)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


RED = Image.new("RGB", (64, 32), (255, 0, 0))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
async def test_each_format_is_read(tmp_path: Path, format: str) -> None:
    image = await convert(tmp_path, saved(RED, format))
    assert image.size == (64, 32)
    assert near(image, (255, 0, 0))


async def test_transparency_is_ignored(tmp_path: Path) -> None:
    image = await convert(tmp_path, saved(Image.new("RGBA", (64, 64), (255, 0, 0, 128)), "PNG"))
    assert near(image, (255, 0, 0))


async def test_palettes_with_transparency(tmp_path: Path) -> None:
    data = saved(RED.convert("P"), "PNG", transparency=0)
    assert near(await convert(tmp_path, data), (255, 0, 0))


async def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = Image.new("I;16", (64, 64), 0x8000)
    assert near(await convert(tmp_path, saved(deep, "PNG")), (128, 128, 128))
    assert near(await convert(tmp_path, saved(deep, "TIFF")), (128, 128, 128))


async def test_one_bit_and_grey(tmp_path: Path) -> None:
    assert near(await convert(tmp_path, saved(Image.new("1", (64, 64), 1), "PNG")), (255,) * 3)
    assert near(await convert(tmp_path, saved(Image.new("L", (64, 64), 77), "PNG")), (77,) * 3)
    grey = saved(Image.new("LA", (64, 64), (77, 3)), "PNG")
    assert near(await convert(tmp_path, grey), (77,) * 3)


async def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    data = saved(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG")
    assert near(await convert(tmp_path, data), (255, 0, 0))


async def test_colours_are_moved_to_srgb(tmp_path: Path) -> None:
    """In a Lab profile's numbers, (128, 128, 128) in Lab mode is a mid grey with no tint."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    lab = Image.new("LAB", (64, 64), (128, 128, 128))
    image = await convert(tmp_path, saved(lab, "TIFF", icc_profile=profile))
    red, green, blue = colour(image)
    assert max(red, green, blue) - min(red, green, blue) <= 6
    assert 100 <= red <= 135


@pytest.mark.parametrize("profile", [b"", b"nonsense", b"\0" * 4096])
async def test_a_broken_profile_is_passed_over(tmp_path: Path, profile: bytes) -> None:
    assert near(await convert(tmp_path, saved(RED, "PNG", icc_profile=profile)), (255, 0, 0))


async def test_a_turned_camera_is_turned_back_and_says_no_place(tmp_path: Path) -> None:
    picture = RED.copy()
    picture.paste((0, 0, 255), (0, 0, 32, 32))  # blue on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise
    exif[0x010E] = "a secret"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 0.0)
    image = await convert(tmp_path, saved(picture, "JPEG", exif=exif, quality=95))
    assert image.size == (32, 64)
    assert near(image, (0, 0, 255), (16, 5))
    assert near(image, (255, 0, 0), (16, 60))
    clean = (tmp_path / "clean.png").read_bytes()
    assert b"secret" not in clean
    assert b"eXIf" not in clean


async def test_text_in_the_file_is_dropped(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a secret")
    await convert(tmp_path, saved(RED, "PNG", pnginfo=text))
    assert b"secret" not in (tmp_path / "clean.png").read_bytes()


async def test_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), (0, shade, 0)) for shade in range(255)]
    data = saved(RED.resize((64, 64)), "WEBP", save_all=True, append_images=frames, lossless=True)
    assert near(await convert(tmp_path, data), (255, 0, 0))


async def test_a_flood_of_frames_costs_one(tmp_path: Path) -> None:
    frames = [Image.new("P", (2000, 2000)) for _ in range(30)]
    for i, frame in enumerate(frames):
        frame.putpixel((i, i), 1)
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], optimize=False)
    rule = FileRule(types=("image/gif",), max_bytes=1 << 20)
    assert (await convert(tmp_path, data, rule)).size == (2000, 2000)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n"
HLS = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
WHOLE = saved(Image.effect_noise((256, 256), 90), "PNG")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        EPS,
        HLS,
        SVG,
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + HLS,
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:40],
        saved(Image.effect_noise((256, 256), 90), "JPEG")[:9000],
        saved(Image.effect_noise((256, 256), 90), "WEBP")[:9000],
        saved(RED, "GIF"),
        saved(RED, "PPM"),
        saved(RED, "ICO"),
        saved(RED, "PDF"),
        saved(RED, "JPEG2000"),
        saved(RED, "AVIF"),
        Random(7).randbytes(100_000),
        png(64, 64, bytes(65 * 64))[:-30] + Random(7).randbytes(30),
        png(64, 64, bytes(65 * 64), (b"zTXt", b"a\0\0" + zlib.compress(bytes(200 << 20)))),
    ],
    ids=lambda data: data[:12].hex(),
)
async def test_what_is_no_picture_of_the_rule(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidImageFormat) as refused:
        await convert(tmp_path, data)
    assert refused.value.message.startswith("The format of the input image is invalid")
    assert not (tmp_path / "clean.png").exists()


@pytest.mark.parametrize("size", [(60_000, 60_000), (12_000, 12_000), (8001, 8000)])
async def test_bombs_are_not_lit(tmp_path: Path, size: tuple[int, int]) -> None:
    rows = bytes(1 << 20)  # what follows is never asked for
    with pytest.raises(InvalidImageResolution, match="64000000 pixels at most"):
        await convert(tmp_path, png(*size, rows))


@pytest.mark.parametrize("size", [(15, 100), (100, 15), (101, 50), (50, 101)])
async def test_sides_are_the_rules(tmp_path: Path, size: tuple[int, int]) -> None:
    rule = FileRule(types=("image/png",), max_bytes=1 << 20, min_side=16, max_side=100)
    with pytest.raises(InvalidImageResolution, match="each side must be 16 to 100 pixels"):
        await convert(tmp_path, saved(Image.new("RGB", size), "PNG"), rule)


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "I;16"])
async def test_the_largest_picture_fits_into_the_limits(tmp_path: Path, mode: str) -> None:
    size = (8000, 8000)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.new(mode, size, 0), "JPEG" if mode == "CMYK" else "PNG", exif=exif)
    assert (await convert(tmp_path, data)).size == (8000, 8000)


async def test_memory_is_limited(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(png(6000, 6000, bytes(6001 * 6000)))
    process = MediaProcess(MediaLimits(memory=200 << 20))
    with pytest.raises((InvalidImageResolution, InvalidImageFormat)):
        await process.convert(tmp_path / "raw", tmp_path / "clean", RULE)
    assert not (tmp_path / "clean.png").exists()


async def test_the_written_file_is_limited(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(saved(Image.effect_noise((512, 512), 90), "PNG"))
    with pytest.raises(Broken):
        await MediaProcess(MediaLimits(file=1000)).convert(
            tmp_path / "raw", tmp_path / "clean", RULE
        )
    assert not (tmp_path / "clean.png").exists()


def children() -> set[str]:
    """The processes that this one started and that have not been waited for."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


async def test_who_takes_too_long_is_killed(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(WHOLE)
    before = children()
    with pytest.raises(InvalidImageFormat, match="in time"):
        await MediaProcess(MediaLimits(seconds=0.01)).convert(  # it takes longer to begin
            tmp_path / "raw", tmp_path / "clean", RULE
        )
    assert children() == before


async def test_who_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(WHOLE)
    before = children()
    work = asyncio.create_task(MediaProcess().convert(tmp_path / "raw", tmp_path / "clean", RULE))
    while children() == before:
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert children() == before


@pytest.mark.parametrize("make", ["link", "fifo"])
async def test_only_plain_files_are_opened(tmp_path: Path, make: str) -> None:
    if make == "fifo":
        os.mkfifo(tmp_path / "raw")
    else:
        (tmp_path / "real").write_bytes(WHOLE)
        (tmp_path / "raw").symlink_to(tmp_path / "real")
    with pytest.raises(Broken):
        await MediaProcess().convert(tmp_path / "raw", tmp_path / "clean", RULE)


async def test_this_machine_guards_its_media_processes() -> None:
    guard, reads = await MediaProcess().ability()
    assert guard in ("unshare", "seccomp")
    assert {"png", "jpeg", "webp", "h264", "hevc", "vp9", "libdav1d", "aac", "mp3float"} <= {*reads}


async def test_without_a_guard_nothing_is_opened(tmp_path: Path) -> None:
    """Where the kernel grants neither, the process says so and reads nothing."""
    script = (
        "import sys; from ferrotype.media_host import sandbox, __main__\n"
        "sandbox.leave_network = sandbox.close_doors = lambda: False\n"
        "sys.exit(__main__.main())"
    )
    (tmp_path / "raw").write_bytes(WHOLE)
    request = {
        "source": str(tmp_path / "raw"),
        "target": str(tmp_path / "clean.png"),
        "rule": {"types": ["image/png"], "max_bytes": 1000},
        "type": "image/png",
        "memory": 1 << 30,
        "cpu": 10,
        "file": 1 << 20,
    }
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(request).encode(), capture_output=True
    )
    assert json.loads(done.stdout)["guard"] is None
    assert (tmp_path / "clean.png").stat().st_size == 0


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b'{"guard": "none"}', b"\xff" * 9])
def test_what_is_no_answer_breaks_one_attempt_at_most(answer: bytes) -> None:
    with pytest.raises(Broken):
        media_process._understood(RULE, 0, answer, b"")


PROBE = """
import json, os, socket, sys
from ferrotype.media_host import sandbox
held = socket.socket()
said = []
granted = sandbox.{guard}()

def attempt(name, act):
    try:
        act()
        said.append(name)
    except OSError:
        pass

attempt("new socket", lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2))
attempt("held socket", lambda: held.connect(("127.0.0.1", int(sys.argv[1]))))
attempt("abstract socket", lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[2]))
attempt("read a file", lambda: os.open("/etc/passwd", os.O_RDONLY))
attempt("make a file", lambda: os.mkdir(sys.argv[3]))
attempt("run a program", lambda: os.execv("/bin/true", ["true"]) if os.fork() == 0 else os.wait())
attempt("signal", lambda: os.kill(os.getppid(), 0))
print(json.dumps([granted, said]))
"""


@pytest.mark.parametrize(
    ("guard", "left"),
    [
        (
            "leave_network",
            {"held socket", "read a file", "make a file", "run a program", "signal"},
        ),
        ("close_doors", set()),
    ],
)
def test_the_guards_hold(tmp_path: Path, guard: str, left: set[str]) -> None:
    """Listeners on this machine are there, and out of reach of a guarded process.

    (A network of one's own does not take away a socket opened before; the child has none.)
    """
    abstract = f"\0ferrotype-test-{os.getpid()}"
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as local:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        local.bind(abstract)
        local.listen()
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        done = subprocess.run(
            [
                *(sys.executable, "-c", PROBE.format(guard=guard)),
                *(str(port), "@", str(tmp_path / "made")),
            ],
            capture_output=True,
            text=True,
        )
    granted, said = json.loads(done.stdout)
    if not granted:
        pytest.skip("the kernel does not grant it here")
    assert set(said) == left
