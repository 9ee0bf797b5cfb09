"""Makes one film of a job: chooses the shot, draws each frame, adds particles, sound and facts."""

import random
import re
from collections.abc import Mapping
from pathlib import Path

import av
from msgspec import structs
from PIL import Image, ImageOps

from ferrotype.engines.illustrator import lettering, styles
from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.provenance import SOURCE
from ferrotype.engines.illustrator.reader import read
from ferrotype.engines.illustrator.scene import Scene
from ferrotype.engines.illustrator.video import camera, particles, sound
from ferrotype.engines.illustrator.video.planes import Layer, Planes, blank, even, of_picture
from ferrotype.engines.illustrator.video.reel import Reel
from ferrotype.engines.illustrator.video.scenery import GAITS, Draw, flat, parts
from ferrotype.engines.illustrator.video.shots import (
    Animated,
    Clip,
    Collage,
    Crossing,
    Day,
    Painted,
    Scenery,
    Shot,
    Still,
    painted,
    tone_of,
)
from ferrotype.media import File, Output
from ferrotype.ports.engine import Bench, EngineRefusal, Job
from ferrotype.provenance import plain

SECONDS, FPS, LONGEST = 5.0, 30, 30.0
OVERSCAN = 1.16
FIRST = ("first_frame", "first_frame_url", "img_url", "image_url", "head_frame")
LAST = ("last_frame", "last_frame_url", "tail_frame")
CLIPS = ("video", "video_url", "first_clip", "first_clip_url")
REFERENCES = (
    "reference_image",
    "reference_video",
    "reference_urls",
    "reference_video_urls",
    "ref_images_url",
)
TRACKS = ("audio_url", "driving_audio", "reference_audio")
REFERRING = r"\b(character|image|video|picture)s? ?\d\b|图\d|角色\d|视频\d"
VERBS = r"\b(run(s|ning)?|chas(es|ing)|gallop(s|ing)?|walk(s|ing)?|stroll(s|ing)?|driv(es|ing))\b"
DAY = re.compile(
    r"time.?lapse( of)?|(from )?day (in)?to night|from day|sunrise to|dawn to|day pass|昼夜|延时"
    r"|从白天到|日出到日落"
)
NIGHT_TO_DAY = re.compile(r"night (in)?to day|night to dawn|夜晚到白天|从夜")


class Film:
    """One film in the making. `quick`: fewer pictures, held longer, for test suites."""

    def __init__(self, job: Job, bench: Bench, draws: Mapping[str, Draw], quick: bool) -> None:
        self.job, self.bench, self.draws = job, bench, draws
        self.quick = quick or job.fields.get("quick") is True
        self.scene = understood(job)
        self.fps = job.fps or FPS
        self.clip = self.given(CLIPS, "video/")
        self.track = self.given(TRACKS, "audio/")
        self.first, self.last = self.given(FIRST, "image/"), self.given(LAST, "image/")
        self.size = self.sides()
        self.seconds = self.length()
        if job.kind == "animate" and self.first:
            self.clip = None  # it gave the length; the picture is what is shown
        self.move = camera.choose(job.prompt, job.seed, ("in", "in", "out"))

    def given(self, roles: tuple[str, ...], kind: str) -> File | None:
        """Return the first input of one of these roles."""
        found = (file for role in roles for file in self.job.inputs.get(role, ()))
        return next((file for file in found if file.type.startswith(kind)), None)

    def sides(self) -> tuple[int, int]:
        """Return the film's size: the job's, or its area in the ratio that it is to follow."""
        w, h = self.job.size
        role = self.job.fields.get("size_follows")
        followed = (
            next(iter(self.job.inputs.get(role, ())), None) if isinstance(role, str) else None
        )
        if followed is None and self.job.kind in ("image-to-video", "first-last-frame-to-video"):
            followed = self.first
        if followed is None or not followed.width or not followed.height:
            return even(w), even(h)
        ratio = min(8.0, max(0.125, followed.width / followed.height))
        wide = (w * h * ratio) ** 0.5
        return even(wide), even(wide / ratio)

    def length(self) -> float:
        """Return the length in seconds: as asked, else the clip's or the track's, else our own."""
        asked = self.job.duration
        if asked and asked > 0:
            return min(asked, LONGEST)
        led = self.clip or self.track if asked in (0, None) else None
        return min(led.seconds, LONGEST) if led and led.seconds else SECONDS

    def make(self, path: Path) -> Output | None:
        """Write the film. Returns None when it was stopped: then there is no file."""
        count = max(1, round(self.seconds * self.fps))
        shot, cast = self.shot(), self.particles()
        if shot is None or self.bench.stopping.is_set():
            return None
        reel = Reel(path, self.size, self.fps, self.facts(), self.soundtrack(count), self.quick)
        canvas, mark = blank(*self.size), self.mark()
        every = max(1, self.fps // 3) if self.quick else 1
        for k in range(count):
            if self.bench.stopping.is_set():
                reel.abandon()
                return None
            if k % every == 0 or k == count - 1:
                t, seconds = k / max(1, count - 1), k / self.fps
                shot.onto(canvas, t, seconds)
                if cast:
                    cast.onto(canvas, seconds, self.veil(t))
                if mark:
                    mark.onto(canvas, 0)
            reel.write(canvas)
            if k % 5 == 4:
                self.bench.progress(0.2 + 0.79 * (k + 1) / count, k + 1, count)
        reel.finish()
        return Output(
            path=str(path), type="video/mp4", width=self.size[0], height=self.size[1],
            seconds=count / self.fps,
        )  # fmt: skip

    def veil(self, t: float) -> float:
        """Fade particles in and out where the caller's pictures must be met whole."""
        if not (self.first or self.last):
            return 1.0
        return min(1.0, 6 * t, 6 * (1 - t) if self.last else 1.0)

    def shot(self) -> Shot | None:
        """Choose what the film shows; None when stopped on the way."""
        job = self.job
        if self.clip:
            return Clip(
                Path(self.clip.path),
                self.size,
                tone_of(job.prompt, self.scene, job.seed, self.size),
            )
        if self.first and self.last:
            way = random.Random(f"{job.seed}:way").choice(("wipe", "iris", "zoom"))
            ends = self.covered(self.first), self.covered(self.last)
            return Crossing(*ends, way, job.seed)
        if one := self.first or self.last:
            return Still(self.covered(one), camera.from_first(self.move))
        references = [file for role in REFERENCES for file in job.inputs.get(role, ())]
        if references:
            pictures = [picture for file in references[:5] if (picture := shown(file))]
            if pictures:
                return Collage(pictures, self.backdrop(pictures), self.size, job.seed)
        return self.drawn()

    def covered(self, file: File) -> Planes:
        """Return a picture cut and scaled to the film's size."""
        picture = opened(file)
        return of_picture(ImageOps.fit(picture, self.size, Image.Resampling.LANCZOS))

    def backdrop(self, pictures: list[Image.Image]) -> Image.Image:
        """Return what stands behind a collage: the prompt's scene, else the first picture."""
        if self.scene.template == "card":
            return ImageOps.fit(pictures[0], self.size)
        small = even(self.size[0] / 2), even(self.size[1] / 2)
        drawing = Drawing(self.scene, *at_least(small), self.job.seed, self.job.model)
        return flat(drawing, self.draws[self.scene.template], self.bench.stopping)[1].resize(
            self.size
        )

    def drawn(self) -> Shot | None:
        """Draw the prompt: in layers where it is open country, else as one picture."""
        scene, job = self.scene, self.job
        if DAY.search(job.prompt.lower()) and scene.template == "landscape":
            hours = ("dawn", "day", "sunset", "night")
            order = (
                hours[1:]
                if not NIGHT_TO_DAY.search(job.prompt.lower())
                else ("night", "dawn", "day")
            )
            made = []
            for hour in order:
                made.append(self.picture(structs.replace(scene, time=hour), self.size)[1])
                if self.bench.stopping.is_set():
                    return None
            return Day(made)
        if scene.template == "landscape" and not self.quick:
            if scene.style == "flat":
                return self.scenery(self.size)
            small = at_least(painted(self.size))
            inner = self.scenery(small)
            paint = Painted(scene.style, job.seed, self.size, dabs=False)
            return inner and Animated(inner, small, paint)
        card = scene.template == "card"
        scale = 1.0 if card else 0.5 if self.quick else 1.06
        size = even(self.size[0] * scale), even(self.size[1] * scale)
        dim, lit = self.picture(scene, size)
        lamps = scene.template == "shop" and not self.quick
        paper = card or scene.style in styles.FRAMED
        move = structs.replace(camera.MOVES["in"], zoom=(1.0, 1.04)) if paper else self.move
        return Still(lit, move, dim if lamps else None)

    def picture(self, scene: Scene, size: tuple[int, int]) -> tuple[Planes, Planes]:
        """Draw one picture in its style, without and with its last layer."""
        job = self.job
        drawing = Drawing(scene, *at_least(size), job.seed, job.model)
        pair = flat(drawing, self.draws[scene.template], self.bench.stopping)
        dim, lit = (
            one if scene.template == "card" else styles.apply(one, scene.style, job.seed, one.size)
            for one in pair
        )
        return of_picture(dim), of_picture(lit)

    def scenery(self, size: tuple[int, int]) -> Shot | None:
        """Draw open country layer by layer."""
        names = ("left", "right", "left", "right", "in")
        move = camera.choose(self.job.prompt, self.job.seed, names)
        wide = even(size[0] * (OVERSCAN if move.x != (0, 0) or move.name == "hold" else 1.06))
        drawing = Drawing(self.scene, wide, size[1], self.job.seed)
        found = []
        for part in parts(drawing):
            found.append(part)
            self.bench.progress(min(0.18, 0.02 * len(found)))
            if self.bench.stopping.is_set():
                return None
        text = self.job.prompt.lower()
        gait = next((gait for gait, words in GAITS.items() if re.search(words, text)), "")
        return Scenery(found, (wide, size[1]), move, gait, self.seconds)

    def particles(self) -> particles.Particles | None:
        """Choose what falls or floats."""
        own = not (self.first or self.last or self.clip)
        kind = particles.choose(self.job.prompt, self.scene if own else None)
        if kind is None or (self.clip and kind == "dust"):
            return None
        return particles.Particles(kind, self.size, self.job.seed)

    def mark(self) -> Layer | None:
        """Return the mark, where one is asked."""
        if not self.job.fields.get("watermark"):
            return None
        sheet = Image.new("RGBA", self.size)
        lettering.stamp(sheet, "Drawn by Ferrotype")
        return Layer(sheet)

    def soundtrack(self, count: int) -> sound.Sound | None:
        """Return the caller's track, or the scene's ambience, or None for silent models."""
        fields, samples = self.job.fields, count * sound.RATE // self.fps
        if fields.get("audio") is False:
            return None
        files = [self.track]
        if fields.get("audio_setting") == "origin" or "first_clip" in self.job.inputs:
            files.append(self.clip)
        for file in files:
            if file and (track := sound.track(Path(file.path), samples)) is not None:
                return track
        if not fields.get("sound"):
            return None
        drawn = not (self.first or self.last or self.clip)
        return sound.ambience(
            sound.heard(self.scene if drawn else None, self.job.prompt), samples, self.job.seed
        )

    def facts(self) -> dict[str, str]:
        """Say in the file what made it, from what, and what was understood."""
        job, scene = self.job, self.scene
        about = (
            "Engine: illustrator; label: illustration", f"model asked: {plain(job.model)}",
            f"task: {job.task}", f"seed: {job.seed}",
            f"drawn: {'prompt card: ' + scene.why if scene.template == 'card' else scene.template}",
            f"words understood: {plain(', '.join(scene.known))}",
            f"words left out: {plain(', '.join(scene.unknown))}", f"DigitalSourceType: {SOURCE}",
        )  # fmt: skip
        return {
            "title": "Ferrotype illustration", "artist": "Ferrotype illustrator",
            "description": plain(job.prompt), "comment": "; ".join(about),
        }  # fmt: skip


def understood(job: Job) -> Scene:
    """Read what a prompt shows, apart from its words for camera, motion, hours and references."""
    ours = (*camera.WORDS.values(), DAY.pattern, NIGHT_TO_DAY.pattern, VERBS, REFERRING)
    words = re.compile("|".join(f"(?:{one})" for one in ours), re.IGNORECASE)
    found = dict.fromkeys(match[0].strip() for match in words.finditer(job.prompt))
    scene = read(words.sub(" ", job.prompt), job.negative, str(job.fields.get("style") or ""))
    return structs.replace(scene, prompt=job.prompt, known=(*scene.known, *found))


def at_least(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size, enlarged in its ratio where a side is too short to draw on."""
    scale = max(1.0, 256 / min(size))
    return even(size[0] * scale), even(size[1] * scale)


def opened(file: File) -> Image.Image:
    """Open a picture that we wrote."""
    with Image.open(file.path) as picture:
        return picture.convert("RGB")


def shown(file: File) -> Image.Image | None:
    """Return a reference's picture: itself, or a clip's first frame."""
    if file.type.startswith("image/"):
        return opened(file)
    if not file.type.startswith("video/"):
        return None
    with av.open(file.path, format="mp4", options={"protocol_whitelist": "file"}) as source:
        frame = next(source.decode(video=0), None)
        return Image.fromarray(frame.to_ndarray(format="rgb24")) if frame else None


def make(job: Job, bench: Bench, draws: Mapping[str, Draw], quick: bool = False) -> list[Output]:
    """Make a job's film in this thread. Raises `EngineRefusal` for a size that is no film's."""
    film = Film(job, bench, draws, quick)
    if min(film.size) < 128 or max(film.size) > 4096:
        raise EngineRefusal(
            "InvalidParameter",
            f"The illustrator films sides of 128 to 4096 pixels, not {film.size}.",
        )
    output = film.make(bench.workdir / "0.mp4")
    return [output] if output else []
