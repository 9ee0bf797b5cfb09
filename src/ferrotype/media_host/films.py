"""Opens a stranger's film and writes it anew: H.264 at 30 frames a second, upright, with its sound.

The file is read through the descriptor that was opened for us, by the one demuxer that its first
bytes name: no playlist, no second file, no address is ever followed.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ferrotype.errors import (
    InvalidFileAspectRatio,
    InvalidFileDuration,
    InvalidFileFormat,
    InvalidFileFPS,
    InvalidFileResolution,
)
from ferrotype.media_host.containers import MAX_PIXELS, limit, opened
from ferrotype.media_host.sounds import CODECS as VOICES
from ferrotype.media_host.sounds import RATE, can_be_heard, check_seconds, pieces
from ferrotype.ports.fetcher import FileRule

FPS = 30
LONGEST = 60.0  # seconds, where the model names no end
MAX_RATE = 130  # frames a second: some cameras make 120
MAX_SIDE = 1920  # pixels of the film that we write: no engine needs more of a reference
CODECS = frozenset({"h264", "hevc", "mpeg4", "vp9", "libdav1d"})
# At most 25 Mbit/s, so that the longest film stays below the limit of a file.
ENCODER = {
    "preset": "ultrafast",
    "crf": "20",
    "x264-params": "threads=1:lookahead-threads=1:sync-lookahead=0:"
    "vbv-maxrate=25000:vbv-bufsize=25000",
}


def rewrite(source: BinaryIO, target: BinaryIO, rule: FileRule) -> tuple[int, int, float]:
    """Decode the film and write it as MP4; return width, height and seconds of what was written.

    Raises an `InvalidFile`.
    """
    with opened(source, "mov", CODECS | VOICES) as film:
        stream = _pictures(film)
        _check_header(film, stream, rule)
        with av.open(target, "w", format="mp4") as out:
            return _copy(film, stream, out, rule)


def _pictures(film: InputContainer) -> VideoStream:
    """Return the stream of the film itself. Covers and thumbnails are streams too."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in film.streams.video:
        if not stream.disposition & covers:
            break
    else:
        raise InvalidFileFormat("The format of the input file is invalid: it has no pictures.")
    if stream.codec_context is None or stream.codec_context.name not in CODECS:
        raise InvalidFileFormat("The format of the input file is invalid: its codec is not read.")
    return stream


def _check_header(film: InputContainer, stream: VideoStream, rule: FileRule) -> None:
    """Refuse by what the header says, before the first frame is asked for."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if max(width, height) > rule.max_side or width * height > MAX_PIXELS:
        raise _wrong_sides(width, height, rule)
    if film.duration:
        check_seconds(film.duration / av.time_base, rule)


def _check_sides(width: int, height: int, rule: FileRule) -> None:
    """Hold the sides of an upright frame against the rule."""
    if min(width, height) < rule.min_side or max(width, height) > rule.max_side:
        raise _wrong_sides(width, height, rule)
    least, most = rule.min_ratio or 0.0, rule.max_ratio or math.inf
    if not least <= width / height <= most:
        raise InvalidFileAspectRatio(
            "The aspect ratio of the input file is invalid: it must be "
            f"{least:g} to {most:g}, not {width / height:.3g}."
        )


def _wrong_sides(width: int, height: int, rule: FileRule) -> InvalidFileResolution:
    return InvalidFileResolution(
        "The resolution of the input file is invalid: each side must be "
        f"{rule.min_side} to {rule.max_side} pixels, not {width}*{height}."
    )


def _copy(
    film: InputContainer, source: VideoStream, out: OutputContainer, rule: FileRule
) -> tuple[int, int, float]:
    longest = rule.max_seconds or LONGEST
    frames = _frames(film, source, longest)
    first = next(frames, None)
    if first is None:
        raise InvalidFileFormat
    _check_sides(*_upright(first), rule)
    width, height = _fit(*_upright(first))
    stream = out.add_stream("libx264", rate=FPS, options=ENCODER)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.thread_count = 1
    voice = out.add_stream("aac", rate=RATE, layout="stereo") if can_be_heard(film) else None
    if voice:
        voice.codec_context.thread_count = 1
    count, shown = 0, _plain(first, width, height)
    start = _time(first)
    for frame in frames:
        until = round((_time(frame) - start) * FPS)
        if until > (longest + 1) * FPS:
            raise InvalidFileDuration
        while count < until:
            count = _write(out, stream, shown, count)
        if until == count:
            shown = _plain(frame, width, height)
    # The last picture is shown for as long as the header says, else for one frame.
    until = round(float((source.duration or 0) * (source.time_base or 0)) * FPS) or count + 1
    while count < max(1, min(until, round((longest + 1) * FPS))):
        count = _write(out, stream, shown, count)
    out.mux(stream.encode())
    check_seconds(count / FPS, rule)
    if voice:
        _copy_sound(film, out, voice, count / FPS)
    return width, height, count / FPS


def _frames(film: InputContainer, stream: VideoStream, longest: float) -> Iterator[VideoFrame]:
    """Yield the frames whose time is known and later than that of the last one."""
    limit(stream)
    last = -math.inf
    for number, frame in enumerate(film.decode(stream)):
        if number > (longest + 1) * MAX_RATE:
            raise InvalidFileFPS
        if frame.time is not None and frame.time > last:
            last = frame.time
            yield frame


def _time(frame: VideoFrame) -> float:
    assert frame.time is not None
    return float(frame.time)


def _upright(frame: VideoFrame) -> tuple[int, int]:
    sides = frame.width, frame.height
    return sides[::-1] if _turns(frame) % 2 else sides


def _fit(width: int, height: int) -> tuple[int, int]:
    """Return the even sides, of at most `MAX_SIDE`, that a frame gets."""
    scale = min(1.0, MAX_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _turns(frame: VideoFrame) -> int:
    """Return by how many quarters a frame must be turned to the left to stand upright."""
    return round(frame.rotation / 90) % 4


def _plain(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Return a frame as ours: upright, of our size, without what else it carried."""
    turns = _turns(frame)
    if turns:
        sides = (height, width) if turns % 2 else (width, height)
        small = frame.reformat(*sides, format="rgb24", threads=1)
        upright = np.rot90(np.asarray(small.to_ndarray(), np.uint8), turns)
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(upright), format="rgb24")
    return frame.reformat(width=width, height=height, format="yuv420p", threads=1)


def _write(out: OutputContainer, stream: VideoStream, frame: VideoFrame, count: int) -> int:
    frame.pts, frame.time_base = count, Fraction(1, FPS)
    frame.pict_type = 0
    out.mux(stream.encode(frame))
    return count + 1


def _copy_sound(
    film: InputContainer, out: OutputContainer, voice: "av.AudioStream", seconds: float
) -> None:
    """Copy as much sound as there are pictures."""
    film.seek(0)
    written = 0
    for piece in pieces(film, "fltp"):
        if written >= seconds * RATE:
            break
        piece.pts, piece.time_base = written, Fraction(1, RATE)
        written += piece.samples
        out.mux(voice.encode(piece))
    out.mux(voice.encode())
