"""`make fuzz`: broken files to the media process, broken URLs to the parser, for as long as asked.

python -m bench.fuzz [--seconds 3600] [--seed N] [--keep FOLDER]

Each file goes to a process that was forked from one which has the decoders loaded, and that then
does all that `python -m ferrotype.media_host` does. It may refuse, or be ended by its limits or by
a signal: that is what it is for. It may not end by an exception of ours, answer what is not true,
or tell of its machine; and no other process may notice.
"""

import argparse
import io
import os
import re
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import av
import msgspec
from PIL import Image
from rich.console import Console

from bench import clips
from bench.mutate import break_file, break_url
from ferrotype.errors import InvalidURL
from ferrotype.fetchers.media_process import REFUSALS
from ferrotype.fetchers.media_words import Answer, Request
from ferrotype.gate import urls
from ferrotype.media import sniff
from ferrotype.media_host import __main__ as media_host
from ferrotype.media_host import films, images, sounds
from ferrotype.ports.fetcher import FileRule

PATIENCE = 10.0  # seconds for one file
URLS_PER_FILE = 50
_PICTURES = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
_TYPES = (
    *("image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff", "image/gif"),
    *("video/mp4", "video/quicktime", "audio/wav", "audio/mpeg"),
)
RULE = FileRule(types=_TYPES, max_bytes=1 << 24, max_side=8000, max_seconds=5)
URLS = (
    *("http://example.com/a.png?b=c#d", "https://[2001:db8::1]:443/x", "http://127.0.0.1:80/"),
    *("http://user:pw@example.com/", "https://a.b-c.example:8443/%41/../b"),
)
# What an answer must not tell: addresses, paths, words of the libraries.
_TELLTALE = re.compile(r"0x[0-9a-f]{4}|/tmp|/home|Traceback|Errno|libav|avcodec|PIL\b", re.I)
_LOADED = (films, images, sounds)


@dataclass
class Findings:
    """What came of the files, how often; and each fault of ours, with the file that showed it."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def seeds() -> list[bytes]:
    """Return one small good file of each kind that is read."""
    files = []
    noise = Image.effect_noise((48, 32), 90).convert("RGB")
    for format in _PICTURES:
        file = io.BytesIO()
        noise.save(file, format, exif=Image.Exif() if format == "JPEG" else b"")
        files.append(file.getvalue())
    for mode in ("P", "LA", "RGBA", "I;16", "1"):
        file = io.BytesIO()
        noise.convert("L" if mode == "I;16" else mode).convert(mode).save(file, "PNG")
        files.append(file.getvalue())
    for codec in ("libx264", "libx265", "mpeg4", "libvpx-vp9", "libsvtav1"):
        files.append(clips.film(0.3, (64, 64), codec=codec, voice="aac"))
    files.append(clips.film(0.3, (64, 48), format="mov", voice="pcm_s16le", rotation=90))
    files += [clips.sound(0.3), clips.pcm(0.3), clips.sound(0.3, codec="pcm_f32le", format="wav")]
    return files


def fuzz(folder: Path, seconds: float, seed: int, keep: Path | None = None) -> Findings:
    """Try broken files and URLs for a while. The same seed tries the same ones."""
    dice, good, found = Random(seed), seeds(), Findings()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = break_file(dice.choice(good), good, dice)
        what, fault = _try_file(folder, data)
        found.ends[what] += 1
        if fault or what.startswith("signal"):
            name = f"{what}-{found.ends[what]}".replace(" ", "-")
            if keep:
                (keep / name).write_bytes(data)
            if fault:
                found.faults.append(f"{name}: {fault}")
        for _ in range(URLS_PER_FILE):
            url = break_url(dice.choice(URLS), dice)
            if fault := _try_url(url):
                found.faults.append(f"URL {url!r}: {fault}")
    return found


def _try_file(folder: Path, data: bytes) -> tuple[str, str]:
    """Return how the file ended, and what was wrong about that, if anything."""
    source, target = folder / "raw", folder / "clean"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    type = sniff(data[:32]) or ""
    if type not in RULE.types:
        return "unknown", ""
    request = Request(
        source=str(source),
        target=str(target),
        rule=RULE,
        type=type,
        memory=1 << 30,
        cpu=int(PATIENCE),
        file=256 << 20,
    )
    status, said = _run(msgspec.json.encode(request))
    if status is None:
        return "late", ""
    if status < 0:
        return f"signal {-status}", ""
    if status:
        return "broken", said.decode("utf-8", "replace")[-2000:]
    answer = msgspec.json.decode(said, type=Answer)
    if answer.code is None:
        return "written", _untruth(type, target, answer)
    if answer.code not in REFUSALS or _TELLTALE.search(answer.message or ""):
        return "refused", f"it answers {answer.code}: {answer.message}"
    return f"refused {answer.code}", ""


def _run(request: bytes) -> tuple[int | None, bytes]:
    """Fork a media process, hand it the request; return its status (None: late) and its words."""
    (ask_out, ask_in), (say_out, say_in) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.dup2(ask_out, 0)
        os.dup2(say_in, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where some decoders complain
        os.closerange(3, 64)
        sys.stdin, sys.stdout = os.fdopen(0, "r"), os.fdopen(1, "w")
        try:
            os._exit(media_host.main())
        except BaseException as error:
            os.write(1, repr(error).encode())
            os._exit(1)
    os.close(ask_out)
    os.close(say_in)
    os.write(ask_in, request)
    os.close(ask_in)
    said, end = b"", time.monotonic() + PATIENCE
    with os.fdopen(say_out, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            if not (piece := pipe.read(1 << 16)):
                break
            said += piece
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None, said
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def _untruth(type: str, written: Path, answer: Answer) -> str:
    """Return what the answer says of the written file that is not so, or nothing."""
    if type.startswith("image/"):
        with Image.open(written, formats=["PNG"]) as picture:
            picture.load()
            true: tuple[object, ...] = (*picture.size, 0.0)
    elif type.startswith("audio/"):
        with av.open(str(written), format="wav") as sound:
            true = (0, 0, float(sound.duration or 0) / av.time_base)
    else:
        with av.open(str(written), format="mp4") as film:
            stream = film.streams.video[0]
            frames = sum(1 for _ in film.decode(stream))
            true = (stream.width, stream.height, frames / films.FPS)
    said = (answer.width, answer.height, answer.seconds)
    near = abs(float(str(true[2])) - said[2]) < 0.001
    return "" if true[:2] == said[:2] and near else f"it says {said}, and is {true}"


def _try_url(url: str) -> str:
    """Return what is wrong about what the parser made of a URL, if anything."""
    try:
        location = urls.parse(url)
    except InvalidURL:
        return ""
    except Exception as error:
        return repr(error)
    if urls.parse(str(location)) != location:
        return f"read again, {location} is another one"
    other = urlsplit(url)
    if other.hostname != location.host and location.address is None:
        return f"the host is {location.host!r} to us and {other.hostname!r} to others"
    return ""


def main() -> int:
    """Fuzz, and say what came of it; 1 if there was a fault of ours."""
    parser = argparse.ArgumentParser(description="Try broken files and URLs.")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, help="where files go that showed something")
    chosen = parser.parse_args()
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    console.print(f"seed {chosen.seed}")
    with tempfile.TemporaryDirectory(prefix="ferrotype-fuzz-") as folder:
        found = fuzz(Path(folder), chosen.seconds, chosen.seed, chosen.keep)
    for what, count in found.ends.most_common():
        console.print(f"{count:>8,} {what}")
    for fault in found.faults:
        console.print(f"FAULT {fault}", markup=False)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
