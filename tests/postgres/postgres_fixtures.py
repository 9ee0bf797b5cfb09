"""One server for all tests of the group; a database for each."""

from collections.abc import Iterator

import pytest
from bench.postgres import Server, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # what a commit survives is the matter of the scenarios; here it would only take time
    with serving(fsync="off", synchronous_commit="off") as running:
        yield running
