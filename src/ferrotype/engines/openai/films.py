"""A film that the server made, brought to the size and length that were asked for."""

import threading
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from msgspec import Struct
from PIL import Image, ImageOps

from ferrotype.engines.openai.provenance import facts, film_tags
from ferrotype.engines.openai.wire import Garbage
from ferrotype.media import Output
from ferrotype.ports.engine import EngineRefusal, Job

ENCODER = {"preset": "fast", "crf": "16"}
READ = {"protocol_whitelist": "file"}
BT709, LIMITED = 1, 1  # in H.264's tables


class Wish(Struct, frozen=True, kw_only=True):
    """What the i-th film must be: pixels, and seconds where a length was asked for."""

    i: int
    size: tuple[int, int]
    seconds: float | None


def keep(
    raw: Path, path: Path, job: Job, wish: Wish, served: str, stopping: threading.Event
) -> Output:
    """Write the film as an MP4 of exactly that size and length.

    What is right already is only copied. Raises `Garbage` for what is no film, and
    `EngineRefusal` for one that is too short: asking again would give the same.
    """
    try:
        with av.open(str(raw), format="mp4", options=READ) as film:
            if not film.streams.video:
                raise Garbage("the server's film has no pictures")
            return _keep(film, path, job, wish, served, stopping)
    except FFmpegError as error:
        raise Garbage(f"the server's film cannot be read: {error}") from error


def _keep(
    film: InputContainer, path: Path, job: Job, wish: Wish, served: str, stopping: threading.Event
) -> Output:
    stream = film.streams.video[0]
    rate, found = stream.average_rate, sum(bool(packet.size) for packet in film.demux(stream))
    if not rate or not found:
        raise Garbage("the server's film has no pictures")
    film.seek(0)
    wanted = found if wish.seconds is None else round(wish.seconds * rate)
    if found < wanted:
        raise EngineRefusal(
            "InternalError.Algo",
            f"The server made {found} frames in place of {wanted}: the operator should set "
            "fps and frames of the recipe to what its model makes, or narrow the duration.",
        )
    was = stream.width, stream.height
    changed = [f"brought from {was[0]}x{was[1]} to {wish.size[0]}x{wish.size[1]}"]
    changed = changed if was != wish.size else []
    if found > wanted:
        changed.append(f"cut from {found} to {wanted} frames")
    remade = bool(changed) or stream.codec_context.name != "h264"
    tags = film_tags(facts(job, wish.i, served, ", ".join(changed)))
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        out.metadata.update(tags)
        if remade:
            _remake(film, stream, out, wish.size, wanted, stopping)
        else:
            _copy(film, out)
    width, height = wish.size
    return Output(
        path=str(path), type="video/mp4", width=width, height=height, seconds=float(wanted / rate)
    )


def _copy(film: InputContainer, out: OutputContainer) -> None:
    """Take pictures and sound over as they are."""
    streams = [film.streams.video[0], *film.streams.audio[:1]]
    twins = {stream.index: out.add_stream_from_template(stream) for stream in streams}
    for packet in film.demux(streams):
        if packet.dts is not None:
            packet.stream = twins[packet.stream.index]
            out.mux(packet)


def _remake(
    film: InputContainer,
    source: VideoStream,
    out: OutputContainer,
    size: tuple[int, int],
    count: int,
    stopping: threading.Event,
) -> None:
    """Encode the first `count` pictures in another size, beside as much of the sound."""
    rate = source.average_rate
    assert rate
    stream = out.add_stream("libx264", rate=rate, options=ENCODER)
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    codec = stream.codec_context
    codec.color_primaries = codec.color_trc = codec.colorspace = BT709
    codec.color_range = LIMITED
    voices = film.streams.audio[:1]
    voice = out.add_stream_from_template(voices[0]) if voices else None
    for number, frame in enumerate(islice(film.decode(source), count)):
        if stopping.is_set():
            return
        if (frame.width, frame.height) != size:
            picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
            fitted = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
            frame = av.VideoFrame.from_ndarray(np.asarray(fitted), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED)
        frame.pts, frame.time_base = number, Fraction(1, 1) / rate
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
    if voice is None:
        return
    film.seek(0)
    for packet in film.demux(voices[0]):
        if packet.dts is not None and packet.pts is not None and packet.time_base is not None:
            if packet.pts * packet.time_base >= count / rate:
                return
            packet.stream = voice
            out.mux(packet)
