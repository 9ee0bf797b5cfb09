"""How a deployment says who serves which model: `[recipes.NAME]`."""

import difflib
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from ferrotype.ports.engine_room import Recipe
from ferrotype.settings.values import SettingsError, seconds

LABELS = ("same weights", "substitute", "upstream", "illustration", "test pattern")
OWN_LABELS = {"illustrator": "illustration", "echo": "test pattern"}
FIXED_LABELS = OWN_LABELS | {"dashscope": "upstream"}  # what these do is known
LONGEST_NAME = 128  # characters
LARGE = {"stall": 300.0, "deadline": 3 * 3600.0}  # seconds: models of gigabytes, films of minutes
SPANS = {"diffusers": LARGE, "dashscope": LARGE, "openai": LARGE}
PLAIN = ("engine", "options", "like", "devices", "batch", "narrow")
KEYS = (*PLAIN, "label", "stall", "deadline", "allow_substitutes")


def near(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the known names most like this one, or nothing."""
    like = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(like)}?" if like else ""


def recipe_for_all(engine: str, options: Mapping[str, Any] = MappingProxyType({})) -> Recipe:
    """Return the recipe by which one of our own engines serves every model."""
    if engine not in OWN_LABELS:
        raise SettingsError(
            f'The engine {engine!r} needs a recipe that says its label: write [recipes."*"] '
            f"with engine and label in ferrotype.toml.{near(engine, OWN_LABELS)}"
        )
    return Recipe(model="*", engine=engine, label=OWN_LABELS[engine], options=dict(options))


def read_recipes(table: object, faults: dict[str, str] | None = None) -> tuple[Recipe, ...]:
    """Read the tables `[recipes.NAME]`. Raises `SettingsError`.

    With `faults`, those that cannot be read are left out, and it is put there why, by name.
    """
    if not isinstance(table, dict):
        raise SettingsError('Recipes are tables, such as [recipes."*"].')
    recipes: list[Recipe] = []
    for model, keys in table.items():
        try:
            recipes.append(_recipe(model, keys))
        except SettingsError as error:
            if faults is None:
                raise
            faults[model] = str(error)
    return tuple(recipes)


def _recipe(model: str, keys: object) -> Recipe:
    where = f'[recipes."{model}"]'
    if not isinstance(keys, dict) or not isinstance(keys.get("engine"), str):
        raise SettingsError(f"{where} must name its engine.")
    for key in keys:
        if key not in KEYS:
            raise SettingsError(f"{where}: there is no key {key!r}.{near(key, KEYS)}")
    if not (model.isprintable() and 0 < len(model) <= LONGEST_NAME and " " not in model):
        raise SettingsError(
            f"{where}: a model's name has 1 to {LONGEST_NAME} characters, none of them a space."
        )
    label = _label(keys, where)
    try:
        spans = {key: seconds(keys[key]) for key in ("stall", "deadline") if key in keys}
        if not all(spans.values()):
            raise ValueError("stall and deadline must be longer than nothing")
        spans = SPANS.get(keys["engine"], {}) | spans
        plain = {key: keys[key] for key in PLAIN if key in keys}
        return msgspec.convert({**plain, **spans, "model": model, "label": label}, Recipe)
    except (ValueError, msgspec.ValidationError) as error:
        raise SettingsError(f"{where}: {error}.") from None


def _label(keys: Mapping[str, Any], where: str) -> str:
    fixed = FIXED_LABELS.get(keys["engine"])
    label = keys.get("label", fixed)
    if label not in LABELS:
        raise SettingsError(f"{where} must have a label: one of {', '.join(LABELS)}.")
    if fixed is not None and label != fixed:
        raise SettingsError(f'{where}: the label of the engine {keys["engine"]} is "{fixed}".')
    if label == "substitute" and keys.get("allow_substitutes") is not True:
        raise SettingsError(
            f"{where} serves other weights than its name says: add allow_substitutes = true."
        )
    return str(label)


def resolve(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Put in what `{ env = "NAME" }` stands for, at any depth: no secret need be in the file.

    Raises `SettingsError` for a variable that is not set.
    """
    return {name: _resolve(value, f"{where} {name}") for name, value in options.items()}


def _resolve(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return [_resolve(item, where) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.keys() != {"env"}:
        return resolve(value, where)
    name = str(value["env"])
    if not (found := os.environ.get(name)):
        raise SettingsError(f"{where}: the variable {name} is not set.")
    return found
