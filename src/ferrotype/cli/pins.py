"""Fills in the revisions that a settings file leaves open."""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ferrotype.settings import SettingsError
from ferrotype.weights import wants

OPEN = re.compile(
    r"""^[^\n#]*?\bweights\s*=\s*(?P<q>["'])(?P<hub>[^"'\n]+)(?P=q)"""
    r"""(?P<between>[^\[\]]*?)\brevision\s*=\s*(?P<r>["'])(?P=r)""",
    re.MULTILINE,
)


def pin_all(path: Path, head: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Write the current commit where `revision = ""` follows `weights = "owner/name"`.

    Yields hub id and commit. Raises `SettingsError` when something is left open, or anything else
    would change.
    """
    text = path.read_text("utf-8")
    before = tomllib.loads(text)
    pins: dict[str, str] = {
        want.hub: head(want.hub) for want in wants(before) if want.revision == ""
    }
    if not pins:
        return
    new = OPEN.sub(lambda found: _pinned(found, pins), text)
    if tomllib.loads(new) != _filled(before, pins):
        left = ", ".join(f'{hub}: revision = "{commit}"' for hub, commit in pins.items())
        raise SettingsError(
            f'{path}: write the revision yourself, after weights = "...", in the same table: {left}'
        )
    part = path.with_name(f".{path.name}")
    part.write_text(new, "utf-8")
    part.chmod(path.stat().st_mode)
    part.replace(path)
    yield from sorted(pins.items())


def _pinned(found: re.Match[str], pins: dict[str, str]) -> str:
    if found["hub"] not in pins:
        return found[0]
    quote = found["r"]
    return f"{found[0][:-2]}{quote}{pins[found['hub']]}{quote}"


def _filled(value: Any, pins: dict[str, str]) -> Any:
    """Return a table in which open revisions are filled in."""
    if isinstance(value, list):
        return [_filled(item, pins) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {name: _filled(item, pins) for name, item in value.items()}
    if filled.get("weights") in pins and filled.get("revision", "") == "":
        filled["revision"] = pins[filled["weights"]]
    return filled
