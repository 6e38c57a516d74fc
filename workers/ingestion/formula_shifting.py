"""A formula of one cell as it reads in another one that shares it."""

import re
from typing import Final

from workers.ingestion import sheets

#: A text or a quoted name, which are left alone; a function's name; or a reference to a cell.
_PARTS: Final = re.compile(
    r"""("[^"]*"|'[^']*'|[A-Za-z_.][\w.]*\()|(?<![\w.$])(\$?)([A-Z]{1,3})(\$?)(\d{1,7})(?![\w(])"""
)


def shifted(formula: str, rows: int, columns: int) -> str:
    """`formula`, with its references moved by so many rows and columns where they are not fixed by `$`."""

    def moved(match: re.Match[str]) -> str:
        other, fixed_column, letters, fixed_row, number = match.groups()
        if other is not None:
            return other
        row, column = sheets.place(letters + number) or (0, 0)
        row += 0 if fixed_row else rows
        column += 0 if fixed_column else columns
        if row < 0 or column < 0:
            return "#REF!"
        name = sheets.named(row, column)
        split = len(name.rstrip("0123456789"))
        return f"{fixed_column}{name[:split]}{fixed_row}{name[split:]}"

    return _PARTS.sub(moved, formula)
