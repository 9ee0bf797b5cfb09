"""What these servers say: the few shapes of their answers that we read."""

import json
from typing import Any

import msgspec
from msgspec import Struct

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
LONGEST = 500  # characters of a server's sentence that we pass on


class Garbage(Exception):
    """The server sent what is no answer to what was asked."""


class Picture(Struct, frozen=True):
    """One picture of an answer: on the wire its bytes are in base64."""

    b64_json: bytes | None = None


class Pictures(Struct, frozen=True):
    """The answer to a request for pictures."""

    data: list[Picture]


class Trouble(Struct, frozen=True):
    """Why a film failed. `code` is an HTTP status where the server gives one."""

    message: str = ""
    code: int | str | None = None


class Film(Struct, frozen=True):
    """A film in the making."""

    id: str
    status: str
    progress: float = 0
    error: Trouble | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ("completed", "failed", "cancelled", "deleted")


class Listed(Struct, frozen=True):
    """A model that the server serves."""

    id: str


class Models(Struct, frozen=True):
    """The models that the server serves."""

    data: list[Listed]


def read_pictures(body: bytes) -> bytes:
    """Return the one picture of an answer. Raises `Garbage`."""
    try:
        pictures = msgspec.json.decode(body, type=Pictures).data
    except UNREADABLE as error:
        raise Garbage(f"the server's answer holds no picture: {error}") from None
    if len(pictures) != 1 or pictures[0].b64_json is None:
        raise Garbage(f"the server answered {len(pictures)} pictures in place of one")
    return pictures[0].b64_json


def read_film(body: bytes) -> Film | None:
    """Return the film that an answer tells of, or None: it tells of none."""
    try:
        return msgspec.json.decode(body, type=Film)
    except UNREADABLE:
        return None


def sentence(body: bytes) -> str:
    """Return what an error's answer says: FastAPI's `detail`, or OpenAI's `error.message`."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "it gave no reason"
    detail = said.get("detail") if isinstance(said, dict) else None
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, dict):
        detail = error.get("message")
    if isinstance(detail, list):
        detail = "; ".join(_complaint(item) for item in detail[:5])
    return detail[:LONGEST] if isinstance(detail, str) and detail else "it gave no reason"


def _complaint(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    where = ".".join(str(part) for part in item.get("loc", ()) if part != "body")
    return f"{where}: {item.get('msg', '')}"
