"""The flags that several commands share, and how they become settings."""

from pathlib import Path
from typing import Annotated

import typer

from ferrotype.settings import Settings, SettingsError, load

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of ledger, results and keys.", metavar="DIR"),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Settings file; else ./ferrotype.toml if there is one.", metavar="FILE"
    ),
]
Host = Annotated[
    str | None, typer.Option("--host", help="Address to listen on (127.0.0.1).", metavar="ADDRESS")
]
Port = Annotated[
    int | None, typer.Option("--port", help="Port to listen on (8765); 0 takes a free one.")
]
LogLevel = Annotated[
    str | None, typer.Option("--log-level", help="debug, info, warning or error.", metavar="LEVEL")
]


def settings(config: Path | None = None, **flags: object) -> Settings:
    """Return the settings with these flags on top; those that are None were not given.

    A command whose flags are all settings may hand its `context.params` over. Raises
    `SettingsError`.
    """
    chosen = load(flags, config=config)
    if chosen.data_dir.exists() and not chosen.data_dir.is_dir():
        raise SettingsError(f"{chosen.data_dir} is no folder: choose another --data-dir.")
    return chosen
