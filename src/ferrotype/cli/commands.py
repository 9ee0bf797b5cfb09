"""All commands, and how their errors are told."""

import sys

import typer

from ferrotype import __version__
from ferrotype.cli import (
    accounts,
    backup,
    demo,
    doctor,
    keys,
    models,
    pausing,
    recipes,
    run,
    serve,
    tasks,
    top,
    usage,
)
from ferrotype.errors import FerrotypeError, Occupied
from ferrotype.plugins import PluginError
from ferrotype.settings import SettingsError

app = typer.Typer(
    help="Create, poll and download pictures by the API of Model Studio, on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serve.serve)
app.command("env")(serve.env)
app.command("demo")(demo.demo)
app.command("models")(models.models)
app.add_typer(recipes.app, name="recipes")
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(keys.app, name="keys")
app.add_typer(accounts.app, name="accounts")
app.add_typer(accounts.caps, name="caps")
app.add_typer(tasks.app, name="tasks")
app.command("top")(top.top)
app.command("pause")(pausing.pause)
app.command("resume")(pausing.resume)
app.add_typer(usage.app, name="usage")
app.command("api")(run.api)
app.command("worker")(run.worker)


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    """Create, poll and download pictures by the API of Model Studio, on your own machine."""
    if show:
        typer.echo(f"ferrotype {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; every error is one sentence on standard error.

    Exit codes: 0 done, 1 something is broken, 2 wrong use, or not now.
    """
    try:
        app()
    except (SettingsError, PluginError, Occupied) as error:
        typer.echo(f"ferrotype: {error}", err=True)
        sys.exit(2)
    except FerrotypeError as error:
        typer.echo(f"ferrotype: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"ferrotype: {where}{error.strerror or error}.", err=True)
        sys.exit(1)
