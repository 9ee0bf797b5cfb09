"""How the text of a setting becomes a value. A reader raises `ValueError` saying what is wrong."""

import ipaddress
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ferrotype.errors import InvalidURL
from ferrotype.gate.urls import parse

BUCKETS = ("s3://", "gs://", "az://")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 10 * 365 * UNITS["d"]


class SettingsError(Exception):
    """A setting is unknown, malformed or unsafe. The message is one sentence for the operator."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a listener on that host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def seconds(value: object) -> float:
    """Read a duration: a number of seconds, or text such as "500ms", "5s", "24h"."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)?", str(value).strip())
    if match is None or isinstance(value, bool):
        raise ValueError('is not a duration such as "500ms", "5s" or "24h"')
    span = float(match[1]) * UNITS[match[2] or "s"]
    if span > LONGEST:
        raise ValueError("is longer than ten years")
    return span


def text(value: object) -> str:
    """Read text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is not text")
    return value.strip()


def word(value: object) -> str:
    """Read a name such as a region's or an engine's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", str(value)):
        raise ValueError("is not a name of letters, digits, dots and hyphens")
    return str(value)


def path(value: object) -> Path:
    """Read a path; it is made absolute here, so that our child processes see the same one."""
    return Path(text(str(value))).expanduser().absolute()


def flag(value: object) -> bool:
    """Read true or false."""
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    answer = known.get(str(value).strip().lower())
    if answer is None:
        raise ValueError("is neither true nor false")
    return answer


def names(value: object) -> tuple[str, ...]:
    """Read a list of names: a list, or text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("is not a list of names")
    return tuple(part.strip() for part in parts if part.strip())


def receivers(value: object) -> tuple[str, ...]:
    """Read a list of URLs to send to. Errors do not repeat them: they may hold a token."""
    given = tuple(dict.fromkeys(names(value)))
    for number, one in enumerate(given, 1):
        try:
            parse(one)
        except InvalidURL as error:
            raise ValueError(f"is not a list of URLs: number {number}: {error.message}") from None
        if "," in one:
            raise ValueError(f"is not a list of URLs: number {number} has a comma; write %2C")
    return given


def signing_secret(value: object) -> str:
    """Read a secret as Standard Webhooks writes it. Errors do not repeat it."""
    said = text(value)
    try:
        key = b64decode(said.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not said.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError('is not "whsec_" and the base64 of 24 to 64 bytes')
    return said


def networks(value: object) -> tuple[str, ...]:
    """Read a list of addresses and networks."""
    given = names(value)
    for one in given:
        try:
            ipaddress.ip_network(one, strict=False)
        except ValueError:
            raise ValueError(f"is not an address or a network: {one}") from None
    return given


def whole(least: int, most: int) -> Callable[[object], int]:
    """Make a reader of whole numbers between two bounds, both included."""

    def read(value: object) -> int:
        digits = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,12}", digits):
            raise ValueError("is not a whole number")
        if not least <= int(digits) <= most:
            raise ValueError(f"is not between {least} and {most}")
        return int(digits)

    return read


def one_of(*known: str) -> Callable[[object], str]:
    """Make a reader of one of a few words."""

    def read(value: object) -> str:
        if str(value) not in known:
            raise ValueError(f"is not one of {', '.join(known)}")
        return str(value)

    return read


def origin(value: object) -> str:
    """Read scheme and host of an address."""
    url = urlsplit(text(value))
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ValueError('is not an address such as "https://pictures.example.com"')
    if url.username or url.password or url.path.strip("/"):
        raise ValueError("must be scheme and host only, without a path or a password")
    return f"{url.scheme}://{url.netloc}"


def ledger_url(value: object) -> str:
    """Read the ledger's URL. Errors do not repeat it: it may hold a password."""
    said = text(value)
    if said.startswith(("postgresql://", "postgres://")):
        url = urlsplit(said)
        if url.fragment or not _has_port(url):
            raise ValueError(
                'is no URL: write "/", "#", "?" or "@" in a password as "%2F" and so on'
            )
        if not url.path.strip("/"):
            raise ValueError('must name a database: "postgresql://user:password@host/database"')
        return said
    if not said.startswith("sqlite:///"):
        raise ValueError(
            'is neither "postgresql://user:password@host/database" nor'
            ' "sqlite:///absolute/path/ledger.db"'
        )
    file = path("/" + said.removeprefix("sqlite://").lstrip("/"))
    if file.name != "ledger.db":
        raise ValueError('must end in "/ledger.db"')
    return f"sqlite://{file}"


def _has_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False


def results_url(value: object) -> str:
    """Read where results are kept: a folder, or a bucket."""
    said = text(value)
    if said.startswith(BUCKETS):
        url = urlsplit(said)
        if not url.netloc or url.query or url.fragment or url.username or url.password:
            raise ValueError('must be a bucket and perhaps a prefix, such as "s3://bucket/prefix"')
        return said.rstrip("/")
    if not said.startswith("file:///"):
        raise ValueError(
            'is neither "file:///absolute/folder" nor a bucket such as "s3://bucket/prefix"'
        )
    return f"file://{path('/' + said.removeprefix('file://').lstrip('/'))}"
