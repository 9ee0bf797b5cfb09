"""Opens a stranger's sound and writes it anew as plain WAV: 16 bits, 48 kHz, stereo.

Imported before the sandbox closes: PyAV brings all its decoders with it.
"""

import math
import wave
from collections.abc import Callable, Iterator
from typing import BinaryIO

import av
import av.subtitles.stream
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from ferrotype.errors import InvalidFileDuration, InvalidFileFormat
from ferrotype.ports.fetcher import FileRule

RATE = 48_000
LONGEST = 600.0  # seconds, where the model names no end
CODECS = frozenset(
    {"mp3", "mp3float", "aac", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_u8", "pcm_f32le"}
)
# PyAV imports it when it opens a file, which would be too late.
_NEEDED_LATER = (av.subtitles.stream,)
DEMUXERS = {"audio/wav": "wav", "audio/mpeg": "mp3"}
Rewrite = Callable[[BinaryIO, BinaryIO, FileRule], tuple[int, int, float]]


def reader(type: str) -> Rewrite:
    """Return what rewrites sounds of a type; it opens nothing as anything else."""

    def rewrite(source: BinaryIO, target: BinaryIO, rule: FileRule) -> tuple[int, int, float]:
        """Decode the sound and write it as WAV; return no sides, and its seconds.

        Raises `InvalidFileFormat` or `InvalidFileDuration`.
        """
        try:
            with av.open(source, "r", format=DEMUXERS[type], metadata_errors="ignore") as sound:
                samples = _write(sound, target, rule)
        except (InvalidFileDuration, MemoryError):
            raise
        except Exception:  # no word of the decoder's own gets out
            raise InvalidFileFormat from None
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
        for samples, data in pieces(sound):
            count += samples
            if count > (longest + 1) * RATE:
                check_seconds(count / RATE, rule)
                raise InvalidFileDuration
            out.writeframesraw(data)
    return count


def pieces(container: InputContainer) -> Iterator[tuple[int, bytes]]:
    """Yield the sound of a container: how many samples, and they, 16 bits of two channels each."""
    stream = container.streams.audio[0]
    if stream.codec_context.name not in CODECS:
        raise InvalidFileFormat
    stream.codec_context.thread_count = 1  # the sandbox allows no other
    resampler = AudioResampler(format="s16", layout="stereo", rate=RATE)
    for frame in container.decode(stream):
        for piece in resampler.resample(frame):
            yield piece.samples, bytes(piece.planes[0])[: piece.samples * 4]


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
