"""`locum keys`."""
# ruff: noqa: PLC0415

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import typer

from app import scopes
from app.commands.common import Json, at, fail, found, lifetime, print_json, print_table, span

app = typer.Typer(help="API keys: make, list, rotate and revoke them.", no_args_is_help=True, rich_markup_mode=None)

Project = Annotated[str | None, typer.Option(help="Name or id of a project.", show_default=False)]
Expires = Annotated[
    timedelta | None,
    typer.Option(parser=lifetime, metavar="TIME", help="When it stops to work: 90d, 12h.", show_default=False),
]
_SCOPES = f"What it may do: {', '.join(scopes.OF_PROJECTS[:4])}, ...; several times for several.  [read, write]"


@app.command("create")
def create_key(
    project: Annotated[
        str | None,
        typer.Option(help="Name or id of a project; made if absent.  [default]", show_default=False),
    ] = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[list[str] | None, typer.Option(help=_SCOPES, show_default=False)] = None,
    expires: Expires = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="A key of the operator's: it administers, and opens no project.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an API key and print it. It is not shown again."""
    from app.embedded import keys

    if admin and (project is not None or scope):
        fail("a key made with --admin has no project and no other scope")
    owner = None if admin else project or "default"
    wanted = [scopes.ADMIN] if admin else scope or scopes.EVERYTHING
    made = asyncio.run(keys.create(found(), owner, name, wanted=wanted, lives=expires))
    print_json(made) if as_json else typer.echo(made["key"])


@app.command("list")
def list_keys(project: Project = None, as_json: Json = False) -> None:
    """List the keys: id, what can be shown of it, scopes, last use, expiry, project, name, state."""
    from app.embedded import keys

    listed = asyncio.run(keys.listed(found(), project))
    print_json(listed) if as_json else print_table([_row(key) for key in listed], ragged=3)


def _row(key: dict[str, Any]) -> list[str]:
    used = f"used {at(key['last_used_at'], '')}" if key["last_used_at"] else "never used"
    ends = f"expires {at(key['expires_at'], '')}" if key["expires_at"] else "no expiry"
    owner = key["project"] or "(operator)"
    return [key["id"], key["hint"], ",".join(key["scopes"]), used, ends, owner, key["name"], key["state"]]


@app.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(help="Id of the key (key_...), as `locum keys list` shows it.")],
    grace: Annotated[
        timedelta, typer.Option(parser=span, metavar="TIME", help="How long the old key works still.")
    ] = "24h",  # type: ignore[assignment] # parsed
    expires: Expires = None,
    as_json: Json = False,
) -> None:
    """Make a key of the same name, project and scopes in the place of another, and print it. It lives as long as the
    other was to live."""
    from app.embedded import keys

    made = asyncio.run(keys.rotate(found(), key_id, grace, expires))
    print_json(made) if as_json else typer.echo(made["key"])


@app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="Id of the key (key_...), as `locum keys list` shows it.")],
) -> None:
    """End a key. Requests with it are refused from now on, and what is being answered ends within seconds."""
    from app.embedded import keys

    if not asyncio.run(keys.revoke(found(), key_id)):
        fail(f"there is no active key {key_id}")
