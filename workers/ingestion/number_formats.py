"""Numbers, dates and times of spreadsheets as their cells show them (ECMA-376, part 1, 18.8.31)."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Final

from workers.ingestion import date_formats

GENERAL: Final = "General"

#: Formats that a file names by number alone. Dates that follow the reader's country (14, 22, those of East Asia) are
#: written as ISO 8601 has them, which is read the same everywhere.
_BY_LANGUAGE: Final = (14, *range(27, 32), 36, *range(50, 55), 57, 58)
_FROM_0: Final = (
    *(GENERAL, "0", "0.00", "#,##0", "#,##0.00", "$#,##0;-$#,##0", "$#,##0;-$#,##0", "$#,##0.00;-$#,##0.00"),
    *("$#,##0.00;-$#,##0.00", "0%", "0.00%", "0.00E+00", "# ?/?", "# ??/??"),
)
_FROM_15: Final = ("d-mmm-yy", "d-mmm", "mmm-yy", "h:mm AM/PM", "h:mm:ss AM/PM", "h:mm", "h:mm:ss", "yyyy-mm-dd h:mm")
_FROM_37: Final = (
    *("#,##0;(#,##0)", "#,##0;(#,##0)", "#,##0.00;(#,##0.00)", "#,##0.00;(#,##0.00)", "#,##0", "$#,##0", "#,##0.00"),
    *("$#,##0.00", "mm:ss", "[h]:mm:ss", "mm:ss.0", "##0.0E+0", "@"),
)
BUILT_IN: Final = (
    dict(enumerate(_FROM_0))
    | dict(enumerate(_FROM_15, 15))
    | dict(enumerate(_FROM_37, 37))
    | dict.fromkeys(_BY_LANGUAGE, "yyyy-mm-dd")
    | dict.fromkeys((32, 34, 55), "h:mm")
    | dict.fromkeys((33, 35, 56), "h:mm:ss")
)

#: A quoted text, an escaped character, a width or a filling, brackets, an exponent, or any one character.
_TOKEN: Final = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[[^\]]*\]|(?i:general)|[eE][+-]|.', re.S)
_CONDITION: Final = re.compile(r"\[(<=|>=|<>|<|>|=)\s*(-?[\d.]+)\]")
_CURRENCY: Final = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]")

#: Places for digits.
_DIGITS: Final = frozenset("0#?")

_MAX_PLACES: Final = 30


@dataclass(frozen=True)
class _Section:
    marks: tuple[str, ...]
    condition: tuple[str, float] | None
    dates: bool


def shown(number: float, format_: str, *, since_1904: bool = False) -> str:
    """`number` in a cell of this format. `since_1904`: how the workbook counts days."""
    try:
        sections = _sections(format_)
        section, of_absolute = _section(number, sections)
        if section.dates:
            text = date_formats.shown(number, section.marks, since_1904=since_1904)
            return text if text is not None else general(number)
        # What a format hides is told nevertheless: it is there.
        return _number(abs(number) if of_absolute else number, section.marks).strip() or general(number)
    except (ArithmeticError, ValueError, IndexError):
        return general(number)


def shown_text(text: str, format_: str) -> str:
    """`text` in a cell of this format, which may put something around it."""
    sections = _sections(format_)
    marks = sections[3].marks if len(sections) > 3 else sections[-1].marks
    if "@" not in marks:
        return text
    return "".join(text if mark == "@" else _literal(mark) for mark in marks)


def general(number: float) -> str:
    """`number` where no format is asked for."""
    if not isfinite(number):
        return "#NUM!"
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.10g}".replace("e", "E")


@lru_cache(maxsize=1024)
def _sections(format_: str) -> tuple[_Section, ...]:
    sections: list[list[str]] = [[]]
    for mark in _TOKEN.findall(format_ or GENERAL):
        if mark == ";":
            sections.append([])
        else:
            sections[-1].append(mark)
    return tuple(_made(marks) for marks in sections)


def _made(marks: list[str]) -> _Section:
    condition = None
    kept = []
    for mark in marks:
        match = _CONDITION.fullmatch(mark)
        if match:
            condition = (match[1], float(match[2]))
        else:
            kept.append(mark)
    return _Section(tuple(kept), condition, date_formats.are_of_a_date(kept))


def _section(number: float, sections: tuple[_Section, ...]) -> tuple[_Section, bool]:
    """The section for a number, and whether it shows the number without its sign."""
    numeric = sections[:3]
    if any(section.condition for section in numeric):
        for place, section in enumerate(numeric):
            if section.condition is None or _holds(number, *section.condition):
                return section, place > 0 and number < 0
        return numeric[-1], False
    if number < 0 and len(numeric) > 1:
        return numeric[1], True
    if number == 0 and len(numeric) > 2:
        return numeric[2], False
    return numeric[0], False


def _holds(number: float, comparison: str, bound: float) -> bool:
    return {
        "<": number < bound,
        "<=": number <= bound,
        ">": number > bound,
        ">=": number >= bound,
        "=": number == bound,
        "<>": number != bound,
    }[comparison]


def _literal(mark: str) -> str:
    """What a mark writes that is no place for a digit."""
    if mark.startswith('"'):
        return mark.strip('"')
    if mark.startswith("\\"):
        return mark[1:]
    if mark[0] in "_*" and len(mark) > 1:  # as wide as a character, or filled up with it
        return " "
    if mark.startswith("["):
        currency = _CURRENCY.fullmatch(mark)
        return currency[1] if currency else ""
    return mark


def _number(number: float, marks: tuple[str, ...]) -> str:
    places = [mark for mark in marks if mark in _DIGITS]
    if not places:
        return "".join(general(number) if mark.lower() in {"general", "@"} else _literal(mark) for mark in marks)
    exact = Decimal(repr(number)) * 100 ** marks.count("%")
    if "/" in marks:
        return _fraction(exact, marks)
    exponent = next((place for place, mark in enumerate(marks) if mark[0] in "eE" and len(mark) == 2), None)
    if exponent is not None:
        return _scientific(exact, marks, exponent)
    return _decimal(exact, marks)


def _decimal(exact: Decimal, marks: tuple[str, ...]) -> str:
    last = max(place for place, mark in enumerate(marks) if mark in _DIGITS)
    point = marks.index(".") if "." in marks[: last + 1] else len(marks)
    whole, rest = marks[:point], marks[point + 1 :]
    thousands = 0
    while last + 1 + thousands < len(marks) and marks[last + 1 + thousands] == ",":
        thousands += 1
    exact /= Decimal(1000) ** thousands
    decimals = sum(mark in _DIGITS for mark in rest)
    rounded = abs(exact).quantize(Decimal(1).scaleb(-min(decimals, _MAX_PLACES)), ROUND_HALF_UP)
    digits, _, after = f"{rounded:f}".partition(".")
    text = _whole("" if digits == "0" else digits, whole) + _after(after, rest, has_point=point < len(marks))
    return f"-{text}" if exact < 0 and rounded else text


def _whole(digits: str, marks: tuple[str, ...]) -> str:
    """The digits before the point in their places, from right to left; what is left over stands before the first."""
    places = [place for place, mark in enumerate(marks) if mark in _DIGITS]
    first = places[0] if places else 0
    left = list(digits)
    written = [""]  # from right to left, as all here

    def write(count: int) -> None:
        for _ in range(count):
            written[0] += left.pop() if left else "0"

    out: list[str] = []
    for place in range(len(marks) - 1, -1, -1):
        mark = marks[place]
        if mark in _DIGITS:
            before = len(written[0])
            write(len(left) if place == first and left else int(bool(left) or mark == "0"))
            out.append(_grouped(written[0], before) if "," in marks[first:] else written[0][before:])
        elif mark != ",":
            out.append(_literal(mark)[::-1])
    return "".join(out)[::-1] if places else digits + "".join(out)[::-1]


def _grouped(written: str, start: int) -> str:
    """The digits from `start` on, which were written from right to left, with a comma after each third."""
    return "".join(("," if place and place % 3 == 0 else "") + written[place] for place in range(start, len(written)))


def _after(digits: str, marks: tuple[str, ...], *, has_point: bool) -> str:
    """The point, and the digits after it in their places; zeros at the end only where they are asked for."""
    needed = 0
    places = [mark for mark in marks if mark in _DIGITS]
    for count, mark in enumerate(places, 1):
        if mark == "0" or digits[count - 1 : count].strip("0"):
            needed = count
    out, written = ["." if has_point else ""], 0
    for mark in marks:
        if mark in _DIGITS:
            out.append(digits[written : written + 1] if written < needed else "")
            written += 1
        elif mark != ",":
            out.append(_literal(mark))
    return "".join(out)


def _scientific(exact: Decimal, marks: tuple[str, ...], place: int) -> str:
    mantissa, rest = marks[:place], marks[place + 1 :]
    point = mantissa.index(".") if "." in mantissa else len(mantissa)
    whole = max(1, sum(mark in _DIGITS for mark in mantissa[:point]))
    decimals = sum(mark in _DIGITS for mark in mantissa[point:])
    power = exact.adjusted() if exact else 0
    power -= power % whole
    scaled = exact.scaleb(-power)
    if len(f"{abs(scaled).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}".split(".")[0]) > whole:
        power += whole
        scaled = exact.scaleb(-power)
    width = sum(mark in _DIGITS for mark in rest)
    sign = "-" if power < 0 else "+" if marks[place][1] == "+" else ""
    after = "".join(_literal(mark) for mark in rest if mark not in _DIGITS)
    return f"{_decimal(scaled, mantissa)}E{sign}{abs(power):0{max(1, width)}}{after}"


def _fraction(exact: Decimal, marks: tuple[str, ...]) -> str:
    slash = marks.index("/")
    below = "".join(marks[slash + 1 :]).strip()
    value = Fraction(abs(exact))
    has_whole = any(mark in _DIGITS for mark in "".join(marks[:slash]).strip().split(" ")[0]) and (
        " " in "".join(marks[:slash]).strip()
    )
    if below.isdigit() and int(below):
        part = Fraction(round(value * int(below)), int(below))
        numerator, denominator = round(value * int(below)), int(below)
    else:
        part = value.limit_denominator(10 ** max(1, min(sum(c in "0#?" for c in below), 5)) - 1)
        numerator, denominator = part.numerator, part.denominator
    sign = "-" if exact < 0 and numerator else ""
    if not has_whole:
        return f"{sign}{numerator}/{denominator}"
    whole, numerator = divmod(numerator, denominator)
    if not numerator:
        return f"{sign}{whole}"
    return f"{sign}{whole} {numerator}/{denominator}" if whole else f"{sign}{numerator}/{denominator}"
