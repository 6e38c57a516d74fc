"""What Word writes before the paragraphs of lists and numbered headings, and which paragraphs are headings."""

import re
from dataclasses import dataclass, field
from typing import Final

from workers.ingestion.office_xml import Element, attribute, child, local, value

_PLACE: Final = re.compile(r"%(\d)")

_ROMAN: Final = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x")),
    *((9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)

_MAX_LEVELS: Final = 9
_MAX_BASES: Final = 20


@dataclass
class _Level:
    format: str = "decimal"
    text: str = ""
    start: int = 1


@dataclass
class Numbering:
    """The lists of a document, and how far each has been counted. Built of the parts `numbering` and `styles`."""

    numbering: Element | None
    styles: Element | None
    _lists: dict[str, str] = field(default_factory=dict)  # a number's id to its definition's
    _levels: dict[str, dict[int, _Level]] = field(default_factory=dict)  # by the number's id
    _counts: dict[str, list[int]] = field(default_factory=dict)  # by the definition's id: lists that share it go on
    _styles: dict[str, Element] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for element in self.styles if self.styles is not None else ():
            if local(element) == "style":
                self._styles[attribute(element, "styleId") or ""] = element
        definitions = {}
        for element in self.numbering if self.numbering is not None else ():
            if local(element) == "abstractNum":
                definitions[attribute(element, "abstractNumId") or ""] = element
            elif local(element) == "num":
                self._add(element, definitions)

    def _add(self, number: Element, definitions: dict[str, Element]) -> None:
        name = attribute(number, "numId") or ""
        definition = value(number, "abstractNumId") or ""
        levels: dict[int, _Level] = {}
        self._read(definitions.get(definition), levels)
        self._lists[name] = definition
        for override in number:
            if local(override) == "lvlOverride":
                self._read(override, levels)
                start = value(override, "startOverride")
                if start is not None:
                    levels.setdefault(_int(attribute(override, "ilvl")), _Level()).start = _int(start)
                    self._lists[name] = f"{definition} {name}"  # it counts for itself
        self._levels[name] = levels

    @staticmethod
    def _read(holder: Element | None, levels: dict[int, _Level]) -> None:
        for element in holder if holder is not None else ():
            if local(element) == "lvl":
                levels[_int(attribute(element, "ilvl"))] = _Level(
                    value(element, "numFmt") or "decimal",
                    value(element, "lvlText") or "",
                    _int(value(element, "start") or "1"),
                )

    def heading(self, properties: Element | None) -> int | None:
        """The level of a heading, from 1; None of other paragraphs."""
        for holder in self._holders(properties):
            outline = value(holder, "pPr", "outlineLvl") or value(holder, "outlineLvl")
            if outline is not None:
                return _int(outline) + 1 if _int(outline) < _MAX_LEVELS else None
            name = (value(holder, "name") or "").lower()
            if name == "title":
                return 1
            if name.startswith("heading ") and name[8:].isdigit():
                return int(name[8:])
        return None

    def label(self, properties: Element | None) -> str:
        """What stands before the paragraph ("2.1", "-"), with the blanks of its level; "" of one in no list.

        It counts: each paragraph must be asked for once, in their order.
        """
        number, level = self._place(properties)
        levels = self._levels.get(number or "")
        if number is None or levels is None or level not in levels:
            return ""
        counts = self._counts.setdefault(self._lists[number], [])
        while len(counts) <= level:
            counts.append(levels.get(len(counts), _Level()).start - 1)
            if len(counts) <= level:  # a level that was skipped counts as begun
                counts[-1] += 1
        counts[level] += 1
        del counts[level + 1 :]
        shown = levels[level]
        if shown.format == "bullet":
            return "  " * level + "- "
        if shown.format == "none" and not _PLACE.sub("", shown.text).strip():
            return ""
        return (
            "  " * level + _PLACE.sub(lambda match: _shown(levels, counts, int(match[1]) - 1), shown.text).strip() + " "
        )

    def _place(self, properties: Element | None) -> tuple[str | None, int]:
        number = level = None
        for holder in self._holders(properties):
            found = child(holder, "numPr")
            if found is None:
                found = child(holder, "pPr", "numPr")
            number = number if number is not None else value(found, "numId")
            level = level if level is not None else value(found, "ilvl")
        return (None if number in {None, "0"} else number), min(_int(level or "0"), _MAX_LEVELS)

    def _holders(self, properties: Element | None) -> list[Element]:
        """The paragraph's properties, its style, and the styles that this one is based on."""
        holders = [] if properties is None else [properties]
        name = value(properties, "pStyle")
        while name in self._styles and len(holders) < _MAX_BASES:
            holders.append(self._styles[name])
            name = value(self._styles[name], "basedOn")
        return holders


def _shown(levels: dict[int, _Level], counts: list[int], place: int) -> str:
    if not 0 <= place < len(counts):
        return ""
    return _number(counts[place], levels.get(place, _Level()).format)


def _number(count: int, format_: str) -> str:
    if format_ in {"lowerLetter", "upperLetter"} and count > 0:
        letters = chr(ord("a") + (count - 1) % 26) * min((count - 1) // 26 + 1, 100)
        return letters.upper() if format_ == "upperLetter" else letters
    if format_ in {"lowerRoman", "upperRoman"} and 0 < count < 5000:
        roman = ""
        for size, letters in _ROMAN:
            roman += letters * (count // size)
            count %= size
        return roman.upper() if format_ == "upperRoman" else roman
    if format_ == "decimalZero":
        return f"{count:02}"
    return "" if format_ == "none" else str(count)


def _int(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
