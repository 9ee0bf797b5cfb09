"""docs/observe.md names every metric that there is."""

from pathlib import Path

from prometheus_client.core import Metric

from ferrotype import metrics
from ferrotype.ports.watch import VITALS

DOC = Path(__file__).parents[2] / "docs" / "observe.md"
QUEUE = {  # read from the ledger when they are asked for
    "ferrotype_ledger_up",
    "ferrotype_queue_tasks",
    "ferrotype_queue_oldest_seconds",
    "ferrotype_queue_workers",
    "ferrotype_workers",
}


def rows() -> list[str]:
    """Return the table's lines, as the registry has them."""
    found: list[Metric] = sorted(metrics.REGISTRY.collect(), key=lambda one: one.name)
    named = [(one.name + ("_total" if one.type == "counter" else ""), one) for one in found]
    return [f"| `{name}` | {one.type} | {one.documentation} |" for name, one in named]


def test_every_metric_is_in_the_table() -> None:
    text = DOC.read_text()
    missing = [row for row in rows() if row not in text]
    assert not missing, "\n".join(rows())


def test_every_gauge_of_the_ledger_is_in_the_table() -> None:
    text = DOC.read_text()
    for name in QUEUE | {f"ferrotype_ledger_{vital}" for vital in VITALS}:
        assert f"| `{name}` |" in text
