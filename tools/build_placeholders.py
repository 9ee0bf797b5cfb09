"""Makes the files that stand in for inputs that a rehearsal lets be missing.

    python tools/build_placeholders.py

A picture of 1024 x 768, a sound of 5 seconds, a film of 3: within what every model takes.
"""

import math
import struct
import wave
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[1] / "src" / "ferrotype" / "worker" / "placeholders"
GROUND, LINE = (226, 221, 210), (150, 140, 124)


def picture(width: int, height: int, phase: float = 0.0) -> Image.Image:
    """Draw a plain board with a frame, a cross and a disc that goes round."""
    board = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(board)
    draw.rectangle((8, 8, width - 9, height - 9), outline=LINE, width=4)
    draw.line((8, 8, width - 9, height - 9), fill=LINE, width=2)
    draw.line((8, height - 9, width - 9, 8), fill=LINE, width=2)
    x = width / 2 + math.cos(phase) * width / 5
    y = height / 2 + math.sin(phase) * height / 5
    r = height / 12
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(193, 92, 62))
    return board


def main() -> None:
    """Write the three files."""
    picture(1024, 768).save(FOLDER / "image.png", optimize=True)
    with wave.open(str(FOLDER / "audio.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        tones = (math.sin(i * 0.25) * 3000 * math.exp(-(i % 8000) / 2500) for i in range(40_000))
        sound.writeframes(b"".join(struct.pack("<h", round(tone)) for tone in tones))
    with av.open(str(FOLDER / "video.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=24, options={"crf": "30", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for i in range(72):
            frame = np.asarray(picture(640, 480, i * math.tau / 72))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        film.mux(stream.encode(None))


if __name__ == "__main__":
    main()
