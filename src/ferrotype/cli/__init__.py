"""The command `ferrotype`."""

import importlib
import sys


def main() -> None:
    """Run the command."""
    from ferrotype.cli.commands import main as run  # the two processes of a service never need it

    run()


def _import_structlog() -> None:
    """Import structlog without Rich, which would cost each of our processes 0.3 s at its start.

    It takes Rich, where it finds it, for tracebacks of a kind that we do not print.
    """
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]


_import_structlog()
