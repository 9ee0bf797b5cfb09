"""Kinds of fields that name files: one URL, a set of typed URLs, a message with pictures."""

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from ferrotype.catalogue.fields import clean
from ferrotype.catalogue.kind import Kind, missing, span
from ferrotype.errors import InvalidParameter, InvalidURL
from ferrotype.ports.fetcher import FileRule

NO_MESSAGES = "No messages found in input"
LONGEST_URL = 4096
LONGEST_DATA = 10 * 1024 * 1024  # characters, as the vendor counts: encoded
_DATA = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,", re.IGNORECASE)
Scheme = Literal["http", "https", "data", "oss"]
Format = Literal["jpeg", "png", "bmp", "tiff", "webp", "wav", "mp3", "mp4", "mov"]
TYPES: dict[Format, str] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "webp": "image/webp",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
}
_ALSO = {"image/jpg": "image/jpeg", "image/x-ms-bmp": "image/bmp"}  # as clients write them


class Media(Kind, frozen=True, kw_only=True, tag="media"):
    """A URL of one of the schemes that the model `accepts`, and what the file behind it may be.

    `formats` are keys of `TYPES`; sides in pixels; `max_mb` in units of 1,048,576 bytes.
    """

    accepts: tuple[Scheme, ...]
    formats: tuple[Format, ...] = ("jpeg", "png", "bmp", "webp")
    max_mb: int = 10
    min_side: int = 1
    max_side: int = 8192
    min_ratio: float | None = None
    max_ratio: float | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None

    @property
    def rule(self) -> FileRule:
        """The rule that the fetcher holds the file against."""
        return FileRule(
            types=tuple(TYPES[name] for name in self.formats),
            max_bytes=self.max_mb << 20,
            min_side=self.min_side,
            max_side=self.max_side,
            min_ratio=self.min_ratio,
            max_ratio=self.max_ratio,
            min_seconds=self.min_seconds,
            max_seconds=self.max_seconds,
        )

    def say(self) -> str:
        """Say what a value must be."""
        return f"an ASCII URL ({', '.join(self.accepts)})"

    def limits(self) -> str:
        """Say what the file behind the URL may be."""
        parts = [", ".join(self.formats), f"at most {self.max_mb} MB"]
        if any(not TYPES[name].startswith("audio/") for name in self.formats):
            parts.append(f"sides {self.min_side} to {self.max_side} pixels")
        if self.min_ratio and self.max_ratio:
            parts.append(f"ratio 1:{1 / self.min_ratio:g} to {self.max_ratio:g}:1")
        if self.max_seconds:
            parts.append(f"{self.min_seconds or 0:g} to {self.max_seconds:g} seconds")
        return "; ".join(parts)

    def read(self, value: Any, where: str) -> str:
        """Return the URL. Whether it may be followed is for the fetcher to say."""
        if not isinstance(value, str):
            self.refuse(where)
        if self.required and not value:
            raise missing(where)
        scheme = value[:8].partition(":")[0].lower()
        if scheme in self.accepts and self._may_be(scheme, value):
            return value
        raise InvalidURL(f"The provided URL is not valid: {where} must be {self.say()}")

    def _may_be(self, scheme: str, value: str) -> bool:
        if scheme == "data":
            return self._is_data(value)
        if scheme == "oss":  # the rest is a key, with a name of the caller's in any language
            return value[3:6] == "://" and len(value) <= LONGEST_URL
        return _is_url(value)

    def _is_data(self, value: str) -> bool:
        """Tell whether a data address holds what may be: by its head, the rest is for later."""
        head = _DATA.match(value)
        if head is None or not head.end() < len(value) <= LONGEST_DATA:
            return False
        type = head[1].lower()
        type = _ALSO.get(type, type)  # films and sounds are never written out in a body
        return type.startswith("image/") and type in (TYPES[name] for name in self.formats)


def _is_url(text: str) -> bool:
    """Tell whether a text may be a URL. The fetcher, which follows it, is stricter: see there."""
    if len(text) > LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


class MediaSet(Kind, frozen=True, kw_only=True, tag="media_set"):
    """An array of {type, url}: each type has its own rules and is a role of its own.

    `sets`: the only combinations of types allowed. `at_most`: how often a type may occur (else
    `max`). `beside`: other URLs that an item may hold, by key, which is then their role.
    """

    types: dict[str, Media]
    min: int = 0
    max: int
    sets: tuple[frozenset[str], ...] = ()
    at_most: dict[str, int] = {}
    beside: dict[str, Media] = {}

    def say(self) -> str:
        """Say what a value must be."""
        allowed = "; ".join(" + ".join(sorted(types)) for types in self.sets)
        return (
            f"{span(self.min, self.max)} objects {{type, url}}, type one of {', '.join(self.types)}"
            + (f", together {allowed}" if allowed else "")
        )

    def read(self, value: Any, where: str) -> dict[str, list[str]]:
        """Return the URLs by type, in the caller's order."""
        if not isinstance(value, list) or not self.min <= len(value) <= self.max:
            self.refuse(where)
        roles: dict[str, list[str]] = {}
        more: dict[str, list[str]] = {}
        for i, item in enumerate(value):
            role = item.get("type") if isinstance(item, dict) else None
            if not isinstance(role, str) or role not in self.types:
                self.refuse(where)
            roles.setdefault(role, []).append(
                self.types[role].read(item.get("url"), f"{where}[{i}].url")
            )
            for name, media in self.beside.items():
                if item.get(name) is not None:
                    more.setdefault(name, []).append(media.read(item[name], f"{where}[{i}].{name}"))
        if any(len(urls) > self.at_most.get(role, self.max) for role, urls in roles.items()):
            self.refuse(where)
        if self.sets and roles and frozenset(roles) not in self.sets:
            self.refuse(where)
        return roles | more


class Message(Struct, frozen=True):
    """What the one message of a caller says and shows."""

    text: str
    images: list[str]


class Messages(Kind, frozen=True, kw_only=True, tag="messages"):
    """Exactly one user message: one text and some pictures, whose role is "images"."""

    text_max: int
    min_images: int = 0
    max_images: int = 0
    image: Media | None = None

    def say(self) -> str:
        """Say what a value must be."""
        pictures = span(self.min_images, self.max_images) if self.max_images else "no"
        return (
            f'one message {{"role": "user"}} whose content is one {{text}} and {pictures} {{image}}'
        )

    def read(self, value: Any, where: str) -> Message:
        """Return the message's text, cleaned and cut, and its pictures' URLs."""
        if value == []:
            raise InvalidParameter(NO_MESSAGES)
        if not isinstance(value, list) or len(value) != 1:
            raise InvalidParameter("messages length only support 1")
        content = value[0].get("content") if isinstance(value[0], dict) else None
        if not isinstance(content, list) or value[0].get("role", "user") != "user":
            self.refuse(where)
        if len(content) > 1 + self.max_images:
            raise InvalidParameter(f"content length only support {1 + self.max_images}")
        texts: list[str] = []
        images: list[str] = []
        for i, part in enumerate(content):
            at = f"{where}[0].content[{i}]"
            if not isinstance(part, dict) or (part.get("text") and part.get("image")):
                self.refuse(at)
            if isinstance(part.get("text"), str):
                texts.append(clean(part["text"])[: self.text_max])
            elif self.image and "image" in part:
                images.append(self.image.read(part["image"], f"{at}.image"))
            else:
                self.refuse(at)
        if len(texts) != 1 or not texts[0].strip() or len(images) < self.min_images:
            raise InvalidParameter("lack of image or text")
        return Message(texts[0], images)
