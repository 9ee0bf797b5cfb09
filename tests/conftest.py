"""Servers that several tests share: real processes, started when the first test asks."""

from collections.abc import Iterator

import pytest

from ferrotype.testing import Server, server


@pytest.fixture(scope="session")
def served() -> Iterator[Server]:
    """A Ferrotype as a newcomer starts it: the illustrator, any key."""
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def slow() -> Iterator[Server]:
    """One whose tasks are PENDING for 1.6 s and end 4 s after their create."""
    with server(engine="echo", latency="4s") as running:
        yield running


@pytest.fixture(scope="session")
def held() -> Iterator[Server]:
    """One whose tasks are PENDING for longer than any test."""
    with server(engine="echo", latency="20m") as running:
        yield running


@pytest.fixture(scope="session")
def guarded() -> Iterator[Server]:
    """One that takes its own key only; the engine echo ends a task at once."""
    with server(engine="echo", any_key=0) as running:
        yield running
