"""What an operator may set about a worker."""

from msgspec import Struct


class Options(Struct, frozen=True, kw_only=True):
    """Times in seconds, sizes in bytes.

    `drain`: how long running tasks may still take once the worker was asked to stop. `latency`:
    every task takes at least this long. `grace`: how long an engine may take to stop a job.
    `poll`: how often an idle station looks by itself. `renew`: how often the worker renews its
    lease; without an answer for `lapse` it holds nothing any more. `max_output`: what the files
    of one task may have in all. `undelivered`: results of one station that may wait to be told.
    """

    drain: float = 60.0
    latency: float = 0.0
    grace: float = 2.0
    poll: float = 5.0
    renew: float = 5.0
    lapse: float = 12.0
    max_output: int = 512 * 1024 * 1024
    undelivered: int = 1000
