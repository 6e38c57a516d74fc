"""What lies upon the pages of a PDF document: the fields of forms with their values, and what readers have noted."""

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pypdfium2
import pypdfium2.raw as pdfium

_NOT_SHOWN: Final = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_PASSWORD: Final = pdfium.FPDF_FORMFLAG_TEXT_PASSWORD

_CHOICES: Final = frozenset({pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX})
_SWITCHES: Final = frozenset({pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON})

#: Notes beside the text: their contents are what somebody wrote. FreeText is written upon the page.
_NOTES: Final = frozenset(
    {
        *(pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_HIGHLIGHT, pdfium.FPDF_ANNOT_UNDERLINE),
        *(pdfium.FPDF_ANNOT_SQUIGGLY, pdfium.FPDF_ANNOT_STRIKEOUT, pdfium.FPDF_ANNOT_SQUARE, pdfium.FPDF_ANNOT_CIRCLE),
        *(pdfium.FPDF_ANNOT_LINE, pdfium.FPDF_ANNOT_POLYGON, pdfium.FPDF_ANNOT_POLYLINE, pdfium.FPDF_ANNOT_CARET),
        *(pdfium.FPDF_ANNOT_INK, pdfium.FPDF_ANNOT_STAMP),
    }
)

#: How far a field's label may stand from it, in points.
_NEAR: Final = 150.0


@dataclass(frozen=True)
class Box:
    """A rectangle on a page, whose lower left corner is the origin."""

    left: float
    bottom: float
    right: float
    top: float

    def beside(self, other: "Box") -> bool:
        """Whether the middle of one is between bottom and top of the other: they are read as one line."""
        return (
            other.bottom <= (self.bottom + self.top) / 2 <= other.top
            or self.bottom <= (other.bottom + other.top) / 2 <= self.top
        )


@dataclass(frozen=True)
class Character:
    """A character of a page's text; what the library adds (spaces, line ends) has no place."""

    text: str
    box: Box | None


@dataclass(frozen=True)
class Annotation:
    """A field with the value that it shows, or a note. `name` is what a form calls the field."""

    text: str
    box: Box
    name: str = ""
    is_field: bool = False
    is_switch: bool = False


def of(page: pypdfium2.PdfPage) -> list[Annotation]:
    """What is to be read upon the page, in the order of the file."""
    found = []
    for index in range(max(0, pdfium.FPDFPage_GetAnnotCount(page))):
        handle = pdfium.FPDFPage_GetAnnot(page, index)
        if not handle:
            continue
        try:
            annotation = _read(page, handle)
        finally:
            pdfium.FPDFPage_CloseAnnot(handle)
        if annotation is not None and annotation.text.strip():
            found.append(annotation)
    return found


def _read(page: pypdfium2.PdfPage, handle: Any) -> Annotation | None:
    if pdfium.FPDFAnnot_GetFlags(handle) & _NOT_SHOWN:
        return None
    rectangle = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(handle, rectangle)
    box = Box(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
    subtype = pdfium.FPDFAnnot_GetSubtype(handle)
    if subtype == pdfium.FPDF_ANNOT_WIDGET:
        return _field_alone(handle, box) if page.formenv is None else _field(page.formenv, handle, box)
    if subtype not in _NOTES:
        return None
    contents = _entry(handle, b"Contents")
    on_the_page = subtype == pdfium.FPDF_ANNOT_FREETEXT
    return Annotation(contents if on_the_page or not contents.strip() else f"Comment: {contents}", box)


def _field(form: Any, handle: Any, box: Box) -> Annotation | None:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, handle)
    name = _string(partial(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, handle))
    name = name or _string(partial(pdfium.FPDFAnnot_GetFormFieldName, form, handle))
    if kind in _SWITCHES:
        mark = "[x]" if pdfium.FPDFAnnot_IsChecked(form, handle) else "[ ]"
        return Annotation(mark, box, name, is_field=True, is_switch=True)
    if kind in _CHOICES:
        text = "; ".join(_selected(form, handle)) or _value(form, handle)
    elif kind == pdfium.FPDF_FORMFIELD_TEXTFIELD:
        hidden = pdfium.FPDFAnnot_GetFormFieldFlags(form, handle) & _PASSWORD
        text = "" if hidden else _value(form, handle)
    else:
        return None
    return Annotation(text, box, name, is_field=True)


def _field_alone(handle: Any, box: Box) -> Annotation | None:
    """A field whose form is missing, as in a page that was taken out of a document: it is shown all the same."""
    name, state = _entry(handle, b"TU") or _entry(handle, b"T"), _entry(handle, b"AS")
    if _entry(handle, b"FT") == "Btn":
        mark = "[ ]" if state == "Off" else "[x]"
        return Annotation(mark, box, name, is_field=True, is_switch=True) if state else None
    flags = ctypes.c_float()
    pdfium.FPDFAnnot_GetNumberValue(handle, b"Ff", flags)
    hidden = int(flags.value) & _PASSWORD
    return Annotation("" if hidden else _entry(handle, b"V"), box, name, is_field=True)


def _entry(handle: Any, key: bytes) -> str:
    return _string(partial(pdfium.FPDFAnnot_GetStringValue, handle, key))


def _value(form: Any, handle: Any) -> str:
    return _string(partial(pdfium.FPDFAnnot_GetFormFieldValue, form, handle))


def _selected(form: Any, handle: Any) -> list[str]:
    """The options that are chosen, in the words that the form shows."""
    return [
        _string(partial(pdfium.FPDFAnnot_GetOptionLabel, form, handle, index))
        for index in range(max(0, pdfium.FPDFAnnot_GetOptionCount(form, handle)))
        if pdfium.FPDFAnnot_IsOptionSelected(form, handle, index)
    ]


def _string(get: Callable[[Any, int], int]) -> str:
    """What a function of pdfium writes into a buffer that must be large enough, in UTF-16."""
    size = get(None, 0)
    if size <= 2:  # the ending zero alone
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    get(buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace").replace("\r\n", "\n").replace("\r", "\n")


def with_fields(characters: Iterable[Character], fields: list[Annotation]) -> str:
    """The text of a page with each field's value beside its printed label; at the end what has no label near it."""
    page = list(characters)
    after: dict[int, list[str]] = {}
    before: dict[int, list[str]] = {}
    loose = []
    for field in sorted(fields, key=lambda field: field.box.left):
        index = _on_its_right(page, field.box) if field.is_switch else _on_its_left(page, field.box)
        if index is None:
            loose.append(f"{field.name}: {field.text}" if field.name else field.text)
        else:
            (before if field.is_switch else after).setdefault(index, []).append(field.text)
    text = "".join(
        "".join(f"{value} " for value in before.get(index, []))
        + character.text
        + "".join(f" {value}" for value in after.get(index, []))
        for index, character in enumerate(page)
    )
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "\n".join([text, *loose])


def _on_its_left(page: list[Character], field: Box) -> int | None:
    """The last character before the field in its line; else, of the line above it, the last one."""
    slack = 2.0
    left = [
        (character.box.right, index)
        for index, character in enumerate(page)
        if character.box and character.box.beside(field) and -slack <= field.left + slack - character.box.right <= _NEAR
    ]
    return max(left)[1] if left else None


def _on_its_right(page: list[Character], field: Box) -> int | None:
    right = [
        (character.box.left, index)
        for index, character in enumerate(page)
        if character.box
        and character.text.strip()
        and character.box.beside(field)
        and -2.0 <= character.box.left - field.right <= _NEAR
    ]
    return min(right)[1] if right else None
