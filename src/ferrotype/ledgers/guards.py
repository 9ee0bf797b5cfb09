"""The conditions of every move in SQL. They are made from `task.RULES` and nowhere else."""

from ferrotype.task import MAX_FAULTS, Rule, Status


def guard_of(rule: Rule, *, row: str = "", given: str = ":") -> str:
    """Return the SQL condition under which a rule lets a row move.

    `row` stands before the names of the row's columns, `given` before those of what the holder
    says (`attempt`, `worker`).
    """
    among = ", ".join(f"'{status}'" for status in sorted(rule.sources))
    terms = [f"{row}status IN ({among})"]
    if rule.holder:
        terms.append(f"{row}attempt = {given}attempt AND {row}worker = {given}worker")
    if rule.claimed is not None:
        terms.append(f"{row}attempt > 0" if rule.claimed else f"{row}attempt = 0")
    if rule.stopping is not None:
        terms.append(f"{row}stop_at IS NOT NULL" if rule.stopping else f"{row}stop_at IS NULL")
    return " AND ".join(terms)


def targets_of(rule: Rule, *, row: str = "") -> list[tuple[str, Status]]:
    """Return the rule's targets in the order in which they apply, each with its condition."""
    cases = []
    if rule.if_stopping:
        cases.append((f"{row}stop_at IS NOT NULL", rule.if_stopping))
    if rule.if_exhausted:
        cases.append((f"{row}faults + 1 >= {MAX_FAULTS}", rule.if_exhausted))
    if rule.target:
        cases.append(("true", rule.target))
    return cases
