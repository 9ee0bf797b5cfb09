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
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame

from ferrotype.errors import (
    InvalidFile,
    InvalidFileAspectRatio,
    InvalidFileDuration,
    InvalidFileFormat,
    InvalidFileResolution,
)
from ferrotype.media_host.sounds import CODECS as VOICES
from ferrotype.media_host.sounds import RATE, check_seconds
from ferrotype.ports.fetcher import FileRule

FPS = 30
LONGEST = 60.0  # seconds, where the model names no end
MAX_RATE = 130  # frames a second: some cameras make 120
MAX_SIDE = 1920  # pixels of the film that we write: no engine needs more of a reference
CODECS = frozenset({"h264", "hevc", "mpeg4", "vp9", "mjpeg"})
ONE_THREAD = {
    "preset": "ultrafast",
    "crf": "20",
    "x264-params": "threads=1:lookahead-threads=1:sync-lookahead=0",
}


def rewrite(source: BinaryIO, target: BinaryIO, rule: FileRule) -> tuple[int, int, float]:
    """Decode the film and write it as MP4; return width, height and seconds of what was written.

    Raises an `InvalidFile`.
    """
    try:
        with av.open(source, "r", format="mov", metadata_errors="ignore") as film:
            _check(film, rule)
            with av.open(target, "w", format="mp4") as out:
                return _copy(film, out, rule)
    except (InvalidFile, MemoryError):
        raise
    except Exception:  # no word of the decoder's own gets out
        raise InvalidFileFormat from None


def _check(film: InputContainer, rule: FileRule) -> None:
    """Refuse by what the header says, before the first frame is decoded."""
    if len(film.streams.video) != 1 or len(film.streams) > 8:
        raise InvalidFileFormat
    context = film.streams.video[0].codec_context
    if context.name not in CODECS:
        raise InvalidFileFormat(
            f"The format of the input file is invalid: {context.name} is not read here."
        )
    width, height = context.width, context.height
    if min(width, height) < rule.min_side or max(width, height) > rule.max_side:
        raise InvalidFileResolution(
            "The resolution of the input file is invalid: each side must be "
            f"{rule.min_side} to {rule.max_side} pixels, not {width}*{height}."
        )
    least, most = rule.min_ratio or 0.0, rule.max_ratio or math.inf
    if not least <= width / height <= most:
        raise InvalidFileAspectRatio
    if film.duration:
        check_seconds(film.duration / av.time_base, rule)


def _copy(film: InputContainer, out: OutputContainer, rule: FileRule) -> tuple[int, int, float]:
    longest = rule.max_seconds or LONGEST
    pictures = _frames(film, longest)
    first = next(pictures, None)
    if first is None:
        raise InvalidFileFormat
    width, height = _fit(first)
    stream = out.add_stream("libx264", rate=FPS, options=ONE_THREAD)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.thread_count = 1
    voice = out.add_stream("aac", rate=RATE, layout="stereo") if _speaks(film) else None
    if voice:
        voice.codec_context.thread_count = 1
    count, shown = 0, _plain(first, width, height)
    start = _time(first)
    for frame in pictures:
        until = round((_time(frame) - start) * FPS)
        if until > (longest + 1) * FPS:
            raise InvalidFileDuration
        while count < until:
            count = _write(out, stream, shown, count)
        if until == count:
            shown = _plain(frame, width, height)
    count = _write(out, stream, shown, count)
    out.mux(stream.encode())
    check_seconds(count / FPS, rule)
    if voice:
        _copy_sound(film, out, voice, count / FPS)
    return width, height, count / FPS


def _frames(film: InputContainer, longest: float) -> Iterator[VideoFrame]:
    stream = film.streams.video[0]
    stream.codec_context.thread_count = 1  # the sandbox allows no other
    most = (longest + 1) * MAX_RATE
    last = -math.inf
    for number, frame in enumerate(film.decode(stream)):
        if number > most:
            raise InvalidFileDuration
        if frame.time is not None and frame.time > last:
            last = frame.time
            yield frame


def _time(frame: VideoFrame) -> float:
    assert frame.time is not None
    return float(frame.time)


def _fit(frame: VideoFrame) -> tuple[int, int]:
    """Return the even sides, of at most `MAX_SIDE`, of a frame that stands upright."""
    sides = frame.width, frame.height
    width, height = sides[::-1] if _turns(frame) % 2 else sides
    scale = min(1.0, MAX_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _turns(frame: VideoFrame) -> int:
    """Return by how many quarters a frame must be turned to the left to stand upright."""
    return round(frame.rotation / 90) % 4


def _plain(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Return a frame as ours: upright, of our size, without what else it carried."""
    if turns := _turns(frame):
        pixels = frame.reformat(format="rgb24", threads=1).to_ndarray()
        upright = np.ascontiguousarray(np.rot90(np.asarray(pixels, np.uint8), turns))
        frame = VideoFrame.from_ndarray(upright, format="rgb24")
    return frame.reformat(width=width, height=height, format="yuv420p", threads=1)


def _write(out: OutputContainer, stream: "av.VideoStream", frame: VideoFrame, count: int) -> int:
    frame.pts, frame.time_base = count, Fraction(1, FPS)
    frame.pict_type = 0
    out.mux(stream.encode(frame))
    return count + 1


def _speaks(film: InputContainer) -> bool:
    voices = film.streams.audio
    return bool(voices) and voices[0].codec_context.name in VOICES


def _copy_sound(
    film: InputContainer, out: OutputContainer, voice: "av.AudioStream", seconds: float
) -> None:
    """Copy as much sound as there are pictures."""
    film.seek(0)
    stream = film.streams.audio[0]
    stream.codec_context.thread_count = 1
    resampler = AudioResampler(format="fltp", layout="stereo", rate=RATE)
    written = 0
    for frame in film.decode(stream):
        for piece in resampler.resample(frame):
            if written >= seconds * RATE:
                break
            piece.pts, piece.time_base = written, Fraction(1, RATE)
            written += piece.samples
            out.mux(voice.encode(piece))
    out.mux(voice.encode())
