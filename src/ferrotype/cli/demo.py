"""`ferrotype demo`: one picture by the API, for real, from a service of its own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferrotype.cli.listen import base_url
from ferrotype.cli.output import broken
from ferrotype.settings import Settings

if TYPE_CHECKING:
    from ferrotype.cli.local import LocalServer

PROMPT = "A flower shop with exquisite windows, a beautiful wooden door, and flowers on display"
MODEL = "wan2.5-t2i-preview"
ROUTE = "/services/aigc/text2image/image-synthesis"
BODY = {
    "model": MODEL,
    "input": {"prompt": PROMPT},
    "parameters": {"size": "1024*1024", "n": 1},
}
PATIENCE = 120.0  # seconds that the picture may take

Folder = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        file_okay=False,
        help="Folder of the demo's data and picture.",
    ),
]


def demo(data_dir: Folder = Path(".demo")) -> None:
    """Make one picture by the API, for real, and say where it is.

    On a terminal the service stays up until Ctrl-C; without one it ends.
    """
    from ferrotype.cli.local import LocalServer, NotStarted  # with an HTTP client: slow to import

    server = LocalServer(data_dir, {})
    try:
        with server:
            picture = _make_picture(server)
            stays = sys.stdout.isatty()
            typer.echo(_story(server, picture, stays=stays))
            if stays:
                typer.echo(f"The service stays up at {server.root}; Ctrl-C ends it.")
                server.wait()
    except NotStarted as error:
        broken(str(error))
    except KeyboardInterrupt:
        typer.echo("\nStopped.")


def _make_picture(server: "LocalServer") -> Path:
    import httpx
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    look = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    headers = {"Authorization": f"Bearer {server.key}"}
    with (
        Progress(*look, transient=False) as progress,
        httpx.Client(headers=headers, timeout=30.0, trust_env=False) as client,
    ):
        line = progress.add_task("creating a task", total=None)
        created = client.post(
            f"{server.url}{ROUTE}", json=BODY, headers={"X-DashScope-Async": "enable"}
        )
        output = _output(created)
        task = output["task_id"]
        while output["task_status"] in ("PENDING", "RUNNING"):
            progress.update(line, description=f"task {task} is {output['task_status']}")
            if (progress.tasks[0].elapsed or 0.0) > PATIENCE:
                broken(f"The task {task} did not end within {PATIENCE:g} s.")
            output = _output(client.get(f"{server.url}/tasks/{task}"))
        progress.update(line, description=f"task {task} is {output['task_status']}", total=1)
        if output["task_status"] != "SUCCEEDED":
            broken(f"The task ended {output['task_status']}: {output.get('message', '')}")
        answer = client.get(output["results"][0]["url"])
        answer.raise_for_status()
    picture = server.data_dir / f"{task}.png"
    picture.write_bytes(answer.content)
    return picture


def _output(answer: Any) -> dict[str, Any]:
    said: dict[str, Any] = answer.json()
    if answer.status_code != 200:
        broken(f"The service answered {answer.status_code}: {said.get('message')}")
    output: dict[str, Any] = said["output"]
    return output


def _story(server: "LocalServer", picture: Path, *, stays: bool) -> str:
    import json

    body = json.dumps(BODY, indent=4)
    url, how = server.url, "while this service runs"
    if not stays:
        url = base_url(Settings(), Settings().port)
        how = f"while `ferrotype serve --data-dir {server.data_dir}` runs"
    return f"""
The picture: {picture}
It was drawn by the built-in illustrator, not by a model.

The same by hand, {how}:

export DASHSCOPE_API_KEY={server.key}

curl -X POST {url}{ROUTE} \\
    -H 'X-DashScope-Async: enable' \\
    -H "Authorization: Bearer $DASHSCOPE_API_KEY" \\
    -H 'Content-Type: application/json' \\
    -d '{body}'

curl -X GET {url}/tasks/{picture.stem} \\
    -H "Authorization: Bearer $DASHSCOPE_API_KEY"
"""
