"""The one question asked of the catalogue: may this be asked, and what exactly is asked?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from ferrotype.catalogue.model import Model
from ferrotype.catalogue.narrow import BadNarrowing, narrowed
from ferrotype.catalogue.plan import Plan
from ferrotype.catalogue.reader import BadCatalogue, read, unserved
from ferrotype.errors import (
    Denied,
    EmptyModel,
    IllegalInput,
    InvalidParameter,
    ModelNotFound,
)
from ferrotype.task import Order

WRONG_PATH = (
    "url error, please check url！ For details, see: "
    "https://help.aliyun.com/zh/model-studio/error-code"
)
NO_SYNC = "current user api does not support synchronous calls"
NO_ASYNC = "current user api does not support asynchronous calls"
NOT_SERVED = "The model is not served here."
UNSERVED = {known.path: frozenset(known.models) for known in unserved()}

UnknownModel = Literal["400", "404"]


class Mismatch(InvalidParameter):
    """x-dashscope-sse and stream parameter mismatch."""

    def __init__(self, events: bool, stream: bool) -> None:
        header = "enable" if events else "disable"
        super().__init__(
            "x-dashscope-sse and stream parameter mismatch. "
            f"Received: x-dashscope-sse={header}, stream={stream}"
        )


class Checked(Struct, frozen=True, kw_only=True):
    """A request that may be served.

    `total`: outputs asked for. `refusal` (code, message): the task must end FAILED with it.
    `attended`: the caller waits for the answer on this very request.
    """

    model: Model
    order: Order
    total: int
    refusal: tuple[str, str] | None
    attended: bool


class Catalogue:
    """All models of a deployment. Never changes once made."""

    def __init__(self, entries: Mapping[str, Plan], unknown_model: UnknownModel = "400") -> None:
        self._entries = dict(entries)
        self._unknown = unknown_model
        self._plans: dict[str, dict[str, Plan]] = {}
        models: dict[str, Model] = {}
        for entry, plan in self._entries.items():
            model = plan.model
            for route in model.routes:
                if self._plans.setdefault(model.name, {}).setdefault(route, plan) is not plan:
                    raise BadCatalogue(f"{entry}: {model.name} has another entry on {route}")
            if entry == model.name or model.name not in models:
                models[model.name] = model
        self.models: Mapping[str, Model] = MappingProxyType(models)

    @classmethod
    def load(cls, extra: Sequence[Path] = (), unknown_model: UnknownModel = "400") -> "Catalogue":
        """Read the built-in files, then the files and folders of `extra`; later wins.

        `unknown_model` is the status that answers for a model nobody knows. Raises `BadCatalogue`.
        """
        return cls(read(extra), unknown_model)

    def with_model(self, name: str, like: str) -> "Catalogue":
        """Return a catalogue that also has `name`, which callers may use as they use `like`."""
        if like not in self.models:
            raise BadCatalogue(f"{name}: like: there is no model {like!r}")
        if name in self.models:
            raise BadCatalogue(f"{name}: there is a model of that name already")
        more = {
            name + entry.removeprefix(like): Plan(replace(plan.model, name=name, like=like))
            for entry, plan in self._entries.items()
            if plan.model.name == like
        }
        return Catalogue({**self._entries, **more}, self._unknown)

    def narrowed(self, name: str, said: Mapping[str, Any]) -> "Catalogue":
        """Return a catalogue in which less may be asked of a model. Raises `BadCatalogue`."""
        mine = [entry for entry, plan in self._entries.items() if plan.model.name == name]
        try:
            models = narrowed([self._entries[entry].model for entry in mine], said)
        except BadNarrowing as error:
            raise BadCatalogue(f"narrow: {error}") from None
        less = {entry: Plan(model) for entry, model in zip(mine, models, strict=True)}
        return Catalogue({**self._entries, **less}, self._unknown)

    def on_route(self, name: str, route: str) -> Model:
        """Return a model as it is on a route (its fields and usage may differ). KeyError: none."""
        return self._plans[name][route].model

    def nearest(self, name: str, route: str) -> Model:
        """Return a model as it is on a route, else as it is at all: tasks outlive catalogues.

        KeyError: there is no such model any more.
        """
        plan = self._plans[name].get(route)
        return plan.model if plan else self.models[name]

    @property
    def entries(self) -> tuple[Model, ...]:
        """All models, one that has another body on another route once for each."""
        return tuple(plan.model for plan in self._entries.values())

    def models_on(self, route: str) -> tuple[Model, ...]:
        """Return the models that are served on a route, as they are on it."""
        return tuple(plans[route].model for plans in self._plans.values() if route in plans)

    @property
    def routes(self) -> frozenset[str]:
        """Every create path that some model is served on."""
        return frozenset(route for plans in self._plans.values() for route in plans)

    def check(
        self, route: str, body: Mapping[str, Any], *, asynchronous: bool, events: bool = False
    ) -> Checked:
        """Check a create request on `route`, the path after `/api/v1/services/aigc/`.

        `asynchronous`: the caller sent `X-DashScope-Async: enable`; `events`: the caller, who
        waits, sent `X-DashScope-SSE: enable`. Raises `Refused`, `Denied`, or `ModelNotFound`.
        """
        if not isinstance(body, Mapping):
            raise IllegalInput
        plan = self._find(body.get("model"), route)
        attended = self._attended(plan.model.routes[route], asynchronous)
        order, refusal = plan.order(body)
        if attended:
            _must_match(plan.streams(body), events, order)
        return Checked(
            model=plan.model, order=order, total=order.n, refusal=refusal, attended=attended
        )

    def must_know(self, name: str, route: str = "") -> None:
        """Raise what answers for a model that nobody knows, or none serves, if it is one.

        On a `route` on which nothing is served, no model is.
        """
        if name in self._plans:
            return
        known = any(name in names for names in UNSERVED.values())
        if known or (route in UNSERVED and route not in self.routes):
            raise (ModelNotFound if self._unknown == "404" else InvalidParameter)(NOT_SERVED)
        raise ModelNotFound if self._unknown == "404" else InvalidParameter("Model not exist.")

    def _find(self, name: Any, route: str) -> Plan:
        if name is None or name == "":
            raise EmptyModel
        if not isinstance(name, str):
            raise InvalidParameter(
                "the parameters must conform to the specification: model must be text"
            )
        self.must_know(name, route)
        plan = self._plans[name].get(route)
        if plan is None:
            raise InvalidParameter(WRONG_PATH)
        return plan

    @staticmethod
    def _attended(modes: Sequence[str], asynchronous: bool) -> bool:
        if asynchronous and "async" not in modes:
            raise Denied(NO_ASYNC)
        if not asynchronous and "sync" not in modes:
            raise Denied(NO_SYNC)
        return not asynchronous


def _must_match(streams: bool, events: bool, order: Order) -> None:
    """Raise `Mismatch` unless what streams is asked for as a stream, and nothing else is."""
    stream = order.fields.get("stream", True) if streams else False
    if events != streams or stream != streams:
        raise Mismatch(events, stream)
