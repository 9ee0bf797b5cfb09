"""What a job asks for, in the words of pipelines. What they cannot serve is refused here."""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from ferrotype.engines.diffusers.canvas import in_ratio
from ferrotype.media import File
from ferrotype.ports.engine import EngineRefusal, Job

FIRST = ("first_frame", "first_frame_url", "img_url", "image_url")
LAST = ("last_frame", "last_frame_url")
REFERENCES = ("reference_image", "reference_urls", "ref_images_url")
PICTURES = ("images", "base_image_url")
FUNCTIONS = ("stylization_all", "description_edit", "image_reference")  # served by words and files
UNSERVED = (  # fields that change what is made, and that no pipeline knows
    "template", "bbox_list", "color_palette", "enable_interleave", "enable_sequential",
    "obj_or_bg", "control_condition",
)  # fmt: skip
SECONDS = 5.0
MAX_STEPS = 200


class Mode(StrEnum):
    """What goes in and what comes out."""

    DRAW = "text-to-image"
    EDIT = "image-edit"
    FILM = "text-to-video"
    FIRST = "image-to-video"
    BETWEEN = "first-last-frame-to-video"
    REFER = "reference-to-video"

    @property
    def films(self) -> bool:
        """Whether a film comes out."""
        return self not in (Mode.DRAW, Mode.EDIT)


MIXED = {  # kinds whose jobs say by their files what is to be done
    "text-to-image": (Mode.DRAW, Mode.EDIT),
    "image-edit": (Mode.EDIT,),
    "text-to-video": (Mode.FILM, Mode.FIRST, Mode.BETWEEN, Mode.REFER),
    "image-to-video": (Mode.FIRST, Mode.BETWEEN),
    "first-last-frame-to-video": (Mode.BETWEEN,),
    "reference-to-video": (Mode.REFER,),
    "video-edit": (Mode.REFER,),
}


class Wish(Struct, frozen=True, kw_only=True):
    """One job, read. `size`: (width, height) of what is handed out; `files` in their order."""

    mode: Mode
    size: tuple[int, int]
    files: tuple[File, ...] = ()
    seconds: float = 0.0
    steps: int | None = None
    guidance: float | None = None
    strength: float | None = None


def modes_of(kind: str) -> tuple[Mode, ...]:
    """Return what jobs of a kind may ask for; nothing where no pipeline serves it."""
    return MIXED.get(kind, ())


def refusal(message: str) -> EngineRefusal:
    """Return the refusal of a request that this recipe cannot serve."""
    return EngineRefusal("InvalidParameter", message)


def read(job: Job) -> Wish:
    """Read what a job asks for. Raises `EngineRefusal`."""
    mode, files, used = _mode(job)
    for role in job.inputs.keys() - used:
        raise refusal(f"The weights that serve this model cannot take {role}.")
    if not files and mode not in (Mode.DRAW, Mode.FILM):
        raise refusal("The weights that serve this model need a picture.")
    for file in files:
        if not file.type.startswith("image/"):
            raise refusal("The weights that serve this model take pictures, not films or sound.")
    if job.fields.get("sound"):
        raise refusal(
            "Films of this model have sound, and the weights that serve it make none. (A recipe "
            "that is narrowed by sound = false takes it away from the model.)"
        )
    _refuse_fields(job.fields)
    films = mode.films
    return Wish(
        mode=mode,
        size=_size(job, files, 2 if films else 16, follows=mode in (Mode.FIRST, Mode.BETWEEN)),
        files=files,
        seconds=_seconds(job) if films else 0.0,
        steps=_steps(job.fields),
        guidance=_number(job.fields, "guidance", "scale"),
        strength=_number(job.fields, "strength"),
    )


def _refuse_fields(fields: dict[str, Any]) -> None:
    function = fields.get("function")
    if function is not None and function not in FUNCTIONS:
        raise refusal(f"The weights that serve this model cannot do {function}.")
    if fields.get("style") not in (None, "<auto>"):
        raise refusal("The weights that serve this model know no style; put it into the prompt.")
    for name in UNSERVED:
        if fields.get(name):
            raise refusal(f"The weights that serve this model cannot follow {name}.")


def _mode(job: Job) -> tuple[Mode, tuple[File, ...], set[str]]:
    """Say what is asked for, with which files, and which roles those were."""
    if "video" not in job.kind:
        pictures, used = _given(job, PICTURES)
        return (Mode.EDIT if pictures else modes_of(job.kind)[0]), pictures, used
    first, of_first = _given(job, FIRST)
    last, of_last = _given(job, LAST)
    shown, of_shown = _given(job, REFERENCES)
    if shown:
        return Mode.REFER, shown, of_shown
    if first and last:
        return Mode.BETWEEN, (first[0], last[0]), of_first | of_last
    return (Mode.FIRST if first else modes_of(job.kind)[0]), first[:1], of_first


def _given(job: Job, roles: tuple[str, ...]) -> tuple[tuple[File, ...], set[str]]:
    files = tuple(file for role in roles for file in job.inputs.get(role, ()))
    return files, {role for role in roles if role in job.inputs}


def _size(job: Job, files: tuple[File, ...], multiple: int, *, follows: bool) -> tuple[int, int]:
    """Return the size to hand out: as asked, or its area in the ratio that it is to follow."""
    role = job.fields.get("size_follows")
    own = next(iter(job.inputs.get(role, ())[-1:]), None) if isinstance(role, str) else None
    if own is None and follows and files:
        own = files[0]
    if own is None or not (own.width and own.height):
        return job.size
    return in_ratio(job.size, (own.width, own.height), multiple)


def _seconds(job: Job) -> float:
    return job.duration if job.duration and job.duration > 0 else SECONDS


def _steps(fields: dict[str, Any]) -> int | None:
    steps = fields.get("steps")
    if steps is None:
        return None
    if not 1 <= steps <= MAX_STEPS:
        raise refusal(f"steps must be from 1 to {MAX_STEPS}.")
    return int(steps)


def _number(fields: dict[str, Any], *names: str) -> float | None:
    found = (fields[name] for name in names if fields.get(name) is not None)
    return next((float(value) for value in found), None)
