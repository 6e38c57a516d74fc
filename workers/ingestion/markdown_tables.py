"""Tables as Markdown has them."""

from collections.abc import Sequence


def of(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a table in Markdown. Rows may be of different lengths."""
    width = max(map(len, rows))
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])
