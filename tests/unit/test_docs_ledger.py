"""docs/ledger.md shows the moves as `task.RULES` has them."""

from pathlib import Path

from ferrotype.task import RULES, Move, Rule, Status

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


def conditions(rule: Rule) -> str:
    asked = {
        "holder": rule.holder,
        "claimed before": rule.claimed is True,
        "never claimed": rule.claimed is False,
        "a stop was asked for": rule.stopping is True,
        "no stop was asked for": rule.stopping is False,
    }
    return ", ".join(name for name, holds in asked.items() if holds)


def target(move: Move, rule: Rule) -> str:
    ends = [f"`{rule.target}`" if rule.target else "gone"]
    if rule.if_stopping:
        ends.append(f"`{rule.if_stopping}` if a stop was asked for")
    if rule.if_exhausted:
        ends.append(f"`{rule.if_exhausted}` at the last fault")
    return ", ".join(ends)


def table() -> str:
    lines = ["| move | from | to | who | only if |", "|---|---|---|---|---|"]
    for move, rule in RULES.items():
        sources = ", ".join(f"`{status}`" for status in Status if status in rule.sources)
        who = ", ".join(sorted(rule.who))
        lines.append(f"| {move} | {sources} | {target(move, rule)} | {who} | {conditions(rule)} |")
    return "\n".join(lines) + "\n"


def test_the_page_shows_every_move_as_the_code_has_it() -> None:
    shown = PAGE.read_text("utf-8").split("<!-- moves -->\n")[1].split("<!-- /moves -->")[0]
    assert shown == table(), f"docs/ledger.md should show:\n{table()}"
