"""The parent's side of an engine process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from ferrotype.media import Output
from ferrotype.ports.engine import Job


class Recipe(Struct, frozen=True, kw_only=True):
    """How this deployment serves a model. `model` "*" serves all that no other recipe names.

    `label` is one of "same weights", "substitute", "upstream", "illustration", "test pattern".
    `like`: the model whose rules a name of one's own has. `devices`: one engine process on each.
    `batch`: tasks of one shape that may run in one call. `narrow`: what may be asked of a field,
    where that is less than the catalogue allows. `stall` and `deadline` in seconds.
    """

    model: str
    engine: str
    label: str
    options: dict[str, Any] = {}
    like: str | None = None
    devices: tuple[str, ...] = ()
    batch: Annotated[int, Meta(ge=1, le=64)] = 1
    narrow: dict[str, Any] = {}
    stall: float = 30.0
    deadline: float = 300.0

    @property
    def served_by(self) -> str:
        """Name engine and label, as the headers and the ledger carry them."""
        return f"{self.engine}; {self.label}"

    @property
    def forwards(self) -> bool:
        """Whether tasks go to somebody else's server, as they were posted."""
        return self.label == "upstream"


def recipe_of(recipes: Mapping[str, Recipe], model: str) -> Recipe | None:
    """Return how a model is served by recipes under their models' names, or None: it is not."""
    return recipes.get(model) or recipes.get("*")


class EngineDied(Exception):
    """The engine process ended, hung or broke its protocol while it had this job.

    `alone`: this job was the only one there, or the one that did it: a fault of this task.
    """

    def __init__(self, message: str, *, alone: bool = True) -> None:
        super().__init__(message)
        self.alone = alone


class Made(Struct, frozen=True, kw_only=True):
    """What a job came to. `usage` and `shown`: what the answer tells in place of our own count."""

    outputs: Sequence[Output]
    usage: dict[str, Any] | None = None
    shown: dict[str, Any] | None = None


class EngineRoom(Protocol):
    """One engine process (or none yet). Starts another only after the last one's end."""

    @property
    def concurrency(self) -> int:
        """How many jobs may run at once in it."""

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why, by model, it cannot be served now ("*": none can)."""

    async def start(self) -> None:
        """Start the process and wait until it is ready for jobs. Raises `EngineDied`."""

    async def run(
        self,
        job: Job,
        progress: Callable[[float], None],
        note: Callable[[bytes], Awaitable[None]],
    ) -> Made:
        """Run one job. Raises `EngineRefusal`, `EngineUnfit`, `EngineDied`, or is cancelled."""

    async def stop(self, task: str, grace: float, *, final: bool = False) -> None:
        """Ask a job to stop; when it has not ended after `grace` seconds, kill the process.

        `final`: the task does not come again.
        """

    async def close(self) -> None:
        """End the process and wait for its end."""
