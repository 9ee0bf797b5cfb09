"""Task ids: ordered by time, not to be guessed."""

from time import time
from uuid import RFC_4122, UUID

from ferrotype.task import new_task_id


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond() -> None:
    before = time()
    made = UUID(new_task_id())
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before - 0.002 <= (made.int >> 80) / 1000 <= time() + 0.002


def test_the_rest_is_random() -> None:
    rest = [UUID(new_task_id()).int for _ in range(500)]
    assert len({number & (1 << 62) - 1 for number in rest}) == 500
    for bit in (*range(62), *range(64, 76)):
        assert {number >> bit & 1 for number in rest} == {0, 1}, bit
