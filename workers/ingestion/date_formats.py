"""Days and times of spreadsheets, which are numbers of days, as their cells show them."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_ELAPSED: Final = re.compile(r"\[(h+|m+|s+)\]", re.I)
_HALVES: Final = re.compile(r"AM/PM|A/P|上午/下午", re.I)
_PARTS: Final = re.compile(r"\0|AM/PM|A/P|上午/下午|y+|m+|d+|h+|s+|e+|g+|b+|a{3,4}|.", re.I | re.S)

#: What is not written: widths, fillings, colours, countries.
_SILENT: Final = ("_", "*", "[")

#: Before March 1900 days are counted as if February had had 29 days, as Lotus did.
_NO_SUCH_DAY: Final = 60
_LAST_DAY: Final = 2958466


def are_of_a_date(tokens: Sequence[str]) -> bool:
    """Whether a section of a format shows a day or a time."""
    if any(_ELAPSED.fullmatch(token) for token in tokens):
        return True
    letters = {token.lower() for token in tokens if len(token) == 1}
    return bool(letters & set("ymdhs")) and not letters & {"0", "#", "?"} - {"0"}


def shown(number: float, tokens: Sequence[str], *, since_1904: bool) -> str | None:
    """The day and time that `number` stands for; None where it is out of range."""
    if not 0 <= number < _LAST_DAY and not any(_ELAPSED.fullmatch(token) for token in tokens):
        return None
    parts = _parts(tokens)
    decimals = next((part.count("0") for part in parts if part.startswith(".0")), 0)
    ticks = round(abs(number) * 86400 * 10**decimals)
    seconds, fraction = divmod(ticks, 10**decimals)
    day = _day(seconds // 86400, since_1904=since_1904)
    halves = any(_HALVES.fullmatch(part) for part in parts)
    out = ["-" if number < 0 and ticks else ""]
    for place, part in enumerate(parts):
        if part.startswith("\0"):
            out.append(part[1:])
        elif part.startswith(".0"):
            out.append(f".{fraction:0{decimals}}")
        elif elapsed := _ELAPSED.fullmatch(part):
            size = {"h": 3600, "m": 60, "s": 1}[elapsed[1][0].lower()]
            out.append(f"{seconds // size:0{len(elapsed[1])}}")
        else:
            out.append(_part(part, day, seconds, minutes=_is_minutes(parts, place), halves=halves))
    return "".join(out).strip()


def _parts(tokens: Sequence[str]) -> list[str]:
    """The letters of a format, each kind together; literals begin with a zero character."""
    joined, literals = "", []
    for token in tokens:
        if _ELAPSED.fullmatch(token) or (token[0] in _SILENT and len(token) > 1) or token[0] in '"\\':
            literals.append(token)
            joined += "\0"
        else:
            joined += token
    parts = []
    waiting = iter(literals)
    for part in _PARTS.findall(joined):
        if part != "\0":
            parts.append(part)
            continue
        token = next(waiting)
        if _ELAPSED.fullmatch(token):
            parts.append(token)
        elif token[0] in '"\\':
            parts.append("\0" + (token.strip('"') if token[0] == '"' else token[1:]))
        elif token.startswith("_"):
            parts.append("\0 ")
    return _with_decimals(parts)


def _with_decimals(parts: list[str]) -> list[str]:
    """Of seconds the point and the zeros after it are one part."""
    out: list[str] = []
    for part in parts:
        if part == "0" and out and (out[-1] == "." or out[-1].startswith(".0")):
            out[-1] += part
        else:
            out.append(part)
    return out


def _is_minutes(parts: list[str], place: int) -> bool:
    """Whether `m` means minutes: after hours, or before seconds."""
    kinds = [(_ELAPSED.fullmatch(part) or [part, part])[1][0].lower() for part in parts]
    before = next((kind for kind in reversed(kinds[:place]) if kind in "ymdhs"), "")
    after = next((kind for kind in kinds[place + 1 :] if kind in "ymdhs"), "")
    return before == "h" or after == "s"


def _part(part: str, day: dt.date | None, seconds: int, *, minutes: bool, halves: bool) -> str:
    kind, width = part[0].lower(), len(part)
    hour = seconds // 3600 % 24
    if _HALVES.fullmatch(part):
        return ("AM" if hour < 12 else "PM")[: 1 if width == 3 else 2]
    if kind == "h":
        return f"{(hour + 11) % 12 + 1 if halves else hour:0{min(width, 2)}}"
    if kind == "s":
        return f"{seconds % 60:0{min(width, 2)}}"
    if kind == "m" and minutes:
        return f"{seconds // 60 % 60:0{min(width, 2)}}"
    if kind in "ymdea" and (width > 1 or kind in "ymde"):
        return _of_day(kind, width, day, seconds // 86400)
    return "" if kind == "g" else part


def _of_day(kind: str, width: int, day: dt.date | None, number: int) -> str:
    if day is None:  # the days 0 and 60 of 1900, which never were
        year, month, of_month = 1900, 1 if number == 0 else 2, 0 if number == 0 else 29
        weekday = 5 if number == 0 else 2
    else:
        year, month, of_month, weekday = day.year, day.month, day.day, day.weekday()
    if kind in "ye":
        return f"{year % 100:02}" if kind == "y" and width < 3 else f"{year:04}"
    if kind == "m":
        name = _MONTHS[month - 1]
        return f"{month:0{width}}" if width < 3 else {3: name[:3], 5: name[0]}.get(width, name)
    if kind == "a" or width > 2:
        return _DAYS[weekday][:3] if width == 3 else _DAYS[weekday]
    return f"{of_month:0{width}}"


def _day(number: int, *, since_1904: bool) -> dt.date | None:
    if since_1904:
        return dt.date(1904, 1, 1) + dt.timedelta(number)
    if number in {0, _NO_SUCH_DAY}:
        return None
    return dt.date(1899, 12, 31 if number < _NO_SUCH_DAY else 30) + dt.timedelta(number)
