"""`locum projects`."""
# ruff: noqa: PLC0415

import asyncio
from collections import Counter
from typing import Annotated, Any

import typer

from app.commands.common import Json, at, found, print_json, print_table

app = typer.Typer(
    help="Projects: list, create, rename, disable and delete them.", no_args_is_help=True, rich_markup_mode=None
)

Named = Annotated[str, typer.Argument(metavar="PROJECT", help="Name or id of the project.")]
Name = Annotated[str, typer.Argument(help="The name it is to have.")]


@app.command("list")
def list_projects(as_json: Json = False) -> None:
    """List the projects: id, time of creation, state, name."""
    from app.embedded import projects

    listed = asyncio.run(projects.listed(found()))
    print_json(listed) if as_json else print_table([_row(project) for project in listed], ragged=1)


def _row(project: dict[str, Any]) -> list[str]:
    return [project["id"], at(project["created_at"], "-"), project["state"], project["name"]]


def _print(project: dict[str, Any], *, as_json: bool) -> None:
    print_json(project) if as_json else print_table([_row(project)], ragged=1)


@app.command("show")
def show_project(project: Named, as_json: Json = False) -> None:
    """Show a project."""
    from app.embedded import projects

    _print(asyncio.run(projects.shown(found(), project)), as_json=as_json)


@app.command("create")
def create_project(name: Name, as_json: Json = False) -> None:
    """Make a project."""
    from app.embedded import projects

    _print(asyncio.run(projects.create(found(), name)), as_json=as_json)


@app.command("rename")
def rename_project(project: Named, name: Name, as_json: Json = False) -> None:
    """Give a project another name."""
    from app.embedded import projects

    _print(asyncio.run(projects.rename(found(), project, name)), as_json=as_json)


@app.command("disable")
def disable_project(project: Named, as_json: Json = False) -> None:
    """Refuse all keys of a project from now on. Runs that workers have go on to their end; those that are queued, and
    new files of vector stores, wait until the project is enabled again, runs not beyond their expiry."""
    from app.embedded import projects

    _print(asyncio.run(projects.switch(found(), project, on=False)), as_json=as_json)


@app.command("enable")
def enable_project(project: Named, as_json: Json = False) -> None:
    """Undo `disable`."""
    from app.embedded import projects

    _print(asyncio.run(projects.switch(found(), project, on=True)), as_json=as_json)


@app.command("delete")
def delete_project(
    project: Named,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a project with all that is in it: keys, assistants, threads, runs, files, vector stores. It cannot be
    undone. If it is broken off, a running Locum finishes it, or the same command with the project's id."""
    if not yes:
        typer.confirm(f"Delete the project {project} and everything in it?", abort=True)
    counts = asyncio.run(_deleted(project))
    if as_json:
        print_json(counts)
    else:
        print_table([[kind, str(count)] for kind, count in counts.items()])


async def _deleted(project: str) -> dict[str, int]:
    from app.embedded import projects

    counts: Counter[str] = Counter()
    async for kind, count in projects.delete(found(), project):
        counts[kind] += count
    return dict(counts)
