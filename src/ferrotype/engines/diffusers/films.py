"""Writes a film: H.264 in MP4 without sound, its index at the front."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

BT709 = 1  # as primaries, transfer and matrix in H.264's tables
LIMITED = 1
ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "18"},
    "h264_nvenc": {"preset": "p4", "rc": "vbr", "cq": "20"},
}
Pixels = NDArray[np.uint8]


@cache
def encoder(asked: str) -> str:
    """Return the encoder that a recipe asks for; "auto": the GPU's where it opens."""
    if asked != "auto":
        return asked
    try:
        context = av.CodecContext.create("h264_nvenc", "w")
        context.width, context.height, context.pix_fmt = 640, 480, "yuv420p"
        context.time_base = Fraction(1, 25)
        context.open()
    except (av.error.FFmpegError, ValueError):  # this build has none, or there is no such GPU
        return "libx264"
    return "h264_nvenc"


def write(
    path: Path,
    frames: Callable[[], Iterator[Pixels]],
    size: tuple[int, int],
    fps: int,
    tags: dict[str, str],
    codec: str,
) -> None:
    """Write frames (height, width, 3) of exactly `size` = (width, height), both even.

    Where the GPU's encoder, chosen by us, does not take this film, the processor writes it.
    """
    chosen = encoder(codec)
    try:
        _write(path, frames(), size, fps, tags, chosen)
    except av.error.FFmpegError:
        if codec != "auto" or chosen == "libx264":
            raise
        _write(path, frames(), size, fps, tags, "libx264")


def _write(
    path: Path,
    frames: Iterator[Pixels],
    size: tuple[int, int],
    fps: int,
    tags: dict[str, str],
    chosen: str,
) -> None:
    options = {"movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as film:
        film.metadata.update(tags)
        own = ENCODERS[chosen] | {"g": str(fps * 2)}
        picture = cast(VideoStream, film.add_stream(chosen, rate=fps, options=own))
        picture.width, picture.height, picture.pix_fmt = *size, "yuv420p"
        context = picture.codec_context
        context.thread_type = "AUTO"  # whole frames side by side: slices keep few cores busy
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            frame.pts, frame.time_base = number, Fraction(1, fps)
            frame.color_range, frame.colorspace = LIMITED, BT709
            film.mux(picture.encode(frame))
        film.mux(picture.encode(None))
