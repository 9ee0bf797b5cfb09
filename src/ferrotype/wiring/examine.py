"""Looks at recipes as far as it can be done without a network and with nothing heavy loaded."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from ferrotype import plugins
from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.catalogue.narrow import unserved_defaults
from ferrotype.ports.engine_room import Recipe
from ferrotype.settings import Settings
from ferrotype.settings.recipes import near, resolve
from ferrotype.weights import WeightsError, faults, folder_of, read_manifest, wants
from ferrotype.wiring.finding import Finding
from ferrotype.wiring.shared import with_name, with_narrowing

DEVICES = Path("/dev")
GPUS = ("nvidia[0-9]*", "kfd", "nvidiactl", "dxg")


class Examiner:
    """Looks at the recipes of a deployment, one by one. `hashes`: read all pulled weights too."""

    def __init__(self, settings: Settings, *, hashes: bool = False) -> None:
        self._weights, self._hashes = settings.weights_dir, hashes
        self._known = Catalogue.load()
        self._unnamed: dict[str, str] = {}
        for recipe in settings.all_recipes:
            try:
                self._known = with_name(self._known, recipe)
            except BadCatalogue as error:
                self._unnamed[recipe.model] = str(error)

    def findings(self, recipe: Recipe) -> list[Finding]:
        """Return what is wrong with a recipe, and what to know of it; never "ok"."""
        return [
            *self._of_model(recipe),
            *self._of_engine(recipe),
            *self._of_weights(recipe),
            *_of_devices(recipe),
        ]

    def narrowing(self, recipe: Recipe) -> str:
        """Say in one line what a sound recipe narrows; nothing where it does not."""
        known = with_narrowing(self._known, recipe)
        limits = known.models[recipe.model].limits if recipe.narrow else ()
        return "; ".join(f"{limit.place.name}: {limit.say()}" for limit in limits)

    def _of_model(self, recipe: Recipe) -> Iterator[Finding]:
        """The name, its rules, and what the recipe narrows of them."""
        if said := self._unnamed.get(recipe.model):
            yield Finding("broken", f"{said}.", "See docs/recipes.md.")
            return
        try:
            known = with_narrowing(self._known, recipe)
        except BadCatalogue as error:
            yield Finding("broken", f"{error}.", "Put right what narrow says, or take it out.")
            return
        if recipe.narrow:
            yield from _to_send(known, recipe.model)

    def _of_engine(self, recipe: Recipe) -> Iterator[Finding]:
        """The engine, and what the recipe says to it."""
        try:
            plugin = plugins.find_engine(recipe.engine)
            options = plugins.load_options(plugin)
        except plugins.PluginError as error:
            yield Finding("broken", str(error), "See engine in the recipe.")
            return
        if absent := plugins.missing(plugin):
            said = f"the engine {recipe.engine} lacks {', '.join(absent)}"
            yield Finding("broken", said, plugin.remedy)
        if options is None:
            said = f"{recipe.engine} does not say what its options may be: they are not checked"
            yield Finding("note", said)
            return
        yield from _of_options(recipe, plugin, options)

    def _of_weights(self, recipe: Recipe) -> Iterator[Finding]:
        """Weights of a hub: pulled, and as they were then."""
        for want in wants(recipe.options):
            if not want.pinned:
                said = f"{want.hub} has no pinned revision ({want.revision!r})"
                fix = "Write the 40 hex digits of a commit, or let `ferrotype recipes pin` do it."
                yield Finding("broken", said, fix)
                continue
            folder = folder_of(self._weights, want.hub, want.revision)
            pull = f"`ferrotype recipes pull {recipe.model}`"
            try:
                manifest = read_manifest(folder)
            except WeightsError as error:
                yield Finding("broken", str(error), f"Remove {folder}, then {pull}.")
                continue
            if manifest is None or want.file not in manifest.wanted:
                what = f"{want.hub} {want.file}".rstrip()
                yield Finding("broken", f"{what} is not pulled yet", pull)
                continue
            for fault in faults(folder, manifest, hashes=self._hashes):
                fix = f"Remove that file from {folder}, then {pull}."
                yield Finding("broken", f"{want.hub}: {fault}", fix)


def _to_send(catalogue: Catalogue, model: str) -> Iterator[Finding]:
    defaults: dict[str, Any] = {}
    for entry in catalogue.entries:
        if entry.name == model:
            defaults |= unserved_defaults(entry)
    for field, default in defaults.items():
        said = f"callers must send {field}: its default ({default}) is not served"
        yield Finding("note", said)


def _of_options(
    recipe: Recipe, plugin: plugins.Plugin, kind: type[plugins.EngineOptions]
) -> Iterator[Finding]:
    unset = sorted(set(_unset(recipe.options)))
    for name in unset:
        said = f"options: the variable {name} is not set here"
        yield Finding("broken", said, "Set it where the worker runs.")
    if unset:
        return
    known = {field.name for field in msgspec.structs.fields(cast(type[Struct], kind))}
    if recipe.devices and not plugin.shares and "device" not in known:
        said = f"devices: the engine {recipe.engine} does not run on devices"
        yield Finding("broken", said, "Take devices out.")
    try:
        options = msgspec.convert(resolve(recipe.options, "options"), kind)
    except msgspec.ValidationError as error:
        wrong = [name for name in recipe.options if name not in known]
        hint = "".join(near(name, known) for name in wrong)
        yield Finding("broken", f"options: {error}.{hint}", _listed(recipe.engine, known))
        return
    unpinned = {want.hub for want in wants(recipe.options) if not want.pinned}
    for problem in options.problems():
        if not any(hub in problem for hub in unpinned):  # of those it is said how to pin them
            yield Finding("broken", problem)
    at_once = getattr(options, "concurrency", recipe.batch)
    if recipe.batch > at_once:
        said = f"batch is {recipe.batch}, but the engine runs {at_once} jobs at once"
        yield Finding("broken", said, f"Set options.concurrency to {recipe.batch} at least.")


def _listed(engine: str, known: Iterable[str]) -> str:
    return f"The options of {engine} are {', '.join(sorted(known))}."


def _unset(value: Any) -> Iterator[str]:
    """Name the variables that `{ env = "NAME" }` asks for, at any depth, and that are not set."""
    if isinstance(value, list):
        for item in value:
            yield from _unset(item)
    if isinstance(value, Mapping):
        if value.keys() == {"env"} and not os.environ.get(str(value["env"])):
            yield str(value["env"])
        for item in value.values():
            yield from _unset(item)


def _of_devices(recipe: Recipe) -> Iterator[Finding]:
    twice = sorted({device for device in recipe.devices if recipe.devices.count(device) > 1})
    if twice:
        said = f"devices: {', '.join(twice)} stands there twice"
        yield Finding("broken", said, "Name each device once.")
    wanted = any(device.startswith("cuda") for device in recipe.devices)
    if wanted and not any(True for name in GPUS for _ in DEVICES.glob(name)):
        yield Finding("note", f"devices: this machine shows no GPU for {', '.join(recipe.devices)}")
