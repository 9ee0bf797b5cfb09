"""The keys that we make: whatever has another shape is no key of ours."""

import re

from ferrotype.media import EXTENSIONS

DAY = re.compile(r"[0-9]{8}")
TASK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TYPES = {extension: type for type, extension in EXTENSIONS.items()}
RESULT = re.compile(
    rf"(?P<day>{DAY.pattern})/(?P<task>{TASK.pattern})/(?P<attempt>[1-9][0-9]{{0,8}})"
    rf"/(?P<index>0|[1-9][0-9]{{0,3}})\.(?P<extension>{'|'.join(TYPES)})"
)
PREFIX = re.compile(rf"{DAY.pattern}/{TASK.pattern}(/[1-9][0-9]{{0,8}})?")
UPLOAD = re.compile(r"[^/]+/(?P<account>[0-9a-f]{32})/(?P<day>\d{4}-\d\d-\d\d)/[^/]+/[^/]+")
INPUT = re.compile(rf"{DAY.pattern}/{TASK.pattern}/in/\d{{1,3}}")
EXISTS = "The object you specified already exists and can not be overwritten."


def type_of(key: str) -> str | None:
    """Return the media type of a result's key, or None for what is no such key."""
    match = RESULT.fullmatch(key)
    return match and TYPES[match["extension"]]


def check_result(key: str, type: str) -> None:
    """Raise `ValueError` for a key, or a type of it, that no part of ours makes."""
    if type_of(key) != type:
        raise ValueError(f"not a media key of type {type}: {key!r}")


def check_prefix(prefix: str) -> None:
    """Raise `ValueError` for what is neither a task's prefix nor an attempt's."""
    if PREFIX.fullmatch(prefix) is None:
        raise ValueError(f"not a task's prefix: {prefix!r}")


def check_day(day: str) -> None:
    """Raise `ValueError` for what is no day's prefix."""
    if DAY.fullmatch(day) is None:
        raise ValueError(f"not a day's prefix: {day!r}")
