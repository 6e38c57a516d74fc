"""The characters that Word keeps as places in the fonts Symbol and Wingdings, as they are in Unicode."""

from typing import Final

#: Symbol's places from 0x20 on, as Adobe defines them; a blank where there is none or nothing in Unicode.
_SYMBOL: Final = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_\u203eαβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼ "
_SYMBOL_HIGH: Final = (
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…|―↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪ 〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭ "
)
_WINGDINGS: Final = {
    0x22: "✂", 0x28: "☎", 0x2A: "✉", 0x4A: "☺", 0x4B: "😐", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑",
    0x75: "◆", 0x76: "❖", 0x9F: "•", 0xA7: "▪", 0xA8: "☐", 0xAB: "★", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑",
    0xE2: "↓", 0xE8: "➔", 0xEF: "⇦", 0xF0: "⇨", 0xF1: "⇧", 0xF2: "⇩", 0xF3: "⬄", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒",
    0xFE: "☑",
}  # fmt: skip

#: Where Word puts the characters of such fonts: an area that Unicode leaves to programs.
_PRIVATE: Final = range(0xF000, 0xF100)


def character(font: str, code: str) -> str:
    """The character at a place (in hexadecimal digits) of a font; "" where it has none in Unicode that is known."""
    try:
        place = int(code, 16)
    except ValueError:
        return ""
    if place in _PRIVATE:
        place -= _PRIVATE.start
    font = font.lower()
    if font == "symbol":
        return _of_symbol(place)
    if font.startswith(("wingdings", "webdings")):
        return _WINGDINGS.get(place, "") if font == "wingdings" else ""
    return chr(place) if place >= 0x20 else ""


def _of_symbol(place: int) -> str:
    table, start = (_SYMBOL_HIGH, 0xA0) if place >= 0xA0 else (_SYMBOL, 0x20)
    return table[place - start].strip() or " " if 0 <= place - start < len(table) else ""
