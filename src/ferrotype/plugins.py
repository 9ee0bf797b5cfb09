"""Engines by name: our own, and those that other packages offer.

A package offers one by an entry point of the group `ferrotype.engines`. Nothing is imported
before it is chosen, and then in the engine's own process. What its options may be, it offers by
one of the same name in the group `ferrotype.engine_options`: a light struct of msgspec.
"""

import difflib
import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Protocol, cast

from msgspec import Struct

from ferrotype.ports.engine import Engine

GROUP = "ferrotype.engines"
OPTIONS_GROUP = "ferrotype.engine_options"


class PluginError(Exception):
    """An engine cannot be had. The message is one sentence for the operator."""


class Plugin(Struct, frozen=True):
    """Where an engine is ("module:Class"), and what to do when its import fails.

    `shares`: one process serves several recipes, so it is made with all of them: `device` and
    `recipes` (model -> options) in place of the options of one. `needs`: packages that it imports
    beside those of the service. `options`: the struct of a recipe's options ("module:Class", no
    heavier than msgspec).
    """

    target: str
    remedy: str
    shares: bool = False
    needs: tuple[str, ...] = ()
    options: str = ""


class EngineOptions(Protocol):
    """A recipe's options, read: a struct of msgspec that also says what it can see to be wrong."""

    def problems(self) -> Iterator[str]:
        """Say, a sentence each, what is wrong: without a network, and nothing heavy loaded."""


BUILT_IN = {
    "dashscope": Plugin(
        "ferrotype.engines.dashscope.engine:Dashscope",
        "Install httpcore, httpx and av: pip install --force-reinstall ferrotype.",
        options="ferrotype.engines.dashscope.options:Options",
    ),
    "diffusers": Plugin(
        "ferrotype.engines.diffusers.engine:Diffusers",
        "Install what it needs: pip install 'ferrotype[diffusers]'.",
        shares=True,
        needs=("accelerate", "diffusers", "torch", "transformers"),
        options="ferrotype.engines.diffusers.options:Options",
    ),
    "echo": Plugin(
        "ferrotype.engines.echo:Echo",
        "Install ferrotype anew.",
        options="ferrotype.engines.echo:Options",
    ),
    "illustrator": Plugin(
        "ferrotype.engines.illustrator.engine:Illustrator",
        "Install numpy, pillow and resvg-py: pip install --force-reinstall ferrotype.",
        needs=("numpy", "PIL", "resvg_py"),
        options="ferrotype.engines.illustrator.options:Options",
    ),
    "openai": Plugin(
        "ferrotype.engines.openai.engine:OpenAI",
        "Install httpx, pillow and av: pip install --force-reinstall ferrotype.",
        options="ferrotype.engines.openai.options:Options",
    ),
}


def engines() -> dict[str, Plugin]:
    """Return every engine by name. Raises `PluginError` when two have the same name."""
    from importlib.metadata import entry_points  # it looks into every package that is installed

    found = dict(BUILT_IN)
    options = {point.name: point.value for point in entry_points(group=OPTIONS_GROUP)}
    for point in entry_points(group=GROUP):
        package = point.dist.name if point.dist else "its package"
        if point.name in found:
            raise PluginError(
                f"Two engines are named {point.name!r}: {found[point.name].target} and "
                f"{point.value} of {package}; uninstall one."
            )
        remedy = f"Install {package} anew."
        found[point.name] = Plugin(point.value, remedy, options=options.get(point.name, ""))
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
    try:
        engine = _load(plugin.target)
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"The engine {name!r} cannot be loaded ({error}). {plugin.remedy}"
        ) from error
    return cast(type[Engine], engine)


def missing(plugin: Plugin) -> list[str]:
    """Return what an engine would import and cannot, as far as it shows without importing it."""
    module = plugin.target.partition(":")[0]
    return [name for name in (module, *plugin.needs) if not _is_there(name)]


def load_options(plugin: Plugin) -> type[EngineOptions] | None:
    """Import the struct of an engine's options; None where it offers none. Raises `PluginError`."""
    if not plugin.options:
        return None
    try:
        return cast(type[EngineOptions], _load(plugin.options))
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"{plugin.options} cannot be loaded ({error}). {plugin.remedy}"
        ) from error


def _load(target: str) -> object:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # of a package above it
        return False
