"""The engine process: `python -m ferrotype.engine_host --line FD --parent PID ENGINE`."""

import argparse
import asyncio
import os

from ferrotype import lifeline


def main() -> None:
    """Tie the process to its worker, then serve the line."""
    parser = argparse.ArgumentParser(prog="ferrotype.engine_host", description=__doc__)
    parser.add_argument("engine", help="the engine's name")
    parser.add_argument("--line", type=int, required=True, help="the inherited socket's number")
    parser.add_argument("--parent", type=int, required=True, help="the worker's process id")
    given = parser.parse_args()
    lifeline.tie(given.parent)
    os.set_inheritable(given.line, False)

    from ferrotype.engine_host.host import Host  # not before we are tied: engines load slowly
    from ferrotype.engine_host.line import Line

    line = Line(given.line)
    line.open()
    asyncio.run(Host(given.engine, line).serve())


if __name__ == "__main__":
    main()
