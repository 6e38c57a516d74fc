"""`locum audit`."""
# ruff: noqa: PLC0415

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import orjson
import typer

from app.commands.common import Json, at, fail, found, print_json, print_table, span

app = typer.Typer(
    help="The log of what changed keys, projects and settings: list and check it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_entries(
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="api_key.created, project.archived, ...", show_default=False)
    ] = None,
    actor: Annotated[list[str] | None, typer.Option(help="Id of a key, or cli:USER.", show_default=False)] = None,
    project: Annotated[list[str] | None, typer.Option(help="Id of a project.", show_default=False)] = None,
    about: Annotated[
        list[str] | None, typer.Option(help="Id of the key or project that was changed.", show_default=False)
    ] = None,
    since: Annotated[
        timedelta | None, typer.Option(parser=span, metavar="TIME", help="Not older: 24h, 30d.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest ones, so many.", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """List entries, the newest last: number, time, type, who did it, from where, project, details."""
    from app.db.base import now
    from app.embedded import audit
    from app.services.audit import Filter

    wanted = Filter(kind, actor, project, about, None if since is None else now() - since)
    listed = asyncio.run(audit.listed(found(), wanted, limit))
    print_json(listed) if as_json else print_table([_row(entry) for entry in listed], ragged=1)


def _row(entry: dict[str, Any]) -> list[str]:
    details = {name: value for name, value in entry["details"].items() if name not in ("digests", "salt")}
    return [
        str(entry["seq"]),
        at(entry["effective_at"], "-"),
        entry["type"],
        entry["actor"],
        entry["address"] or "-",
        entry["project_id"] or "-",
        orjson.dumps(details).decode(),
    ]


@app.command("verify")
def verify(
    head: Annotated[
        str | None,
        typer.Option(
            help="A head that was printed before: also find out whether the end was cut off.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that no entry was changed, removed, put in or moved; status 1 if one was, and which is the first. Prints
    the head, the hash of the last entry: keep it somewhere else."""
    from app.embedded import audit

    try:
        known = None if head is None else bytes.fromhex(head)
    except ValueError:
        fail(f"not a head: {head}")
    verdict = asyncio.run(audit.verify(found(), known))
    trouble = None if verdict.broken is None else verdict.broken.why
    if trouble is None and not verdict.has_known:
        trouble = f"there is no entry with the hash {head}: the end was cut off, or all was written anew"
    if as_json:
        broken = None if verdict.broken is None else verdict.broken.seq
        print_json(
            {
                "ok": trouble is None,
                "entries": verdict.count,
                "head": verdict.head.hex(),
                "broken": broken,
                "why": trouble,
            }
        )
    elif trouble is None:
        print_table([["entries", str(verdict.count)], ["head", verdict.head.hex()]])
    if trouble is not None:
        fail(f"the audit log is broken: {trouble}")
