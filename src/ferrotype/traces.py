"""What is told of one task to those who trace: off until somebody listens.

All of a task's spans are in one trace, whose id is the task's own: a UUIDv7 is 128 bits, as a
trace's id is. So nothing about traces is kept in the ledger or sent between processes.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

Facts = Mapping[str, str | int | float | bool]


class Span(Struct, frozen=True, kw_only=True):
    """Something that was done for a task. Times in nanoseconds since the epoch.

    `facts` never hold keys, prompts or addresses. `error` says what went wrong, "" nothing.
    `parent` is the caller's own `traceparent` header, which is pointed to. `root`: the first of
    its task, under which all others are.
    """

    name: str
    start: int
    end: int
    facts: Facts = {}
    error: str = ""
    inner: Sequence["Span"] = ()
    parent: str = ""
    root: bool = False


Listener = Callable[[str, Span], None]  # it takes the task's id, and never blocks or raises

_listeners: list[Listener] = []


def listening() -> bool:
    """Tell whether anybody wants to know: if not, spans need not be made."""
    return bool(_listeners)


def tell(task: str, span: Span) -> None:
    """Tell of a span of a task, with those inside it."""
    for listener in _listeners:
        listener(task, span)


@contextmanager
def listened_to(listener: Listener) -> Iterator[None]:
    """Let somebody listen."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def timed(spans: list[Span], name: str) -> Iterator[None]:
    """Time a part of something bigger, and note it in a list, whether it ends well or not."""
    start, error = time.time_ns(), ""
    try:
        yield
    except BaseException as broken:
        error = type(broken).__name__
        raise
    finally:
        spans.append(Span(name=name, start=start, end=time.time_ns(), error=error))
