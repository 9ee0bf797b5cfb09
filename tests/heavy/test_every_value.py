"""Every model at every value that shapes its output: each different order once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_illustrator_values import every, hold, ordered


def test_all_that_can_be_asked_comes_out_as_asked() -> None:
    seen = set()
    for case in every():
        order = ordered(case)
        words = ("size_follows", "sound", "function", "style")
        mark = (
            order.kind, order.size, order.duration, order.fps, tuple(sorted(order.inputs)),
            *(order.fields.get(word) for word in words),
        )  # fmt: skip
        if mark not in seen:
            seen.add(mark)
            hold(case)
    assert len(seen) > 250
