"""The media process against films and sounds that mean harm, and such that are merely odd."""

import io
import re
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from bench import clips
from msgspec.structs import replace
from PIL import Image

from ferrotype.errors import (
    InvalidFile,
    InvalidFileAspectRatio,
    InvalidFileDuration,
    InvalidFileFormat,
    InvalidFileFPS,
    InvalidFileResolution,
    Refused,
)
from ferrotype.fetchers.media_process import MediaLimits, MediaProcess
from ferrotype.media import File
from ferrotype.media_host import films, sounds
from ferrotype.media_host.containers import MAX_STREAMS, opened
from ferrotype.ports.fetcher import FileRule

RULE = FileRule(
    types=("video/mp4", "video/quicktime", "audio/wav", "audio/mpeg"),
    max_bytes=100 << 20,
    min_side=16,
    max_side=8192,
    max_seconds=10,
)
PLAIN = clips.film(0.5, (64, 48), voice="aac")
TELLTALE = re.compile(r"/|0x|Errno|Traceback|lib|av\.|\[", re.IGNORECASE)


async def convert(
    folder: Path, data: bytes, rule: FileRule = RULE, limits: MediaLimits | None = None
) -> File:
    source = folder / "raw"
    source.write_bytes(data)
    for old in folder.glob("clean*"):
        old.unlink()
    file = await MediaProcess(limits).convert(source, folder / "clean", rule)
    assert file.bytes == Path(file.path).stat().st_size > 0
    return file


async def refused(
    folder: Path,
    data: bytes,
    error: type[Refused] = InvalidFile,
    rule: FileRule = RULE,
    limits: MediaLimits | None = None,
) -> str:
    """Return what a refusal says; it leaves no file, and tells nothing of this machine."""
    with pytest.raises(error) as refusal:
        await convert(folder, data, rule, limits)
    assert list(folder.glob("clean*")) == []
    assert not TELLTALE.search(refusal.value.message)
    return refusal.value.message


def look(file: File) -> tuple[int, int, list[str], tuple[int, ...], tuple[int, ...]]:
    """Return frames, rate, codecs, and the colours of two corners: upper left, lower right."""
    with av.open(file.path, format="mp4") as film:
        assert film.metadata.keys() <= {"major_brand", "minor_version", "compatible_brands"} | {
            "encoder"
        }
        stream = film.streams.video[0]
        frames = list(film.decode(stream))
        assert (stream.width, stream.height) == (file.width, file.height)
        pixels = frames[0].to_ndarray(format="rgb24")
        corners = [tuple(int(value) for value in pixels[at, at]) for at in (4, -4)]
        codecs = [one.codec_context.name for one in film.streams]
        assert stream.average_rate == films.FPS
        return len(frames), films.FPS, codecs, corners[0], corners[1]


def is_red(colour: tuple[int, ...]) -> bool:
    return colour[0] > 180 and colour[2] < 60


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "libvpx-vp9", "libsvtav1"])
async def test_each_codec_is_read(tmp_path: Path, codec: str) -> None:
    file = await convert(tmp_path, clips.film(0.5, (96, 64), codec=codec))
    assert (file.type, file.width, file.height, file.seconds) == ("video/mp4", 96, 64, 0.5)
    frames, _, codecs, left, right = look(file)
    assert (frames, codecs) == (15, ["h264"])
    assert is_red(left)
    assert not is_red(right)


async def test_sound_comes_along(tmp_path: Path) -> None:
    for format, voice in (("mp4", "aac"), ("mp4", "libmp3lame"), ("mov", "pcm_s16le")):
        file = await convert(tmp_path, clips.film(0.5, (64, 48), format=format, voice=voice))
        assert look(file)[2] == ["h264", "aac"]
        with av.open(file.path) as film:
            heard = sum(frame.samples for frame in film.decode(audio=0))
        assert abs(heard / clips.RATE - 0.5) < 0.1


@pytest.mark.parametrize(("rotation", "size"), [(90, (48, 64)), (180, (64, 48)), (270, (48, 64))])
async def test_a_turned_camera_is_turned_back(
    tmp_path: Path, rotation: int, size: tuple[int, int]
) -> None:
    file = await convert(tmp_path, clips.film(0.2, (64, 48), rotation=rotation))
    assert (file.width, file.height) == size
    left = look(file)[3]
    assert is_red(left) is (rotation == 90)
    tall = replace(RULE, max_ratio=1.0)
    if rotation != 180:
        await convert(tmp_path, clips.film(0.2, (64, 48), rotation=rotation), tall)
    else:
        await refused(tmp_path, clips.film(0.2, (64, 48)), InvalidFileAspectRatio, tall)


async def test_slow_and_quick_films_get_our_rate(tmp_path: Path) -> None:
    for fps in (5, 60):
        file = await convert(tmp_path, clips.film(1, (64, 48), fps=fps))
        assert (file.seconds, look(file)[0]) == (1.0, 30)


async def test_large_films_are_made_smaller(tmp_path: Path) -> None:
    file = await convert(tmp_path, clips.film(0.1, (2560, 1440), options={"preset": "ultrafast"}))
    assert (file.width, file.height) == (1920, 1080)


async def test_odd_sides_become_even(tmp_path: Path) -> None:
    data = clips.film(0.2, (98, 66), rotation=90)
    file = await convert(tmp_path, data)
    assert (file.width % 2, file.height % 2) == (0, 0)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"min_seconds": 2.0}, InvalidFileDuration),
        ({"max_seconds": 0.2}, InvalidFileDuration),
        ({"min_side": 50}, InvalidFileResolution),
        ({"max_side": 60}, InvalidFileResolution),
        ({"min_ratio": 1.5}, InvalidFileAspectRatio),
        ({"max_ratio": 1.2}, InvalidFileAspectRatio),
    ],
)
async def test_a_film_is_held_against_the_rule(
    tmp_path: Path, change: dict[str, float], error: type[Refused]
) -> None:
    await refused(tmp_path, PLAIN, error, replace(RULE, **change))


async def test_sounds_become_wav(tmp_path: Path) -> None:
    good = (
        (clips.sound(1.0), 1.0),
        (clips.pcm(1.0), 1.0),
        (clips.pcm(0.7, rate=8000, channels=1, width=1), 0.7),
        (clips.sound(1.0, codec="pcm_f32le", format="wav"), 1.0),
        (clips.sound(1.0, codec="pcm_s24le", format="wav"), 1.0),
    )
    for data, seconds in good:
        file = await convert(tmp_path, data)
        assert (file.type, file.width, file.height) == ("audio/wav", 0, 0)
        assert abs(file.seconds - seconds) < (0.03 if seconds == 1.0 else 0.0005)
        head = Path(file.path).read_bytes()[:44]
        assert struct.unpack("<HHI", head[20:28]) == (1, 2, 48_000)
        assert file.bytes == 44 + round(file.seconds * 48_000) * 4


async def test_a_sound_is_held_against_the_rule(tmp_path: Path) -> None:
    for data in (clips.pcm(1.0), clips.sound(1.0)):
        for change in ({"min_seconds": 2.0}, {"max_seconds": 0.5}):
            await refused(tmp_path, data, InvalidFileDuration, replace(RULE, **change))
    await refused(tmp_path, clips.pcm(0), InvalidFile)


async def test_words_and_places_are_dropped(tmp_path: Path) -> None:
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(PLAIN), "r") as film,
        av.open(file, "w", format="mp4", options={"movflags": "use_metadata_tags"}) as out,
    ):
        out.metadata.update({"title": "a secret", "location": "+48.0+008.0/"})
        stream = out.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert b"a secret" in file.getvalue()
    clean = Path((await convert(tmp_path, file.getvalue())).path).read_bytes()
    assert b"secret" not in clean
    assert b"+48" not in clean


HLS = b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
FTYP = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"mp42")


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


@pytest.mark.parametrize(
    "data",
    [
        HLS,
        FTYP + HLS,
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        FTYP,
        FTYP + box(b"moov", b""),
        clips.film(0.2, (64, 48), format="matroska"),
        clips.film(0.2, (64, 48), codec="mpeg4", format="avi"),
        clips.film(0.2, (64, 48), format="mpegts"),
        clips.film(0.2, (64, 48), format="flv"),
        clips.film(0.2, (64, 48), codec="mjpeg", format="mov"),
        clips.sound(0.2, codec="flac", format="flac"),
        clips.sound(0.2, codec="adpcm_ms", format="wav"),
        FTYP.replace(b"isom", b"avif") + b"\0" * 64,
        FTYP.replace(b"isom", b"heic") + b"\0" * 64,
        b"RIFF\xff\xff\xff\xffWAVE",
        b"RIFF\xff\xff\xff\xffWAVE" + HLS,
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
        b"ID3\x04\0\0\0\0\0\0" + HLS,
        b"\xff\xfb\x90\x44",
        b"\xff\xfe#\0E\0X\0T\0M\0" * 50,  # text in UTF-16, which begins as MPEG does
    ],
    ids=lambda data: data[:16].hex(),
)
async def test_what_is_neither_film_nor_sound_of_the_rule(tmp_path: Path, data: bytes) -> None:
    await refused(tmp_path, data, InvalidFileFormat)


async def test_cut_off_files_are_shorter_or_refused(tmp_path: Path) -> None:
    moov = PLAIN.index(b"moov")
    for end in (40, len(PLAIN) // 2, moov + 4, moov + 300):
        await refused(tmp_path, PLAIN[:end])
    half = await convert(tmp_path, clips.sound(1.0)[:8000])
    assert 0 < half.seconds < 0.7


def resized(data: bytes, within: tuple[bytes, ...], at: int, old: int, new: bytes) -> bytes:
    """Put bytes in the place of others, and right the lengths of the boxes around them."""
    for name in within:
        start = data.rindex(name, 0, at) - 4
        size = int.from_bytes(data[start : start + 4], "big") + len(new) - old
        data = data[:start] + struct.pack(">I", size) + data[start + 4 :]
    return data[:at] + new + data[at + old :]


def elsewhere(film: bytes, path: Path) -> bytes:
    """Have the film's header say that its pictures lie in another file (a Macintosh alias)."""
    name = str(path).encode()
    absolute = struct.pack(">HH", 2, len(name) + len(name) % 2) + name + b"\0" * (len(name) % 2)
    record = bytes(10) + b"\0" + bytes(27 + 12) + b"\0" + bytes(63 + 16)
    record += bytes(4 + 16) + absolute + struct.pack(">hH", -1, 0)
    entry = struct.pack(">I4sI", len(record) + 12, b"alis", 0) + record
    at = film.index(b"url ", film.index(b"dref")) - 4
    return resized(film, (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"), at, 12, entry)


def test_no_second_file_is_opened(tmp_path: Path) -> None:
    """Without the sandbox even: the film's frames are in another file, and are not found."""
    film = clips.film(0.2, (64, 48))
    other, own = tmp_path / "other", film.index(b"mdat") + 4
    other.write_bytes(film)
    moov = film.index(b"moov") - 4
    hollow = elsewhere(film[:own] + bytes(moov - own) + film[moov:], other)
    with av.open(
        io.BytesIO(hollow), "r", options={"enable_drefs": "1", "use_absolute_path": "1"}
    ) as led:
        assert len(list(led.decode(video=0))) > 0  # so the reference is one that FFmpeg can follow
    with (tmp_path / "clean").open("w+b") as clean, pytest.raises(InvalidFileFormat):
        films.rewrite(io.BytesIO(hollow), clean, RULE)


def test_only_decoders_that_are_named_are_ever_started() -> None:
    """FFmpeg decodes a little of a file to tell what it is, before we are asked."""
    data = clips.film(0.2, (64, 48), codec="mjpeg", format="mov")
    for codecs, format in (({"mjpeg"}, "yuvj420p"), (films.CODECS, None)):
        with opened(io.BytesIO(data), "mov", codecs) as film:
            assert film.streams.video[0].codec_context.pix_fmt == format


def test_many_streams_are_not_made(tmp_path: Path) -> None:
    trak = PLAIN[(at := PLAIN.index(b"trak") - 4) : at + struct.unpack_from(">I", PLAIN, at)[0]]
    crowd = resized(PLAIN, (b"moov",), at, 0, trak * 100)
    made = [0]
    with suppress(InvalidFile), opened(io.BytesIO(crowd), "mov", films.CODECS) as film:
        made.append(len(film.streams))
    assert max(made) <= MAX_STREAMS


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (InvalidFileDuration("x"), InvalidFileDuration),
        (MemoryError(), InvalidFileResolution),
        (av.error.PermissionError(13, "open /etc/passwd"), InvalidFileFormat),
        (av.error.InvalidDataError(1, "at 0x7f0012345678"), InvalidFileFormat),
        (AttributeError("None"), InvalidFileFormat),
        (OSError(28, "No space left on device"), OSError),
    ],
)
def test_whose_fault_it_is(error: Exception, becomes: type[Exception]) -> None:
    """A full disk is ours; all else that goes wrong with a file is the file's."""
    with pytest.raises(becomes) as raised, opened(io.BytesIO(PLAIN), "mov", films.CODECS):
        raise error
    assert type(raised.value) is becomes
    assert becomes is OSError or "0x" not in str(raised.value)


def stretch(name: bytes, offset: int, value: int) -> Callable[[bytes], bytes]:
    """Return what puts a number at an offset behind a box's name."""

    def work(data: bytes) -> bytes:
        at = data.index(name) + offset
        return data[:at] + struct.pack(">I", value) + data[at + 4 :]

    return work


@pytest.mark.parametrize(
    "damage",
    [
        stretch(b"stts", 8, 0x7FFF_FFFF),
        stretch(b"stsz", 12, 0x7FFF_FFFF),
        stretch(b"stsc", 8, 0xFFFF_FFFF),
        stretch(b"stco", 8, 0x0FFF_FFFF),
        stretch(b"stsd", 8, 0xFFFF_FFFF),
        stretch(b"moov", -4, 0xFFFF_FFFF),
        stretch(b"trak", -4, 1),
        stretch(b"mdat", -4, 0),
        lambda data: data + box(b"moov", box(b"cmov", box(b"dcom", b"zlib") + b"\xff" * 64)),
        lambda data: FTYP + struct.pack(">I4s", 1 << 20, b"moov") * 20_000,
        lambda data: data.replace(b"mdhd", b"free"),
        lambda data: data.replace(b"avcC", b"free"),
    ],
    ids=str,
)
async def test_headers_that_lie_end_soon(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """They are refused, or read as far as they are true; nothing else breaks."""
    try:
        file = await convert(tmp_path, damage(PLAIN), limits=MediaLimits(film_seconds=15))
    except InvalidFile as refusal:
        assert "in time" not in refusal.message
    else:
        assert (file.width, file.height) == (64, 48)
        assert file.seconds <= 1


async def test_a_clock_that_jumps_is_no_bomb(tmp_path: Path) -> None:
    """A few frames, each to be shown for two days, make no film of days."""
    at = PLAIN.index(b"stts") + 16
    data = PLAIN[:at] + struct.pack(">I", 0x7FFF_0000) + PLAIN[at + 4 :]
    assert (await convert(tmp_path, data)).seconds < 1  # a list says what of it is shown
    await refused(tmp_path, data.replace(b"edts", b"free"), InvalidFileDuration)


async def test_a_flood_of_frames_is_cut_off(tmp_path: Path) -> None:
    rule = replace(RULE, max_seconds=1)
    await refused(tmp_path, clips.film(1, (16, 16), fps=400), InvalidFileFPS, rule)


async def test_a_frame_that_is_too_large_is_refused(tmp_path: Path) -> None:
    data = clips.film(0.05, (4160, 4096), options={"preset": "ultrafast"})
    assert "4160*4096" in await refused(tmp_path, data, InvalidFileResolution)


async def test_memory_is_limited(tmp_path: Path) -> None:
    data = clips.film(0.2, (3840, 2160), options={"preset": "ultrafast"})
    limits = MediaLimits(memory=320 << 20)
    assert (await convert(tmp_path, PLAIN, limits=limits)).seconds == 0.5
    await refused(tmp_path, data, limits=limits)


async def test_who_takes_too_long_is_ended(tmp_path: Path) -> None:
    data = clips.film(2, (640, 480))
    said = await refused(tmp_path, data, limits=MediaLimits(film_seconds=0.02))
    assert "in time" in said


async def test_noise_does_not_outgrow_the_limit_of_a_file(tmp_path: Path) -> None:
    noise = Image.effect_noise((1280, 720), 120).convert("RGB")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "16"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for i in range(30):
            turned = noise.transpose(Image.Transpose(i % 2)).rotate(180 * (i // 2 % 2))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(turned), format="rgb24")))
        out.mux(stream.encode())
    assert len(file.getvalue()) > 8 << 20
    clean = await convert(tmp_path, file.getvalue())
    assert clean.seconds == 1.0
    assert clean.bytes < 7 << 20  # 25 Mbit, and as much again in the buffer


async def test_covers_are_not_looked_at(tmp_path: Path) -> None:
    """An MP3 may carry a picture: this one would be a bomb."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
    )
    body = b"\0image/png\0\3\0" + bomb
    frame = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    file = await convert(tmp_path, b"ID3\3\0\0" + size + frame + clips.sound(0.5))
    assert abs(file.seconds - 0.5) < 0.05


@pytest.mark.parametrize("rate", [1, 100, 3_999, 384_001])
async def test_odd_rates_of_a_sound_are_refused(tmp_path: Path, rate: int) -> None:
    data = clips.pcm(5.0, rate=rate, channels=1, width=1)
    await refused(tmp_path, data, InvalidFileFormat)


@pytest.mark.parametrize("rate", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
async def test_impossible_rates_of_a_sound_are_refused(tmp_path: Path, rate: int) -> None:
    data = clips.pcm(2.0)
    await refused(tmp_path, data[:24] + struct.pack("<I", rate) + data[28:])


@pytest.mark.parametrize("channels", [0, 16, 255, 65535])
async def test_odd_numbers_of_channels_are_refused(tmp_path: Path, channels: int) -> None:
    data = clips.pcm(0.5, channels=16)
    blocks = struct.pack("<H", channels * 2 & 0xFFFF)
    data = data[:22] + struct.pack("<H", channels) + data[24:32] + blocks + data[34:]
    await refused(tmp_path, data)


def test_a_sound_without_end_is_cut_off() -> None:
    data = clips.pcm(30.0, rate=8000, channels=1, width=1)
    lying = data[:40] + b"\xff\xff\xff\xff" + data[44:]
    target = io.BytesIO()
    with pytest.raises(InvalidFileDuration):
        sounds.reader("audio/wav")(io.BytesIO(lying), target, replace(RULE, max_seconds=1))
    assert len(target.getvalue()) < 3 * 4 * sounds.RATE
