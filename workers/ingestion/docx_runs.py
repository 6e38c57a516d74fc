"""The text within a paragraph of a Word document, as Word shows it, and what hangs on it (notes, boxes, charts)."""

from dataclasses import dataclass, field
from typing import Final

from workers.ingestion import symbol_fonts
from workers.ingestion.office_xml import Element, Link, attribute, child, chosen, is_on, local, relationship, value

#: What Word does not show: instructions of fields, what was deleted or moved away, properties.
_SKIPPED: Final = frozenset(
    {
        *("del", "moveFrom", "delText", "delInstrText", "pPr", "rPr", "tblPr", "tcPr", "trPr", "sdtPr", "sdtEndPr"),
        *("rubyPr", "instrText", "softHyphen", "lastRenderedPageBreak", "fldData"),
        *("oMathParaPr", "ctrlPr", "sectPr", "OLEObject", "binData"),
    }
)

_PLAIN: Final = {"tab": "\t", "ptab": "\t", "cr": "\n", "br": "\n", "noBreakHyphen": "-", "annotationRef": ""}


@dataclass
class Attached:
    """What a paragraph refers to: the ids of notes and comments, boxes of text, the ids of charts and diagrams."""

    notes: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    drawings: list[str] = field(default_factory=list)


@dataclass
class _Field:
    instruction: str = ""
    in_result: bool = False
    start: int = 0


class Runs:
    """Reads paragraphs of one part. A field may go on from one paragraph to the next, so it remembers."""

    def __init__(self, links: dict[str, Link]) -> None:
        self._links = links
        self._fields: list[_Field] = []
        self._out: list[str] = []
        self._attached = Attached()
        self._handlers = {
            "AlternateContent": self._alternatives,
            "chart": self._chart,
            "commentReference": self._reference,
            "d": self._math_brackets,
            "docPr": self._picture,
            "endnote": self._box,  # in documents of Word 2003 notes stand where they are referred to
            "endnoteReference": self._reference,
            "f": self._math_fraction,
            "fldChar": self._field_mark,
            "fldSimple": self._simple_field,
            "footnote": self._box,
            "footnoteReference": self._reference,
            "hyperlink": self._hyperlink,
            "rad": self._math_root,
            "relIds": self._diagram,
            "ruby": self._ruby,
            "sSub": self._math_index,
            "sSup": self._math_power,
            "sym": self._symbol,
            "textpath": self._word_art,
            "txbxContent": self._box,
        }

    def read(self, paragraph: Element) -> tuple[str, Attached]:
        """The paragraph's text, and what it refers to."""
        self._out, self._attached = [], Attached()
        for opened in self._fields:
            opened.start = 0
        self._children(paragraph)
        return "".join(self._out).strip(" \n"), self._attached

    def _children(self, element: Element) -> None:
        for found in element:
            self._element(found)

    def _element(self, element: Element) -> None:
        name = local(element)
        handler = self._handlers.get(name)
        if name in _SKIPPED:
            if name == "instrText" and self._fields and not self._fields[-1].in_result:
                self._fields[-1].instruction += element.text or ""
        elif handler is not None:
            handler(element)
        elif name == "t":
            self._write(element.text or "")
        elif name in _PLAIN:
            self._write(_PLAIN[name])
        else:
            self._children(element)

    def _write(self, text: str) -> None:
        if all(opened.in_result for opened in self._fields):
            self._out.append(text)

    def _symbol(self, element: Element) -> None:
        self._write(symbol_fonts.character(attribute(element, "font") or "", attribute(element, "char") or ""))

    def _alternatives(self, element: Element) -> None:
        for found in chosen(element):
            self._element(found)

    def _box(self, element: Element) -> None:
        self._attached.boxes.append(element)

    def _chart(self, element: Element) -> None:
        self._attached.drawings.append(attribute(element, "id") or "")

    def _diagram(self, element: Element) -> None:
        self._attached.drawings.append(attribute(element, "dm") or "")

    def _picture(self, element: Element) -> None:
        description = attribute(element, "descr")
        if description:
            self._write(f" [{' '.join(description.split())}] ")

    def _word_art(self, element: Element) -> None:
        self._write(f" {attribute(element, 'string') or ''} ")
        self._children(element)

    def _reference(self, element: Element) -> None:
        kind, number = local(element), attribute(element, "id") or ""
        self._attached.notes.append((kind, number))
        if kind != "commentReference" and attribute(element, "customMarkFollows") in {None, "0", "false"}:
            self._write(f"[^{'e' if kind == 'endnoteReference' else ''}{number}]")

    def _ruby(self, element: Element) -> None:
        for part in ("rubyBase", "rt"):
            found = child(element, part)
            if found is not None:
                self._write("(" if part == "rt" else "")
                self._children(found)
                self._write(")" if part == "rt" else "")

    def _hyperlink(self, element: Element) -> None:
        start = len(self._out)
        self._children(element)
        link = self._links.get(relationship(element))
        if link is not None and link.external:
            self._point_to(link.target, start)

    def _simple_field(self, element: Element) -> None:
        start = len(self._out)
        self._children(element)
        self._point_to(_address(attribute(element, "instr") or ""), start)

    def _field_mark(self, element: Element) -> None:
        type_ = attribute(element, "fldCharType")
        if type_ == "begin":
            self._fields.append(_Field(start=len(self._out)))
            data = child(element, "ffData")
            if data is not None:
                self._form_field(data)
        elif type_ == "separate" and self._fields:
            self._fields[-1].in_result, self._fields[-1].start = True, len(self._out)
        elif type_ == "end" and self._fields:
            ended = self._fields.pop()
            if ended.in_result:
                self._point_to(_address(ended.instruction), ended.start)

    def _form_field(self, data: Element) -> None:
        """Tick boxes and lists of an old form, which have no text of their own."""
        shown = ""
        box, choices = child(data, "checkBox"), child(data, "ddList")
        if box is not None:
            state = "checked" if child(box, "checked") is not None else "default"
            shown = "[x]" if is_on(box, state) else "[ ]"
        elif choices is not None:
            entries = [attribute(entry, "val") or "" for entry in choices if local(entry) == "listEntry"]
            index = value(choices, "result") or value(choices, "default") or "0"
            shown = entries[int(index)] if index.isdigit() and int(index) < len(entries) else ""
        if all(opened.in_result for opened in self._fields[:-1]):
            self._out.append(shown)

    def _point_to(self, address: str, start: int) -> None:
        """Puts an address after the text that leads there, unless the text says it."""
        text = "".join(self._out[start:]).strip()
        bare = address.removeprefix("mailto:").split("?")[0]
        if address and text and bare not in text:
            self._write(f" ({address})")

    def _math_fraction(self, element: Element) -> None:
        self._in_order(element, ("num", "den"), "/")

    def _math_power(self, element: Element) -> None:
        self._in_order(element, ("e", "sup"), "^")

    def _math_index(self, element: Element) -> None:
        self._in_order(element, ("e", "sub"), "_")

    def _math_brackets(self, element: Element) -> None:
        self._write(value(element, "dPr", "begChr") or "(")
        self._children(element)
        self._write(value(element, "dPr", "endChr") or ")")

    def _math_root(self, element: Element) -> None:
        self._write("\N{SQUARE ROOT}(")
        self._children(element)
        self._write(")")

    def _in_order(self, element: Element, names: tuple[str, str], between: str) -> None:
        for number, name in enumerate(names):
            found = child(element, name)
            if number:
                self._write(between)
            if found is not None:
                several = sum(1 for part in found.iter() if local(part) == "t") > 1
                self._write("(" if several else "")
                self._children(found)
                self._write(")" if several else "")


def _address(instruction: str) -> str:
    """Where a field HYPERLINK leads, if outside the document; else ""."""
    words = instruction.split()
    if len(words) < 2 or words[0].upper() != "HYPERLINK" or words[1].startswith("\\"):
        return ""
    return words[1].strip('"')
