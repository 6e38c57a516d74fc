"""What the commands have in common: the settings, how they fail, and how they print."""
# ruff: noqa: PLC0415

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NoReturn

import orjson
import typer

from app.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_SPAN: Final = re.compile(r"(\d{1,9})([smhdw]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def settings_of(**options: Any) -> Settings:
    """The settings, with what was given on the command line over the rest."""
    return Settings(**{name: value for name, value in options.items() if value is not None})


def found(**options: Any) -> Settings:
    """The settings, with the servers of a running `locum up` where they name none."""
    from app.embedded.connect import with_running_stack

    return with_running_stack(settings_of(**options))


def fail(*lines: str) -> NoReturn:
    """Ends the command with status 1, saying why."""
    from app.telemetry import without_secrets

    for line in lines:
        typer.echo(f"locum: {without_secrets(line)}", err=True)
    sys.exit(1)


def span(text: str) -> timedelta:
    """A time span: `30m`, `24h`, `90d`, or seconds. Raises typer.BadParameter."""
    if isinstance(text, timedelta):
        return text
    match = _SPAN.fullmatch(text)
    if match is None:
        raise typer.BadParameter("expected a number and one of s, m, h, d, w: 24h, 90d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def lifetime(text: str) -> timedelta:
    """As `span`, of what lives for a while at least. Raises typer.BadParameter."""
    lives = span(text)
    if not lives:
        raise typer.BadParameter("expected more than 0 seconds")
    return lives


def print_json(value: Any) -> None:
    """Prints a JSON value."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_table(rows: Sequence[Sequence[str]], *, ragged: int = 0) -> None:
    """Prints `rows` in columns, but for the last `ragged` ones, which are as long as they are."""
    aligned = len(rows[0]) - ragged if rows else 0
    widths = [max(len(row[column]) for row in rows) for column in range(aligned)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        typer.echo("  ".join([*cells, *row[aligned:]]).rstrip())


def at(seconds: int | None, otherwise: str) -> str:
    """A time, in UTC, to the minute."""
    return otherwise if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
