"""What settings come to in the parts that are made from them."""

from pathlib import Path
from typing import Any

import pytest

from ferrotype.errors import FerrotypeError, InvalidParameter, ModelNotFound
from ferrotype.settings import load
from ferrotype.wiring.shared import load_catalogue, make_janitor


@pytest.mark.parametrize(
    ("flags", "error"), [({}, InvalidParameter), ({"unknown_model": "404"}, ModelNotFound)]
)
def test_an_unknown_model_is_answered_as_the_operator_says(
    flags: dict[str, object], error: type[FerrotypeError]
) -> None:
    catalogue = load_catalogue(load(flags, environ={}))
    with pytest.raises(error):
        catalogue.check("text2image/image-synthesis", {"model": "nonesuch"}, asynchronous=True)


async def test_a_result_that_is_held_back_for_its_latency_is_not_overdue(tmp_path: Path) -> None:
    asked: list[tuple[Any, float]] = []

    class Upkeep:
        async def lead(self) -> bool:
            return True

        async def end_overdue(self, deadlines: Any, default: float) -> int:
            asked.append((deadlines, default))
            return 0

        def __getattr__(self, name: str) -> Any:
            async def nothing(*_: object) -> tuple[()]:
                return ()

            return nothing

    upkeep: Any = Upkeep()
    chosen = load({"latency": "20m", "data_dir": tmp_path}, environ={})
    store: Any = type("Store", (), {"days": upkeep.days})()
    uploads: Any = type("Uploads", (), {"sweep": upkeep.days})()
    await make_janitor(chosen, upkeep, store, uploads).round()
    ((deadlines, default),) = asked
    assert not deadlines
    assert default >= 300 + 0.6 * 20 * 60
