"""What callers may do with tasks: create, ask, list, cancel, and wait for one at the line."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ferrotype import metrics
from ferrotype.catalogue import Catalogue, Model
from ferrotype.errors import (
    AllocationQuotaExceeded,
    Busy,
    Conflict,
    InvalidParameter,
    Missing,
    RateQuotaExceeded,
    Refused,
    TimedOut,
    Unavailable,
    UploadFailed,
)
from ferrotype.limits import VendorLimits
from ferrotype.ports.admin import Key
from ferrotype.ports.bell import Bell
from ferrotype.ports.clock import Clock
from ferrotype.ports.engine import MARK, marked
from ferrotype.ports.engine_room import Recipe, recipe_of
from ferrotype.ports.ledger import Added, Intake, ListQuery, Page
from ferrotype.ports.media_store import MediaStore
from ferrotype.rehearsal import Part, Rehearsal
from ferrotype.task import NewTask, Order, Task, new_task_id, shape_of
from ferrotype.uploads import Uploads, comes_along

TASK_ID_LENGTH = 36
NOTHING = Part(rules=())
NO_TASK = "00000000-0000-7000-8000-000000000000"


MAX_POSTED = 256 * 1024  # bytes of a body that is passed on: it is kept in the ledger
_INLINE = re.compile(r"data:[a-z]+/[a-z0-9.+-]+;base64,", re.IGNORECASE)


class Options(Struct, frozen=True, kw_only=True):
    """What an operator may set. Times in seconds.

    `seats` attended calls at once at most, `account_seats` of one account; each is renewed
    `renew_every` for `attended_for` and sent away after `patience`. `latency` makes every task take
    at least that long. Below `free_space` (a part of the store, 0 to 1; looked at every
    `space_every`) nothing new is accepted.
    """

    seats: int = 64
    account_seats: int = 32
    renew_every: float = 5.0
    attended_for: float = 15.0
    patience: float = 298.0
    latency: float = 0.0
    free_space: float = 0.05
    space_every: float = 5.0


class Submitted(Struct, frozen=True):
    """The answer to a create. `fresh` is False when an idempotency key found an earlier task."""

    task_id: str
    served_by: str
    fresh: bool = True
    rules: tuple[str, ...] = ()  # of a rehearsal, that struck it


class Service:
    """The use cases of the HTTP face. Knows no SQL, no HTTP and no engine."""

    def __init__(
        self,
        intake: Intake,
        catalogue: Catalogue,
        recipes: Sequence[Recipe],
        bell: Bell,
        clock: Clock,
        store: MediaStore,
        uploads: Uploads,
        options: Options | None = None,
        limits: VendorLimits | None = None,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        self._intake = intake
        self._catalogue = catalogue
        self._recipes = {recipe.model: recipe for recipe in recipes}
        self._bell = bell
        self._clock = clock
        self._store = store
        self._uploads = uploads
        self._options = options or Options()
        self._limits = limits
        self._rehearsal = rehearsal
        self._seated: Counter[str] = Counter()  # by account
        self._space_known_until = float("-inf")
        self._space_left = True

    def recipe(self, model: str) -> Recipe | None:
        """Return how a model is served here, or None when it is not."""
        return recipe_of(self._recipes, model)

    async def submit(
        self,
        caller: Key,
        route: str,
        body: Mapping[str, Any],
        *,
        asynchronous: bool,
        events: bool = False,
        request_id: str,
        idempotency: tuple[str, bytes] | None = None,
        resolve: bool = False,
    ) -> Submitted:
        """Check a create and commit it as a task. Raises `Refused`, `Denied` or `Busy`."""
        checked = self._catalogue.check(route, body, asynchronous=asynchronous, events=events)
        recipe = self.recipe(model := checked.model.name)
        if recipe is None or not await self._has_space():
            raise Unavailable()
        if self._limits:
            self._limits.submit(caller.account, checked.model)
        part = await self._rehearse(caller.account, model)
        order, refusal = _kept(checked.order, body, recipe, part), checked.refusal or part.refusal
        new = NewTask(
            account=caller.account,
            key=caller.id,
            model=model,
            route=route,
            order=order,
            request_id=request_id,
            served_by=recipe.served_by,
            total=checked.total,
            priority=caller.priority,
            shape=shape_of(order) if recipe.batch > 1 and refusal is None else "",
            attended_for=self._options.attended_for if checked.attended else None,
            delay=0.4 * self._options.latency + part.delay,
            idempotency=idempotency,
            refusal=refusal,
        )
        added = await self._add(new, resolve)
        self._count(added, caller.account, checked.model)
        return Submitted(added.task_id, recipe.served_by, added.fresh, part.rules)

    def _count(self, added: Added, account: str, model: Model) -> None:
        if added.fresh:
            metrics.creates(model.name).inc()
        elif self._limits:  # a repeat costs nothing
            self._limits.give_back(account, model)

    async def _rehearse(self, account: str, model: str) -> Part:
        part = await self._rehearsal.create(account, model) if self._rehearsal else None
        return part or NOTHING

    async def _add(self, new: NewTask, resolve: bool) -> Added:
        """Add a task. The files that came along are kept first, and go when it never comes to be.

        `resolve`: the caller said that there are `oss://` addresses.
        After an error that leaves open whether it did, they are left to the janitor.
        """
        if not comes_along(new.order):
            return await self._intake.add(new)
        task_id = new_task_id()
        fresh = True
        try:
            order = await self._uploads.gather(
                new.account, new.model, task_id, new.order, resolve=resolve
            )
            added = await self._intake.add(replace(new, id=task_id, order=order))
            fresh = added.fresh
        except (Refused, Missing, AllocationQuotaExceeded, UploadFailed):
            fresh = False
            raise
        finally:
            if not fresh:
                await self._uploads.forget(task_id)
        return added

    async def _has_space(self) -> bool:
        now = self._clock.steady()
        if now >= self._space_known_until:
            self._space_known_until = now + self._options.space_every
            free = await self._store.free_fraction()
            self._space_left = free is None or free >= self._options.free_space
        return self._space_left

    async def get(self, caller: Key, task_id: str, hold: float = 0.0) -> Task | None:
        """Return the caller's task, or None: no such id, somebody else's, or expired.

        A task that has not ended is waited for up to `hold` seconds: for its end alone, since a
        client that is told RUNNING goes to sleep.
        """
        if len(task_id) != TASK_ID_LENGTH:
            return None
        task = await self._intake.get(caller.account, task_id)
        if task is None or task.ended or hold <= 0:
            return task
        with metrics.HELD_POLLS.track_inprogress():
            return await self._hold(caller, task_id, hold)

    async def _hold(self, caller: Key, task_id: str, hold: float) -> Task | None:
        deadline = self._clock.steady() + hold
        async with self._bell.listen({f"task:{task_id}"}) as ear:
            while True:
                task = await self._intake.get(caller.account, task_id)
                left = deadline - self._clock.steady()
                if task is None or task.ended or left <= 0:
                    return task
                await ear.wait(left)

    async def list(self, caller: Key, query: ListQuery) -> Page:
        """Return one page of the caller's account's tasks."""
        if self._limits:
            self._limits.call(caller.account, "list")
        return await self._intake.list(caller.account, query)

    async def cancel(self, caller: Key, task_id: str) -> Task:
        """Cancel a task that was never claimed; else, and for an unknown id, `Conflict`."""
        if self._limits:
            self._limits.call(caller.account, "cancel")
        if len(task_id) != TASK_ID_LENGTH:
            raise Conflict()
        return await self._intake.cancel(caller.account, task_id)

    async def served_by(self, task_id: str) -> str | None:
        """Return who serves a task, whoever owns it; None when it is gone."""
        return await self._intake.served_by(task_id)

    async def ping(self) -> None:
        """Return when the ledger answers; raise what it raises."""
        await self._intake.get("", NO_TASK)

    @contextmanager
    def seat(self, caller: Key) -> Iterator[None]:
        """Take one of the seats for attended calls. Raises `RateQuotaExceeded` when all are taken,
        or all that the caller's account may have.

        Nobody queues: a caller that waits at the line for a seat would only time out there.
        """
        account, seated = caller.account, self._seated
        if seated.total() >= self._options.seats or seated[account] >= self._options.account_seats:
            raise RateQuotaExceeded()
        seated[account] += 1
        try:
            with metrics.ATTENDED_CALLS.track_inprogress():
                yield
        finally:
            seated[account] -= 1
            if not seated[account]:
                del seated[account]

    async def attend(self, caller: Key, submitted: Submitted) -> Task | None:
        """Wait for a task's end, telling the ledger meanwhile that its caller is still there.

        Cancelling this call (the caller hung up) asks the task to stop, as does its patience's
        end, which raises `TimedOut`. A task found by an idempotency key is left to whom it
        belongs.
        """
        task_id = submitted.task_id
        try:
            async with asyncio.timeout(self._options.patience):
                return await self._wait_at_the_line(caller, submitted)
        except TimeoutError:
            if submitted.fresh:
                await self._stop(caller, task_id)
            raise TimedOut() from None
        except asyncio.CancelledError:
            if submitted.fresh:
                await self._stop(caller, task_id)
            raise

    async def _wait_at_the_line(self, caller: Key, submitted: Submitted) -> Task | None:
        task_id = submitted.task_id
        renew_at = self._clock.steady() + self._options.renew_every
        async with self._bell.listen({f"task:{task_id}"}) as ear:
            while True:
                task = await self._intake.get(caller.account, task_id)
                if task is None or task.ended:
                    return task
                await ear.wait(max(0.0, renew_at - self._clock.steady()))
                if self._clock.steady() >= renew_at:
                    if submitted.fresh:
                        with suppress(Busy):  # not written now: there is time to try again
                            await self._intake.attend(task_id, self._options.attended_for)
                    renew_at = self._clock.steady() + self._options.renew_every

    async def _stop(self, caller: Key, task_id: str) -> None:
        """Stop a task wherever it stands. It may move while we look, so look twice.

        When both looks fail the janitor ends it: nobody attends it any more.
        """
        ways: tuple[Callable[[str, str], Coroutine[Any, Any, Task]], ...] = (
            self._intake.cancel,
            self._intake.withdraw,
            self._intake.ask_stop,
        )
        for way in ways * 2:
            try:
                await way(caller.account, task_id)
            except Conflict:
                continue
            return


def _kept(order: Order, body: Mapping[str, Any], recipe: Recipe, part: Part) -> Order:
    """Return an order with all that its attempts are to know. Raises `Refused`."""
    order = _forwarded(order, body) if recipe.forwards else order
    return replace(order, rehearsed=part.task) if part.task else order


def _forwarded(order: Order, body: Mapping[str, Any]) -> Order:
    """Keep a body to pass on: a mark for each input, all else as it came. Raises `Refused`."""
    if any(MARK.fullmatch(text) for text in _texts(body)):
        raise InvalidParameter("input:... with a number is no text that can be passed on here.")
    posted = marked(body, order.inputs)
    if len(msgspec.json.encode(posted)) > MAX_POSTED:
        raise InvalidParameter(f"The request is longer than {MAX_POSTED} bytes without its files.")
    if any(_INLINE.match(text) for text in _texts(posted)):
        raise InvalidParameter("A file is given in a field that takes none.")
    return replace(order, posted=posted)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
