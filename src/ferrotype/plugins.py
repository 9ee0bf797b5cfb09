"""Engines by name: our own, and those that other packages offer.

A package offers one by an entry point of the group `ferrotype.engines`. Nothing is imported
before it is chosen, and then in the engine's own process.
"""

import difflib
import importlib
from typing import cast

from msgspec import Struct

from ferrotype.ports.engine import Engine

GROUP = "ferrotype.engines"


class PluginError(Exception):
    """An engine cannot be had. The message is one sentence for the operator."""


class Plugin(Struct, frozen=True):
    """Where an engine is ("module:Class"), and what to do when its import fails.

    `shares`: one process serves several recipes, so it is made with all of them: `device` and
    `recipes` (model -> options) in place of the options of one.
    """

    target: str
    remedy: str
    shares: bool = False


BUILT_IN = {
    "echo": Plugin("ferrotype.engines.echo:Echo", "Install ferrotype anew."),
    "illustrator": Plugin(
        "ferrotype.engines.illustrator.engine:Illustrator",
        "Install numpy, pillow and resvg-py: pip install --force-reinstall ferrotype.",
    ),
    "openai": Plugin(
        "ferrotype.engines.openai.engine:OpenAI",
        "Install httpx, pillow and av: pip install --force-reinstall ferrotype.",
    ),
}


def engines() -> dict[str, Plugin]:
    """Return every engine by name. Raises `PluginError` when two have the same name."""
    from importlib.metadata import entry_points  # it looks into every package that is installed

    found = dict(BUILT_IN)
    for point in entry_points(group=GROUP):
        package = point.dist.name if point.dist else "its package"
        if point.name in found:
            raise PluginError(
                f"Two engines are named {point.name!r}: {found[point.name].target} and "
                f"{point.value} of {package}; uninstall one."
            )
        found[point.name] = Plugin(point.value, f"Install {package} anew.")
    return found


def find_engine(name: str) -> Plugin:
    """Return where the engine of that name is, without importing it. Raises `PluginError`.

    For one of our own names no other package is looked into.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    known = engines()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise PluginError(
            f"There is no engine {name!r}; there are {', '.join(sorted(known))}.{hint}"
        )
    return known[name]


def load_engine(name: str) -> type[Engine]:
    """Import the engine of that name. Raises `PluginError`."""
    plugin = find_engine(name)
    module, _, attribute = plugin.target.partition(":")
    try:
        engine = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"The engine {name!r} cannot be loaded ({error}). {plugin.remedy}"
        ) from error
    return cast(type[Engine], engine)
