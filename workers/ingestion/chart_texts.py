"""What the parts for charts and diagrams of Office documents say."""

from workers.ingestion import markdown_tables
from workers.ingestion.office_xml import Element, attribute, child, every, local


def read(root: Element) -> str:
    """The titles, series, categories and values of a chart; of a diagram the texts of its boxes."""
    if local(root) == "dataModel":
        return "\n".join(filter(None, (_text(point) for point in every(root, "pt"))))
    if any(local(element) == "plotArea" for element in root.iter()) and not any(True for _ in every(root, "strDim")):
        return _chart(root)
    return "\n".join(filter(None, ((element.text or "").strip() for element in root.iter() if _is_text(element))))


def _is_text(element: Element) -> bool:
    return local(element) in {"t", "v", "pt"}


def _chart(root: Element) -> str:
    titles = [text for title in every(root, "title") if (text := _text(title) or _cached(title))]
    series = list(every(root, "ser"))
    categories = next((found for one in series if (found := _points(one, "cat", "xVal"))), {})
    rows = [["", *categories.values()]] if categories else []
    for one in series:
        values = _points(one, "val", "yVal")
        places = list(categories) or list(values)
        rows.append([_cached(child(one, "tx")), *(values.get(place, "") for place in places)])
    rows = [row for row in rows if any(row)]
    return "\n".join([*titles, *([markdown_tables.of(rows)] if rows else [])])


def _points(series: Element, *names: str) -> dict[str, str]:
    """The values by their places, of the first of `names` that is there."""
    for name in names:
        holder = child(series, name)
        if holder is not None:
            levels = list(every(holder, "lvl")) or [holder]
            found: dict[str, str] = {}
            for level in reversed(levels):  # the outermost is the last
                for point in every(level, "pt"):
                    place = attribute(point, "idx") or ""
                    text = _value(point)
                    found[place] = f"{found[place]} {text}" if place in found else text
            return found
    return {}


def _cached(holder: Element | None) -> str:
    return "" if holder is None else " ".join(_value(point) for point in every(holder, "v") for point in [point])


def _value(element: Element) -> str:
    found = element if local(element) == "v" else child(element, "v")
    text = (found.text or "").strip() if found is not None else ""
    try:
        return f"{float(text):.10g}" if "." in text and not text.endswith(".0") else text.removesuffix(".0")
    except ValueError:
        return text


def _text(element: Element) -> str:
    """Its paragraphs, one a line."""
    paragraphs = ("".join(run.text or "" for run in every(paragraph, "t")) for paragraph in every(element, "p"))
    return "\n".join(filter(None, map(str.strip, paragraphs)))
