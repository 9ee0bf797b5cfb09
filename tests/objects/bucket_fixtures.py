"""One S3 server for all tests of the group; a bucket for each."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from swift import Swift, serving


@pytest.fixture(scope="session")
def swift() -> Iterator[Swift]:
    with serving() as running:
        yield running


@pytest.fixture
def bucket(swift: Swift) -> str:
    """The name of a fresh bucket."""
    name = f"b{uuid4().hex}"
    swift.make_bucket(name)
    return name
