"""Opens a stranger's sound and writes it anew as plain WAV: 16 bits, 48 kHz, stereo.

Imported before the sandbox closes: PyAV brings all its decoders with it.
"""

import math
import wave
from collections.abc import Callable, Iterator
from typing import BinaryIO

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from ferrotype.errors import InvalidFileDuration, InvalidFileFormat
from ferrotype.media_host.containers import limit, opened
from ferrotype.ports.fetcher import FileRule

RATE = 48_000
LONGEST = 600.0  # seconds, where the model names no end
RATES = range(4_000, 384_001)  # a frame of one sample a second would become an hour
MAX_CHANNELS = 8
CODECS = frozenset(
    {"mp3", "mp3float", "aac", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_u8", "pcm_f32le"}
)
DEMUXERS = {"audio/wav": "wav", "audio/mpeg": "mp3"}
Rewrite = Callable[[BinaryIO, BinaryIO, FileRule], tuple[int, int, float]]


def reader(type: str) -> Rewrite:
    """Return what rewrites sounds of a type; it opens nothing as anything else."""

    def rewrite(source: BinaryIO, target: BinaryIO, rule: FileRule) -> tuple[int, int, float]:
        """Decode the sound and write it as WAV; return no sides, and its seconds.

        Raises `InvalidFileFormat` or `InvalidFileDuration`.
        """
        with opened(source, DEMUXERS[type], CODECS) as sound:
            samples = _write(sound, target, rule)
        check_seconds(samples / RATE, rule)
        return 0, 0, samples / RATE

    return rewrite


def _write(sound: InputContainer, target: BinaryIO, rule: FileRule) -> int:
    longest = rule.max_seconds or LONGEST
    count = 0
    with wave.open(target, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for piece in pieces(sound, "s16"):
            count += piece.samples
            if count > (longest + 1) * RATE:
                check_seconds(count / RATE, rule)
                raise InvalidFileDuration
            out.writeframesraw(bytes(piece.planes[0])[: piece.samples * 4])
    return count


def can_be_heard(container: InputContainer) -> bool:
    """Tell whether a container has a sound that is read here."""
    voices = container.streams.audio
    context = voices[0].codec_context if voices else None
    return context is not None and context.name in CODECS


def pieces(container: InputContainer, format: str) -> Iterator[AudioFrame]:
    """Yield the sound of a container in a sample format, in stereo at `RATE`, to its end."""
    if not can_be_heard(container):
        raise InvalidFileFormat
    stream = container.streams.audio[0]
    context = stream.codec_context
    if not 1 <= context.channels <= MAX_CHANNELS:
        raise InvalidFileFormat
    limit(stream)
    resampler = AudioResampler(format=format, layout="stereo", rate=RATE)
    for frame in container.decode(stream):
        if frame.sample_rate not in RATES:
            raise InvalidFileFormat
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def check_seconds(seconds: float, rule: FileRule) -> None:
    """Raise `InvalidFileDuration` for a file that is too short or too long. A frame's length of
    difference is nobody's fault.
    """
    least, most = rule.min_seconds or 0.0, rule.max_seconds or math.inf
    if not least - 0.1 <= seconds <= most + 0.1 or seconds <= 0:
        raise InvalidFileDuration(
            f"The duration of the input file is invalid: it must be {least:g} to {most:g} seconds, "
            f"not {seconds:.1f}."
        )
