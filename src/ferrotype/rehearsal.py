"""Rehearsal: failures and delays on demand, so that clients can be tried against them.

A rule says for which model and account something happens, how often, and what. What concerns a
task is decided when it is created, and travels on it; what concerns answers is decided at each.
Without rules nothing is done but a look at a list that is read anew once a second.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ferrotype.errors import InvalidParameter, Told, message_of
from ferrotype.ports.clock import Clock
from ferrotype.ports.rehearsal import Book, Entry
from ferrotype.task import Rehearsed, Task

FRESH = 1.0  # seconds: so late may another process's rule strike
Code = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9. ]{0,63}$")]
Text = Annotated[str, Meta(max_length=1000)]
Seconds = Annotated[float, Meta(ge=0, le=240)]


class Failure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error of this code: of the create call, of the task, or of each query.

    `status` is the HTTP status of a call's error, where it is not the code's own.
    """

    code: Code
    message: Text | None = None
    at: Literal["create", "task", "query"] = "task"
    status: Annotated[int, Meta(ge=400, le=599)] | None = None


class Partial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """These of a task's pictures fail, counted from 0; of all of them, the task fails."""

    indexes: Annotated[tuple[Annotated[int, Meta(ge=0, le=99)], ...], Meta(min_length=1)]
    code: Code = "InternalError.Timeout"
    message: Text | None = None


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens, to whom, how often.

    `model`, `account`: None is any. It strikes `times` in all (None: always), in a `share` of the
    cases (0 to 1, by chance from `seed`), and for `seconds`. `pending` and `running` are seconds
    that a task stays so at least. `expired`: result URLs that have ended, or tasks that are gone.
    `placeholders`: inputs that cannot be fetched are replaced.
    """

    model: Text | None = None
    account: Text | None = None
    times: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: int = 0
    seconds: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    pending: Seconds = 0.0
    running: Seconds = 0.0
    fail: Failure | None = None
    partial: Partial | None = None
    expired: Literal["urls", "tasks"] | None = None
    placeholders: bool = False

    @property
    def answers(self) -> bool:
        """Whether it strikes answers, not creates."""
        return self.expired is not None or (self.fail is not None and self.fail.at == "query")


class Part(Struct, frozen=True, kw_only=True):
    """What the rules that struck ask of one create."""

    rules: tuple[str, ...]
    delay: float = 0.0
    refusal: tuple[str, str] | None = None
    task: Rehearsed | None = None


def read(body: bytes) -> Rule:
    """Read a rule. Raises `InvalidParameter`, saying where it is wrong."""
    try:
        rule = msgspec.json.decode(body, type=Rule)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"The rule cannot be read: {error}.") from None
    if (
        msgspec.structs.replace(
            rule, model=None, account=None, times=None, share=1.0, seed=0, seconds=None
        )
        == Rule()
    ):
        raise InvalidParameter("The rule says nothing that is to happen.")
    if rule.answers and (rule.times or rule.share < 1):
        raise InvalidParameter("A rule about answers strikes each of them: no times, no share.")
    return rule


class Rehearsal:
    """Keeps the rules at hand, and says which of them strike."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._read_at = float("-inf")
        self._rules: Sequence[tuple[Entry, Rule]] = ()
        self._seen: Counter[str] = Counter()

    async def add(self, body: bytes) -> tuple[Entry, Rule]:
        """Write a rule. Raises `InvalidParameter`."""
        rule = read(body)
        text = msgspec.json.encode(rule)
        rule_id = await self._book.write_rule(text, rule.times, rule.seconds)
        for entry, known in await self.list():
            if entry.id == rule_id:
                return entry, known
        raise InvalidParameter("The rule ended before it was read.")

    async def list(self) -> Sequence[tuple[Entry, Rule]]:
        """Return all rules as they are written now."""
        self._read_at = float("-inf")
        return await self._known()

    async def erase(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all; return how many went."""
        gone = await self._book.erase_rules(rule_id)
        self._read_at = float("-inf")
        return gone

    async def _known(self) -> Sequence[tuple[Entry, Rule]]:
        now = self._clock.steady()
        if now >= self._read_at + FRESH:
            self._read_at = now
            self._rules = [
                (entry, msgspec.json.decode(entry.rule, type=Rule))
                for entry in await self._book.rules()
            ]
        return self._rules

    async def create(self, account: str, model: str) -> Part | None:
        """Return what is to happen to a create, or None. Raises `Told` when it is to fail."""
        struck = []
        for entry, rule in _about(await self._known(), account, model):
            if not rule.answers and self._strikes(entry, rule) and await self._take(entry):
                struck.append((entry.id, rule))
        return _together(struck) if struck else None

    async def query(self, task: Task) -> bool:
        """Return whether a task is to be gone. Raises `Told` when the query is to fail."""
        gone = False
        for _, rule in _about(await self._known(), task.account, task.model):
            if rule.fail and rule.fail.at == "query":
                raise _error(rule.fail)
            gone = gone or rule.expired == "tasks"
        return gone

    async def urls_ended(self, task: Task) -> bool:
        """Return whether a task's URLs are to have ended."""
        rules = _about(await self._known(), task.account, task.model)
        return any(rule.expired == "urls" for _, rule in rules)

    def _strikes(self, entry: Entry, rule: Rule) -> bool:
        """Draw a rule's lot: the n-th create's falls the same each time."""
        if rule.share >= 1:
            return True
        self._seen[entry.id] += 1
        dice = random.Random(f"{rule.seed}:{self._seen[entry.id]}")
        return dice.random() < rule.share

    async def _take(self, entry: Entry) -> bool:
        if entry.left is None:
            return True
        self._read_at = float("-inf")
        return await self._book.take_rule(entry.id)


def _about(
    rules: Sequence[tuple[Entry, Rule]], account: str, model: str
) -> Iterator[tuple[Entry, Rule]]:
    for entry, rule in rules:
        if rule.model in (None, model) and rule.account in (None, account):
            yield entry, rule


def _together(struck: Sequence[tuple[str, Rule]]) -> Part:
    """Put together what several rules ask: delays add up, of failures the first holds."""
    failure = next((rule.fail for _, rule in struck if rule.fail), None)
    if failure and failure.at == "create":
        raise _error(failure)
    failed: dict[int, tuple[str, str]] = {}
    for _, rule in struck:
        if rule.partial:
            told = (rule.partial.code, rule.partial.message or message_of(rule.partial.code))
            failed |= dict.fromkeys(rule.partial.indexes, told)
    task = Rehearsed(
        running=sum(rule.running for _, rule in struck),
        failed=failed,
        placeholders=any(rule.placeholders for _, rule in struck),
    )
    return Part(
        rules=tuple(rule_id for rule_id, _ in struck),
        delay=sum(rule.pending for _, rule in struck),
        refusal=(failure.code, failure.message or message_of(failure.code)) if failure else None,
        task=task if task != Rehearsed() else None,
    )


def _error(failure: Failure) -> Told:
    return Told(failure.code, failure.message or message_of(failure.code), failure.status)


def shown(entry: Entry, rule: Rule) -> dict[str, Any]:
    """Return a rule as plain data, with its id and the strikes that are left."""
    said: dict[str, Any] = msgspec.to_builtins(rule)
    return {"id": entry.id, **said} | ({} if entry.left is None else {"left": entry.left})
