"""Films and sounds to try inputs with, made by PyAV: small, and each pixel and tone known."""

import io
import os
import wave
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

RATE = 48_000
_QUIET = {"libx265": {"x265-params": "log-level=none"}}
os.environ.setdefault("SVT_LOG", "-2")  # SVT-AV1 tells of itself otherwise


def film(
    seconds: float = 1.0,
    size: tuple[int, int] = (320, 240),
    *,
    fps: int = 24,
    codec: str = "libx264",
    format: str = "mp4",
    voice: str | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> bytes:
    """Return a film whose left half is red and whose right half is blue."""
    file = io.BytesIO()
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 2] = 220
    with av.open(file, "w", format=format) as out:
        stream = out.add_stream(codec, rate=fps, options=options or _QUIET.get(codec, {}))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        sound = out.add_stream(voice, rate=RATE, layout="stereo") if voice else None
        assert sound is None or isinstance(sound, AudioStream)
        for i in range(round(seconds * fps)):
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if sound:
            for i, piece in enumerate(_tone(seconds)):
                piece.pts, piece.time_base = i * 1024, Fraction(1, RATE)
                out.mux(sound.encode(piece))
            out.mux(sound.encode())
    return turned(file.getvalue(), rotation)


def _tone(seconds: float) -> list[AudioFrame]:
    times = np.arange(int(seconds * RATE), dtype=np.float32) / RATE
    wave = np.tile(0.3 * np.sin(2 * np.pi * 440 * times), (2, 1)).astype(np.float32)
    pieces = []
    for start in range(0, wave.shape[1] - 1023, 1024):
        part = np.ascontiguousarray(wave[:, start : start + 1024])
        piece = AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        piece.sample_rate = RATE
        pieces.append(piece)
    return pieces


def turned(data: bytes, rotation: int) -> bytes:
    """Write a turn by quarters, as cameras do, into the matrix of the (first) track header."""
    if not rotation:
        return data
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[rotation]
    one = 1 << 16
    matrix = (cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30)
    at = data.index(b"tkhd") + 4 + 40
    raw = b"".join(number.to_bytes(4, "big", signed=True) for number in matrix)
    return data[:at] + raw + data[at + 36 :]


def sound(seconds: float = 1.0, *, codec: str = "libmp3lame", format: str = "mp3") -> bytes:
    """Return a tone of 440 Hz."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as out:
        stream = out.add_stream(codec, rate=RATE, layout="stereo")
        assert isinstance(stream, AudioStream)
        for i, piece in enumerate(_tone(seconds)):
            piece.pts, piece.time_base = i * 1024, Fraction(1, RATE)
            out.mux(stream.encode(piece))
        out.mux(stream.encode())
    return file.getvalue()


def pcm(seconds: float = 1.0, *, rate: int = RATE, channels: int = 2, width: int = 2) -> bytes:
    """Return silence as WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(bytes(round(seconds * rate) * channels * width))
    return file.getvalue()
