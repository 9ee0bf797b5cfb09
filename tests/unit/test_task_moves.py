"""The table of moves itself, and the SQL that is made from it."""

import pytest

from ferrotype.ledgers.guards import guard_of
from ferrotype.ledgers.sqlite import moves
from ferrotype.task import FINAL, RULES, Move, Rule, Status, Who


def test_the_final_statuses() -> None:
    assert {Status.SUCCEEDED, Status.FAILED, Status.CANCELED} == FINAL


def test_every_move_has_a_rule() -> None:
    assert set(RULES) == set(Move)


def test_only_an_operator_moves_what_a_worker_holds_without_its_lease() -> None:
    free = {
        move for move, rule in RULES.items() if Status.RUNNING in rule.sources and not rule.holder
    }
    assert free == {Move.LOSE, Move.ASK_STOP, Move.REQUEUE, Move.DROP}


def test_every_status_can_be_left_or_is_final() -> None:
    left = {status for rule in RULES.values() for status in rule.sources if rule.target}
    assert left == set(Status) - FINAL


@pytest.mark.parametrize(
    ("rule", "guard"),
    [
        (RULES[Move.CANCEL], "status IN ('PENDING') AND attempt = 0"),
        (RULES[Move.CLAIM], "status IN ('PENDING') AND stop_at IS NULL"),
        (RULES[Move.DROP], "status IN ('PENDING', 'RUNNING')"),
        (
            RULES[Move.STOPPED],
            "status IN ('RUNNING') AND attempt = :attempt AND worker = :worker"
            " AND stop_at IS NOT NULL",
        ),
    ],
)
def test_guards_come_from_the_rules(rule: Rule, guard: str) -> None:
    assert guard_of(rule) == guard


def test_every_guard_is_in_its_statement() -> None:
    for move, sql in moves.SQL.items():
        assert guard_of(RULES[move]) in sql
    assert set(moves.SQL) == set(Move) - {Move.ADD, Move.EXPIRE}


def test_every_move_names_who_may_make_it() -> None:
    assert all(rule.who for rule in RULES.values())
    assert set().union(*(rule.who for rule in RULES.values())) == set(Who)
