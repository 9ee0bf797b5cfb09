"""What we count and time, under the names that Prometheus sees.

Labels are few, and from lists of ours: routes, codes, models. Never a task, a key or a prompt.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from ferrotype import __version__

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
_BUILD = Gauge(
    "ferrotype_build_info", "1, with the version that runs.", ["version"], registry=REGISTRY
)
_BUILD.labels(__version__).set(1)

_REQUESTS = Histogram(
    "ferrotype_http_request_seconds",
    "Requests answered, and the time from their headers to the end of their answer.",
    ["route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300),
    registry=REGISTRY,
)
_SENT_BYTES = Counter(
    "ferrotype_http_sent_bytes", "Bytes of answers, heads left out.", ["route"], registry=REGISTRY
)
_ERRORS = Counter(
    "ferrotype_http_errors",
    'Refusals and failures that were answered, by their code ("Rehearsed" if they were asked for).',
    ["code"],
    registry=REGISTRY,
)
_CREATES = Counter("ferrotype_tasks_created", "Tasks accepted.", ["model"], registry=REGISTRY)
_CLAIMS = Counter("ferrotype_tasks_claimed", "Tasks claimed.", ["model"], registry=REGISTRY)
_ENDS = Counter(
    "ferrotype_tasks_ended", "Tasks ended by workers.", ["model", "status"], registry=REGISTRY
)
_RETURNS = Counter(
    "ferrotype_tasks_returned",
    "Tasks that workers gave back to the queue, after faults and drains.",
    ["model"],
    registry=REGISTRY,
)
_LEASES_LOST = Counter(
    "ferrotype_leases_lost",
    "Attempts whose task was no longer their worker's when they ended.",
    ["model"],
    registry=REGISTRY,
)
_FAULTS = Counter(
    "ferrotype_engine_faults",
    "Engine deaths, hangs and broken promises under a task.",
    ["model"],
    registry=REGISTRY,
)
_TASK_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 10800)
_WAIT_SECONDS = Histogram(
    "ferrotype_task_wait_seconds",
    "Time from a task's creation to its first claim.",
    ["model"],
    buckets=_TASK_BUCKETS,
    registry=REGISTRY,
)
_RUN_SECONDS = Histogram(
    "ferrotype_task_run_seconds",
    "Time from a task's last claim to its end.",
    ["model"],
    buckets=_TASK_BUCKETS,
    registry=REGISTRY,
)
_ATTEMPTS = Histogram(
    "ferrotype_task_attempts",
    "Attempts that ended tasks took.",
    ["model"],
    buckets=(1, 2, 3, 4, 5, 10),
    registry=REGISTRY,
)
_INPUT_BYTES = Counter(
    "ferrotype_input_bytes",
    "Bytes of callers' files, as engines got them.",
    ["model"],
    registry=REGISTRY,
)
_RESULT_BYTES = Counter(
    "ferrotype_result_bytes", "Bytes of results kept in the store.", ["model"], registry=REGISTRY
)
_CHORES = Counter(
    "ferrotype_janitor_done",
    "What janitors did: workers found dead, tasks made ready, ended, stopped and removed.",
    ["chore"],
    registry=REGISTRY,
)
_CHORE_FAULTS = Counter(
    "ferrotype_janitor_faults", "Turns of chores that failed.", ["chore"], registry=REGISTRY
)
HELD_POLLS = Gauge(
    "ferrotype_held_polls", "Queries now waiting for their task's end.", registry=REGISTRY
)
ATTENDED_CALLS = Gauge(
    "ferrotype_attended_calls", "Synchronous calls now waiting.", registry=REGISTRY
)
_EVENTS = Counter(
    "ferrotype_events",
    "Tries to tell a receiver of a task's end.",
    ["receiver", "outcome"],
    registry=REGISTRY,
)
EVENTS_GIVEN_UP = Counter(
    "ferrotype_events_given_up", "Events that nobody took within a day.", registry=REGISTRY
)
_THROTTLED = Counter(
    "ferrotype_requests_throttled",
    "Requests that the vendor's limits refused.",
    ["what"],
    registry=REGISTRY,
)
LOG_LINES_DROPPED = Counter(
    "ferrotype_access_log_lines_dropped",
    "Access log lines dropped because their reader was too slow.",
    registry=REGISTRY,
)


@cache
def requests(route: str, status: int) -> Histogram:
    """Return the timer, and counter, of one route's answers with one status."""
    return _REQUESTS.labels(route, str(status))


@cache
def sent_bytes(route: str) -> Counter:
    """Return the counter of the bytes of one route's answers."""
    return _SENT_BYTES.labels(route)


@cache
def errors(code: str) -> Counter:
    """Return the counter of answers with one code of an error."""
    return _ERRORS.labels(code)


@cache
def creates(model: str) -> Counter:
    """Return the counter of a model's accepted tasks."""
    return _CREATES.labels(model)


@cache
def claims(model: str) -> Counter:
    """Return the counter of a model's claims."""
    return _CLAIMS.labels(model)


@cache
def ends(model: str, status: str) -> Counter:
    """Return the counter of a model's tasks that a worker ended in one status."""
    return _ENDS.labels(model, status)


@cache
def returns(model: str) -> Counter:
    """Return the counter of a model's tasks that went back to the queue."""
    return _RETURNS.labels(model)


@cache
def leases_lost(model: str) -> Counter:
    """Return the counter of a model's attempts that were for nothing: their lease was lost."""
    return _LEASES_LOST.labels(model)


@cache
def attempts(model: str) -> Histogram:
    """Return the histogram of how many attempts a model's ended tasks took."""
    return _ATTEMPTS.labels(model)


@cache
def input_bytes(model: str) -> Counter:
    """Return the counter of the bytes of callers' files for a model."""
    return _INPUT_BYTES.labels(model)


@cache
def result_bytes(model: str) -> Counter:
    """Return the counter of the bytes of a model's results."""
    return _RESULT_BYTES.labels(model)


@cache
def chores(chore: str) -> Counter:
    """Return the counter of what one of the janitor's chores did."""
    return _CHORES.labels(chore)


@cache
def chore_faults(chore: str) -> Counter:
    """Return the counter of one chore's turns that failed."""
    return _CHORE_FAULTS.labels(chore)


@cache
def faults(model: str) -> Counter:
    """Return the counter of engine faults under a model's tasks."""
    return _FAULTS.labels(model)


@cache
def wait_seconds(model: str) -> Histogram:
    """Return the timer of a model's waits for a first claim."""
    return _WAIT_SECONDS.labels(model)


@cache
def events(receiver: str, outcome: str) -> Counter:
    """Return the counter of the tries to tell one receiver that were "delivered" or "failed"."""
    return _EVENTS.labels(receiver, outcome)


@cache
def throttled(what: str) -> Counter:
    """Return the counter of refused calls of one kind: submit, list, cancel."""
    return _THROTTLED.labels(what)


@cache
def run_seconds(model: str) -> Histogram:
    """Return the timer of a model's runs."""
    return _RUN_SECONDS.labels(model)
