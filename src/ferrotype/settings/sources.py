"""Where settings come from: a flag wins over a variable, that over the file, that over a default.

A name that nobody knows is an error, never a shrug.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ferrotype.settings.recipes import near, read_recipes
from ferrotype.settings.table import ABOUT, PREFIX, Settings
from ferrotype.settings.values import SettingsError, is_loopback

FILE_NAME = "ferrotype.toml"
NOT_SETTINGS = ("FERROTYPE_CONFIG", "FERROTYPE_REQUIRE")  # the file's path; the test groups' own
# What may hold a password, one day or today: its text is not repeated in errors.
SECRET = ("database_url", "event_secret", "event_urls")


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    faults: dict[str, str] | None = None,
) -> Settings:
    """Read file, variables and flags (those that are not None). Raises `SettingsError`.

    With `faults`, recipes that cannot be read are left out, and it is put there why, by name.
    """
    path = _config_path(config, environ)
    table = _read_file(path) if path else {}
    recipes = read_recipes(table.pop("recipes", {}), faults)
    values = _from_file(table, path)
    values |= _from_environ(environ)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    values |= {n: _read(n, value, f"--{n.replace('_', '-')}") for n, value in given.items()}
    if "poll_hold" not in values and not is_loopback(values.get("host", Settings.host)):
        values["poll_hold"] = 0.0
    return Settings(**values, recipes=recipes, config=path)


def _config_path(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    variable = environ.get("FERROTYPE_CONFIG")
    named = config or (Path(variable) if variable else None)
    if named is None:
        found = Path(FILE_NAME).absolute()
        return found if found.is_file() else None
    if not named.is_file():
        raise SettingsError(f"There is no settings file {named}.")
    return named.absolute()


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from None


def _from_file(table: Mapping[str, object], path: Path | None) -> dict[str, Any]:
    for name in table:
        if name not in ABOUT:
            hint = near(name, (*ABOUT, "recipes"))
            raise SettingsError(f"{path}: there is no setting {name!r}.{hint}")
    return {name: _read(name, value, f"{path}: {name}") for name, value in table.items()}


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    known = {PREFIX + name.upper(): name for name in ABOUT}
    given = {
        variable: value
        for variable, value in environ.items()
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS
    }
    for variable in given:
        if variable not in known:
            hint = near(variable, known)
            raise SettingsError(f"There is no setting for the variable {variable}.{hint}")
    return {known[key]: _read(known[key], value, key) for key, value in given.items()}


def _read(name: str, value: object, source: str) -> Any:
    try:
        return ABOUT[name].read(value)
    except ValueError as error:
        said = "the value" if name in SECRET else repr(value)
        raise SettingsError(f"{source}: {said} {error}.") from None
