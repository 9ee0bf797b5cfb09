"""What commands print: tables for eyes on a terminal, tab-separated lines for other programs."""

import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

import msgspec
import typer


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their columns' names."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            typer.echo("\t".join(row))
        return
    from rich.console import Console  # slow to import, and only needed here
    from rich.table import Table

    shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)


def json_out(word: object) -> None:
    """Print something as one JSON document, for other programs."""
    typer.echo(msgspec.json.format(msgspec.json.encode(word)).decode())


def utf8(said: str | None) -> str | None:
    """Return an argument that a ledger can hold; end with 2 for any other."""
    if said is not None:
        try:
            said.encode()
        except UnicodeEncodeError:
            wrong("An argument is not UTF-8.")
    return said


def wrong(sentence: str) -> NoReturn:
    """Say in one sentence that the command was used wrongly, and end with 2."""
    typer.echo(f"ferrotype: {sentence}", err=True)
    raise typer.Exit(2)


def broken(sentence: str) -> NoReturn:
    """Say in one sentence what is broken, and end with 1."""
    typer.echo(f"ferrotype: {sentence}", err=True)
    raise typer.Exit(1)
