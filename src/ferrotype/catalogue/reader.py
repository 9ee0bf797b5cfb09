"""Reads catalogue files: TOML, one per family, in which a model states only its differences."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ferrotype.catalogue.model import Model

BUILT_IN = Path(__file__).parent / "models"


class BadCatalogue(ValueError):
    """A catalogue file cannot be used. The message names file, model and field."""


def read(extra: Sequence[Path] = ()) -> dict[str, Model]:
    """Return all models by entry, from the built-in files, then from files or folders; later wins.

    Raises `BadCatalogue`.
    """
    entries: dict[str, tuple[Path, dict[str, Any]]] = {}
    for file in [*_files(BUILT_IN), *(file for place in extra for file in _files(place))]:
        for name, entry in _entries(file).items():
            entries[name] = (file, entry)
    return {name: _model(name, entries) for name in entries}


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(place.glob("*.toml"))
    if place.is_file():
        return [place]
    raise BadCatalogue(f"{place}: there is no such file or folder")


def _entries(file: Path) -> dict[str, dict[str, Any]]:
    """Return a file's entries, each laid over the file's `[common]` unless it is `like` another."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadCatalogue(f"{file}: {error}") from error
    if unknown := set(tables) - {"common", "model"}:
        raise BadCatalogue(f"{file}: unknown table [{min(unknown)}]; use [common] and [model.NAME]")
    common, models = tables.get("common", {}), tables.get("model", {})
    for name, entry in {"common": common, **models}.items():
        if not isinstance(entry, dict):
            raise BadCatalogue(f"{file}: {name}: must be a table")
    shared = {"family": file.stem, **common}
    return {
        name: entry if "like" in entry else _lay(shared, entry, f"{file}: {name}")
        for name, entry in models.items()
    }


def _model(name: str, entries: Mapping[str, tuple[Path, dict[str, Any]]]) -> Model:
    file, entry = entries[name]
    at = f"{file}: {name}"
    if "like" in entry:
        _, pattern = entries.get(entry["like"], (None, None))
        if pattern is None:
            raise BadCatalogue(f"{at}: like: there is no model {entry['like']!r}")
        if "like" in pattern:
            raise BadCatalogue(f"{at}: like: {entry['like']} is itself like another")
        entry = _lay(pattern, {"name": name, **entry}, at)
    entry = {"name": name, **entry}
    entry["variants"] = [
        {"when": v.get("when"), **{t: _amend(entry.get(t, {}), v.get(t, {}), at) for t in _BODY}}
        for v in entry.get("variants", [])
    ]
    try:
        return msgspec.convert(entry, Model)
    except msgspec.ValidationError as error:
        raise BadCatalogue(f"{at}: {error}") from error


_BODY = ("input", "parameters")


def _lay(shared: Mapping[str, Any], own: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Lay an entry over what it shares: what it states wins, its body fields amend the shared."""
    laid = {**shared, **own}
    for table in _BODY:
        laid[table] = _amend(shared.get(table, {}), own.get(table, {}), at)
    return laid


def _amend(shared: Mapping[str, Any], own: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return fields: `false` removes a shared one, one with a `kind` replaces it, others amend."""
    fields = {**shared}
    for name, field in own.items():
        if field is False:
            if fields.pop(name, None) is None:
                raise BadCatalogue(f"{at}: {name}: there is no shared field to remove")
        elif not isinstance(field, dict):
            raise BadCatalogue(f"{at}: {name}: must be a table, or false")
        else:
            fields[name] = field if "kind" in field else {**fields.get(name, {}), **field}
    return fields
