"""The parent's side of an engine process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from ferrotype.media import Output
from ferrotype.ports.engine import Job


class Recipe(Struct, frozen=True, kw_only=True):
    """How this deployment serves a model. `model` "*" serves all that no other recipe names.

    `label` is one of "same weights", "substitute", "upstream", "illustration", "test pattern".
    `stall` and `deadline` in seconds; `slots` engine processes to run at once.
    """

    model: str
    engine: str
    label: str
    options: dict[str, Any] = {}
    stall: float = 30.0
    deadline: float = 300.0

    @property
    def served_by(self) -> str:
        """Name engine and label, as the headers and the ledger carry them."""
        return f"{self.engine}; {self.label}"


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


class EngineRoom(Protocol):
    """One engine process (or none yet). Starts another only after the last one's end."""

    @property
    def concurrency(self) -> int:
        """How many jobs may run at once in it."""

    async def start(self) -> None:
        """Start the process and wait until it is ready for jobs. Raises `EngineDied`."""

    async def run(
        self,
        job: Job,
        progress: Callable[[float], None],
        note: Callable[[bytes], Awaitable[None]],
    ) -> Sequence[Output]:
        """Run one job. Raises `EngineRefusal`, `EngineDied`, or `asyncio.CancelledError`."""

    async def stop(self, task: str, grace: float) -> None:
        """Ask a job to stop; when it has not ended after `grace` seconds, kill the process."""

    async def close(self) -> None:
        """End the process and wait for its end."""
