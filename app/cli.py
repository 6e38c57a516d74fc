"""The command `locum`. What the commands do lives in app.embedded, app.transfer and app.main.

Each command loads what it needs, and no other's libraries: `locum worker` and `locum sandbox` are started often.
"""
# ruff: noqa: PLC0415

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.commands.audit import app as audit
from app.commands.common import fail, found, settings_of
from app.commands.keys import app as keys
from app.commands.projects import app as projects
from app.settings import SandboxSettings, Settings
from app.worker_kinds import WorkerKind, worker_command

#: How long answers that are under way may take to end when the API is stopped; clients take up a cut stream again.
_API_STOP_SECONDS: Final = 5
#: How long a connection may stay open between two requests, in client time-outs: 75 seconds by default, which is longer
#: than most clients and proxies keep one, so that it is they who close it. A request that meets a connection being
#: closed is lost, and a POST is not always sent again.
_IDLE_TIMEOUTS: Final = 2.5

app = typer.Typer(
    name="locum",
    help="Locum, a self-hosted server that speaks OpenAI's Assistants API. Settings: LOCUM_... variables, locum.toml.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(keys, name="keys")
app.add_typer(projects, name="projects")
app.add_typer(audit, name="audit")

Host = Annotated[str | None, typer.Option(help="Address to listen on.  [LOCUM_HOST; 127.0.0.1]", show_default=False)]
Port = Annotated[
    int | None, typer.Option(help="Port to listen on.  [LOCUM_PORT; 8080]", min=0, max=65535, show_default=False)
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder that everything is kept in.  [LOCUM_DATA_DIR]", show_default=False)
]


@app.command()
def up(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    api_key: Annotated[
        str | None, typer.Option(help="API key to open the first project with; one is made if absent.")
    ] = None,
) -> None:
    """Start Locum with all it needs: Postgres, Redis, workers, the API, and small local models. What
    LOCUM_DATABASE_URL, LOCUM_REDIS_URL, LOCUM_BACKEND_URL or LOCUM_EMBEDDINGS_URL name is used instead of started."""
    from app.confinement import rights
    from app.embedded.up import up as start
    from app.telemetry import configure_logging

    rights.hide()
    settings = settings_of(host=host, port=port, data_dir=data_dir)
    configure_logging(settings)
    to_terminal = sys.stdout.isatty()
    asyncio.run(start(settings, api_key, typer.echo, lambda line: typer.echo(line, err=True), to_terminal=to_terminal))


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the API alone (one process). Needs LOCUM_DATABASE_URL and LOCUM_REDIS_URL, migrated."""
    import uvicorn

    from app.confinement import rights
    from app.http_protocol import protocol_class, raise_open_files
    from app.main import create_app
    from app.telemetry import configure_logging

    rights.hide()
    settings = _connected(settings_of(host=host, port=port))
    configure_logging(settings)
    raise_open_files()
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=protocol_class(settings.client_timeout),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_API_STOP_SECONDS,
        timeout_keep_alive=round(_IDLE_TIMEOUTS * settings.client_timeout),
    )
    # Uvicorn raises the signal that stopped it once more when all is done: to have been stopped is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        sys.exit(1)


@app.command()
def worker(
    queue: Annotated[WorkerKind, typer.Option(help="What it works on: runs, or new files of vector stores.")] = "runs",
) -> None:
    """Run one worker process. Needs LOCUM_DATABASE_URL and LOCUM_REDIS_URL, migrated."""
    command = worker_command(_connected(settings_of()), queue)
    os.execv(command[0], command)  # noqa: S606 - the app does not import the workers: it becomes one


@app.command()
def embeddings(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8081,
) -> None:
    """Serve the small embedding model that Locum brings along, for LOCUM_EMBEDDINGS_URL=http://host:port/v1 and
    LOCUM_EMBEDDINGS_MODEL=all-minilm-l6-v2."""
    from app.embedded.local_embeddings import serve

    serve(host, port)


@app.command()
def sandbox() -> None:
    """Run the sandbox host, in which the code of models runs. Needs LOCUM_SANDBOX_TOKEN, and `locum sandbox-setup`
    or an image for Docker before."""
    from app.confinement import rights
    from app.telemetry import configure_logging
    from sandbox.errors import CannotLaunch
    from sandbox.main import serve

    rights.hide()
    settings = SandboxSettings()
    configure_logging(settings)
    try:
        serve(settings)
    except CannotLaunch as error:
        fail(str(error))


@app.command("sandbox-setup")
def sandbox_setup() -> None:
    """Make the Python environment that code in the sandbox runs in, apart from Locum's own."""
    from sandbox.environment import Environment
    from sandbox.errors import CannotLaunch

    try:
        Environment.of(SandboxSettings()).make(typer.echo)
    except CannotLaunch as error:
        fail(str(error))


@app.command()
def migrate() -> None:
    """Bring the database to this version's tables. Several may be started at once: one does it, the others wait."""
    from app.db.migrate import head, upgrade

    asyncio.run(upgrade(found()))
    typer.echo(f"The database is at {head()}.")


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Look at each part that Locum needs and say what is wrong; status 1 if anything is."""
    from app.embedded.doctor import examine

    async def print_findings() -> bool:
        well = True
        async for finding in examine(found(data_dir=data_dir)):
            typer.echo(str(finding))
            well = well and finding.ok
        return well

    if not asyncio.run(print_findings()):
        raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="Lines of JSON; `-` reads standard input.")],
    files: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the contents of files, under their ids.  [FILE with .files]", show_default=False
        ),
    ] = None,
    project: Annotated[str, typer.Option(help="Name or id of a project; made if it is not there.")] = "default",
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="The lines are in the order of lists, the newest object first.")
    ] = False,
) -> None:
    """Import assistants, threads, messages, runs, files and vector stores under the ids that they have. All lines are
    read before anything is imported; what is there already stays as it is. See docs/migrating.md."""
    from app.transfer import command

    _transfer(
        command.import_dump(found(), source, files=files, project=project, newest_first=newest_first, say=typer.echo)
    )


@app.command("export")
def export(
    target: Annotated[str, typer.Argument(metavar="FILE|-", help="Where to write; `-` is standard output.")],
    files: Annotated[
        Path | None,
        typer.Option(help="Folder for the contents of files.  [FILE with .files]", show_default=False),
    ] = None,
    project: Annotated[str, typer.Option(help="Name or id of a project.")] = "default",
) -> None:
    """Write all objects of a project as lines of JSON, and the contents of its files beside, as `locum import` reads
    them."""
    from app.transfer import command

    def say(line: str) -> None:
        typer.echo(line, err=True)

    _transfer(command.export_dump(found(), target, files=files, project=project, say=say))


@app.command()
def prune(
    threads_days: Annotated[
        int | None,
        typer.Option(help="Delete threads idle for so many days.  [LOCUM_PRUNE_THREADS_DAYS]", min=1),
    ] = None,
    vector_stores_days: Annotated[
        int | None,
        typer.Option(help="Delete stores so many days after expiry.  [LOCUM_PRUNE_VECTOR_STORES_DAYS]", min=0),
    ] = None,
    files_days: Annotated[
        int | None,
        typer.Option(help="Delete files without use, older than so many days.  [LOCUM_PRUNE_FILES_DAYS]", min=1),
    ] = None,
    project: Annotated[str | None, typer.Option(help="Name or id of the one project to look at.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be deleted; delete nothing.")] = False,
) -> None:
    """Delete what nobody uses any more: idle threads, expired vector stores, files that nothing refers to. Where the
    settings are set, this happens every hour by itself. See docs/retention.md."""
    from app.embedded.prune import prune as start

    settings = found(
        prune_threads_days=threads_days,
        prune_vector_stores_days=vector_stores_days,
        prune_files_days=files_days,
    )
    for line in asyncio.run(start(settings, project, dry_run=dry_run)):
        typer.echo(line)


def _transfer(work: Coroutine[Any, Any, None]) -> None:
    from app.transfer.command import TransferError

    try:
        asyncio.run(work)
    except TransferError as error:
        fail(*error.lines)


def _connected(settings: Settings) -> Settings:
    """`settings`, if they name a database and a Redis. Raises MissingSetting."""
    _ = settings.required_database_url, settings.required_redis_url
    return settings


def main() -> None:
    """Runs the command line. What the operator can put right is told in one line, with status 1."""
    try:
        app()
    except Exception as error:
        from app.complaints import lines_of

        if not (lines := lines_of(error)):
            raise
        fail(*lines)


if __name__ == "__main__":
    main()
