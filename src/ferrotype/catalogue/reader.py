"""Reads catalogue files: TOML, one per family, in which a model states only its differences."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ferrotype.catalogue.audit import flaws
from ferrotype.catalogue.grammar import Field
from ferrotype.catalogue.model import Model
from ferrotype.catalogue.plan import Plan
from ferrotype.errors import InvalidParameter

BUILT_IN = Path(__file__).parent / "models"
UNSERVED = Path(__file__).parent / "unserved.toml"


class BadCatalogue(ValueError):
    """A catalogue file cannot be used. The message names file, model and field."""


def read(extra: Sequence[Path] = ()) -> dict[str, Plan]:
    """Return the checks of all models by entry: built-in files, then files or folders; later wins.

    Raises `BadCatalogue`.
    """
    entries: dict[str, tuple[Path, dict[str, Any]]] = {}
    for file in [*_files(BUILT_IN), *(file for place in extra for file in _files(place))]:
        for name, entry in _entries(file).items():
            entries[name] = (file, entry)
    return {name: _plan(name, entries) for name in entries}


class Unserved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that are known by name only, and their path after `/api/v1/services/aigc/`."""

    path: str
    models: tuple[str, ...]
    reason: str


def unserved() -> tuple[Unserved, ...]:
    """Return what is known of the vendor's models that are not served."""
    return msgspec.convert(
        tomllib.loads(UNSERVED.read_text(encoding="utf-8"))["unserved"], tuple[Unserved, ...]
    )


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(place.glob("*.toml"), key=lambda file: file.stem)
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
        raise BadCatalogue(f"{file}: unknown table [{min(unknown)}]; use [common], [model.NAME]")
    common, models = tables.get("common", {}), tables.get("model", {})
    if not isinstance(models, dict) or not all(isinstance(t, dict) for t in models.values()):
        raise BadCatalogue(f"{file}: [model]: must be a table of tables")
    if not isinstance(common, dict):
        raise BadCatalogue(f"{file}: [common]: must be a table")
    shared = {"family": file.stem, **common}
    return {
        name: entry if "like" in entry else _lay(shared, entry, f"{file}: {name}")
        for name, entry in models.items()
    }


def _plan(name: str, entries: Mapping[str, tuple[Path, dict[str, Any]]]) -> Plan:
    """Turn an entry into a model and lay out its checks; refuse data that cannot be right."""
    file, entry = entries[name]
    at = f"{file}: {name}"
    if "like" in entry:
        entry = _lay(_pattern(entry["like"], entries, at), entry, at)
    try:
        model = msgspec.convert({"name": name, **_with_fields(entry, at)}, Model)
    except msgspec.ValidationError as error:
        raise BadCatalogue(f"{at}: {error}") from error
    try:
        plan = Plan(model)
    except InvalidParameter as error:
        raise BadCatalogue(f"{at}: a default does not fit its field: {error}") from error
    if found := flaws(model):
        raise BadCatalogue(f"{at}: {'; '.join(found)}")
    return plan


def _pattern(
    like: object, entries: Mapping[str, tuple[Path, dict[str, Any]]], at: str
) -> dict[str, Any]:
    if not isinstance(like, str) or like not in entries:
        raise BadCatalogue(f"{at}: like: there is no model {like!r}")
    _, pattern = entries[like]
    if "like" in pattern:
        raise BadCatalogue(f"{at}: like: {like} is itself like another")
    return {key: value for key, value in pattern.items() if key != "name"}


def _with_fields(entry: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return an entry with its body fields, and those of its variants, read one by one."""
    variants = entry.get("variants", [])
    if not isinstance(variants, list) or not all(isinstance(v, dict) for v in variants):
        raise BadCatalogue(f"{at}: variants: must be a list of tables")
    return {
        **entry,
        **{table: _read(entry[table], at) for table in _BODY},
        "variants": [
            {**v, **{t: _read(_amend(entry[t], v.get(t, {}), at), at) for t in _BODY}}
            for v in variants
        ],
    }


def _read(fields: Mapping[str, Any], at: str) -> dict[str, Field]:
    read: dict[str, Field] = {}
    for name, field in fields.items():
        try:
            read[name] = msgspec.convert(field, Field)
        except msgspec.ValidationError as error:
            raise BadCatalogue(f"{at}: {name}: {error}") from error
    return read


_BODY = ("input", "parameters")


def _lay(shared: Mapping[str, Any], own: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Lay an entry over what it shares: what it states wins, its body fields amend the shared."""
    laid = {**shared, **own}
    for table in _BODY:
        laid[table] = _amend(shared.get(table, {}), own.get(table, {}), at)
    return laid


def _amend(shared: Mapping[str, Any], own: object, at: str) -> dict[str, Any]:
    """Return fields: `false` removes a shared one, one with a `kind` replaces it, others amend."""
    if not isinstance(own, dict):
        raise BadCatalogue(f"{at}: input and parameters: must be tables of fields")
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
