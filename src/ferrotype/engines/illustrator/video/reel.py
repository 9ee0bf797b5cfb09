"""Writes a film: H.264 and AAC in MP4, frame by frame, its index at the front."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ferrotype.engines.illustrator.video.planes import Planes, frame_of
from ferrotype.engines.illustrator.video.sound import RATE, Sound

BT709 = 1  # as primaries, transfer and matrix in H.264's tables
LIMITED = 1


class Reel:
    """One MP4 in the making. Frames are planes of exactly `size`; sound is laid beside them."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: int,
        facts: dict[str, str],
        sound: Sound | None,
        quick: bool = False,
    ) -> None:
        self.path, self.size, self.fps, self.written, self.heard = path, size, fps, 0, 0
        options = {"movflags": "+faststart"}
        self.film = av.open(str(path), "w", format="mp4", options=options)
        self.film.metadata.update(facts)
        pace = (
            {"preset": "ultrafast", "qp": "27"} if quick else {"preset": "superfast", "crf": "20"}
        )
        self.picture = self.film.add_stream(
            "libx264",
            rate=fps,
            options=pace | {"threads": "2", "g": str(fps * 2)},
        )
        self.picture.width, self.picture.height, self.picture.pix_fmt = *size, "yuv420p"
        codec = self.picture.codec_context
        codec.color_primaries = codec.color_trc = codec.colorspace = BT709
        codec.color_range = LIMITED
        self.sound = sound
        if sound is not None:
            self.voice = self.film.add_stream("aac", rate=RATE, layout="stereo")
            self.voice.bit_rate = 128_000

    def write(self, planes: Planes) -> None:
        """Add one frame, and the sound up to it."""
        frame = frame_of(planes)
        frame.pts, frame.time_base = self.written, Fraction(1, self.fps)
        frame.color_range, frame.colorspace = LIMITED, BT709
        self.film.mux(self.picture.encode(frame))
        self.written += 1
        self.speak(self.written * RATE // self.fps)

    def speak(self, until: int) -> None:
        """Add the sound up to a sample."""
        while self.sound is not None and self.heard < min(until, self.sound.shape[1]):
            piece = np.ascontiguousarray(self.sound[:, self.heard : self.heard + 1024])
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, self.heard, Fraction(1, RATE)
            self.film.mux(self.voice.encode(frame))
            self.heard += piece.shape[1]

    def finish(self) -> None:
        """Write what the encoders still hold, and the index."""
        if self.sound is not None:
            self.speak(self.sound.shape[1])
            self.film.mux(self.voice.encode(None))
        self.film.mux(self.picture.encode(None))
        self.film.close()

    def abandon(self) -> None:
        """Leave nothing behind."""
        self.film.close()
        self.path.unlink(missing_ok=True)
