"""Which encoding a text is in that does not say so: the one in which it reads most like a language.

Each candidate is decoded and costs bits: few for frequent pairs of letters of some language, more for rare ones, many
for letters that the language has not, for symbols within words, and for capital letters after small ones. How common an
encoding is decides where texts are short and cost the same.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import log2
from typing import Final

from workers.ingestion.letter_pairs import IDEOGRAPHS, LANGUAGES

_CYRILLIC: Final = ("Russian", "Ukrainian", "Bulgarian")
_OTHERS: Final = (*_CYRILLIC, "Greek", "Hebrew", "Arabic", "Thai", "Vietnamese")
_LATIN: Final = tuple(language for language in LANGUAGES if language not in _OTHERS)
_WESTERN: Final = (
    *("English", "Spanish", "Portuguese", "French", "German", "Italian", "Dutch", "Swedish", "Danish", "Norwegian"),
    *("Finnish", "Icelandic", "Catalan", "Albanian"),
)
_CENTRAL: Final = ("English", "German", "Polish", "Czech", "Slovak", "Hungarian", "Romanian", "Croatian", "Slovene")
_BALTIC: Final = ("English", "Estonian", "Latvian", "Lithuanian")

#: The languages that are written in an encoding, and how many bits it costs to be a rare one.
_CANDIDATES: Final[dict[str, tuple[tuple[str, ...], float]]] = {
    "cp1252": (_WESTERN, 0),
    "cp1250": (_CENTRAL, 3),
    "cp1251": (_CYRILLIC, 1),
    "cp1253": (("Greek",), 2),
    "cp1254": (("Turkish",), 3),
    "cp1255": (("Hebrew",), 2),
    "cp1256": (("Arabic",), 2),
    "cp1257": (_BALTIC, 5),
    "cp1258": (("Vietnamese",), 5),
    "cp874": (("Thai",), 3),
    "iso8859_15": (_WESTERN, 4),
    "iso8859_2": (_CENTRAL, 5),
    "iso8859_5": (_CYRILLIC, 7),
    "iso8859_6": (("Arabic",), 6),
    "iso8859_7": (("Greek",), 4),
    "iso8859_8": (("Hebrew",), 4),
    "koi8_r": (("Russian", "Bulgarian"), 4),
    "koi8_u": (("Ukrainian",), 5),
    "cp866": (_CYRILLIC, 5),
    "mac_cyrillic": (_CYRILLIC, 8),
    "mac_roman": (_WESTERN, 7),
    "cp850": (_WESTERN, 6),
    "cp437": (_WESTERN, 7),
    "cp852": (_CENTRAL, 7),
    "cp857": (("Turkish",), 7),
    "cp865": (("Danish", "Norwegian"), 8),
    "cp932": (("Japanese",), 2),
    "euc_jp": (("Japanese",), 4),
    "gb18030": (("Chinese",), 2),
    "big5hkscs": (("Chinese (traditional)",), 3),
    "cp949": (("Korean",), 2),
}

#: Encodings of one or two bytes a character, with the lead bytes below which their more frequent characters are.
_FREQUENT_BELOW: Final = {"cp932": 0x98, "euc_jp": 0xD0, "gb18030": 0xD8, "big5hkscs": 0xC9, "cp949": 0xC9}

# In bits.
_OUTSIDE_THE_TABLE: Final = 8.5
_NO_LETTER_OF_IT: Final = 15.0
_CAPITAL_WITHIN: Final = 6.0
_SYMBOL_BESIDE_A_LETTER: Final = 5.0
_SYMBOL_WITHIN_A_WORD: Final = 8.0
_OTHER_SCRIPT_BESIDE: Final = 7.0
_LONE_AND_RARE: Final = 12.0
_MANY: Final = 26.0
_WRONG: Final = 30.0

#: What ordinary texts have beside letters, and what may stand next to a letter.
_COMMON: Final = "“”‘’–—…«»€„‚°§·•№¿¡\xa0©®™£ºª²³½¼×´\xad‹›"
_BESIDE_LETTERS: Final = frozenset("“”‘’–—…«»€„‚·¿¡\xa0ºª²³°™®©\xad§‹›\u0300\u0301\u0303\u0309\u0323")

#: A symbol between two letters that is none of those that may be there.
_WITHIN_A_WORD: Final = re.compile("(?<=[^\\W\\d_])[^\\w\\s\x00-\x7f’·\u00ad](?=[^\\W\\d_])")

#: An ideograph between other characters.
_LONE_IDEOGRAPH: Final = re.compile("(?<![\u2e80-\uffee])[\u4e00-\u9fff\uac00-\ud7a3](?![\u2e80-\uffee])")

_LOW_QUOTE_AFTER_A_WORD: Final = re.compile("(?<=[^\\W\\d_])[„‚](?![^\\W\\d_])")

#: Letters that English has in borrowed words.
_BORROWED: Final = "éèêëáàâäåãçíïîóôöøòúüñßæ"

_MAX_WRONG: Final = 0.02


@dataclass(frozen=True)
class Guess:
    """An encoding, the text in it, and what it costs, in bits: the fewer, the likelier."""

    encoding: str
    text: str
    cost: float


def best(sample: bytes, among: Iterable[str] = _CANDIDATES) -> Guess | None:
    """The likeliest encoding of `sample`; None where it can be none of them."""
    guesses = [guess for encoding in among if (guess := of(sample, encoding)) is not None]
    return min(guesses, key=lambda guess: guess.cost, default=None)


def of(sample: bytes, encoding: str) -> Guess | None:
    """What `sample` costs in one encoding; None where it cannot be in it. In unknown ones any language may be."""
    languages, rarity = _CANDIDATES.get(encoding, (tuple(LANGUAGES), 0))
    try:
        text = sample.decode(encoding, "replace")
    except (LookupError, ValueError):
        return None
    if text.count("\ufffd") > _MAX_WRONG * len(text):
        return None
    return Guess(encoding, text, rarity + _cost(text, encoding, languages))


def _cost(text: str, encoding: str, languages: tuple[str, ...]) -> float:
    raw = Counter(zip(f" {text}", f"{text} ", strict=True))
    characters: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    cost = 0.0
    for (first, second), count in raw.items():
        characters[second] += count
        if not (first.isascii() and second.isascii()):
            cost += count * _oddity(first, second)
        pair = _letter(first) + _letter(second)
        if pair != "  ":
            pairs[pair] += count
    ideographs = next((language for language in languages if language in IDEOGRAPHS), None)
    cost += sum(count * _apart(character, encoding, ideographs) for character, count in characters.items())
    if ideographs:
        cost += _LONE_AND_RARE * sum(
            _takes_a_letter(found, encoding, ideographs) for found in _LONE_IDEOGRAPH.findall(text)
        )
    cost += _SYMBOL_WITHIN_A_WORD * (len(_WITHIN_A_WORD.findall(text)) + len(_LOW_QUOTE_AFTER_A_WORD.findall(text)))
    return cost + min(_in_language(pairs, language) for language in languages)


def _takes_a_letter(character: str, encoding: str, language: str) -> bool:
    """Whether a rare ideograph is made of a byte beyond ASCII and one of ASCII, as "°C" would be."""
    return character not in IDEOGRAPHS[language] and character.encode(encoding, "replace")[-1] < 0x80


@cache
def _letter(character: str) -> str:
    """The letter as the tables have it; a blank for all else, ideographs too."""
    if not character.isalpha() or character == "µ" or "\u2e80" <= character <= "\uffee":
        return character if "\u0e30" <= character <= "\u0e4e" else " "  # the vowels and tones of Thai
    lower = character.lower()[:1]
    return {"ș": "ş", "ț": "ţ"}.get(lower, lower)


@cache
def _table(language: str) -> tuple[Mapping[str, float], frozenset[str]]:
    pairs, letters = LANGUAGES.get(language, LANGUAGES["English"])
    if language == "English":
        letters = _BORROWED
    costs = {pairs[place : place + 2]: 2.2 + 0.7 * log2(1 + place / 16) for place in range(0, len(pairs), 2)}
    if language not in _LATIN and language != "English":  # what is in Latin letters there is English, or markup
        costs = {**_table("English")[0], **costs}
    return costs, frozenset(letters)


def _in_language(pairs: Mapping[str, int], language: str) -> float:
    costs, letters = _table(language)
    cost = 0.0
    for pair, count in pairs.items():
        known = costs.get(pair)
        if known is None:
            known = _OUTSIDE_THE_TABLE
            if not all(letter.isascii() or letter in letters for letter in pair):
                known = _NO_LETTER_OF_IT
        cost += count * known
    return cost


def _oddity(first: str, second: str) -> float:
    """What it costs that two characters, one of them beyond ASCII, stand next to each other."""
    if first.isalpha() and second.isalpha():
        if first.islower() and second.isupper():
            return _CAPITAL_WITHIN
        return 0.0 if _script(first) == _script(second) else _OTHER_SCRIPT_BESIDE
    symbol, other = (first, second) if not first.isalpha() else (second, first)
    if other.isalpha() and not symbol.isascii() and symbol not in _BESIDE_LETTERS and _script(symbol) != _script(other):
        return _SYMBOL_BESIDE_A_LETTER
    return 0.0


def _script(character: str) -> int:
    """A number for each script, as far as encodings tell them apart."""
    code = ord(character)
    for number, end in enumerate((0x250, 0x370, 0x400, 0x530, 0x600, 0x780, 0xE00, 0xE80)):
        if code < end:
            return number
    return 8 if code < 0x1E00 else 0 if code < 0x1F00 else 9 if code >= 0x2E80 else 10


def _apart(character: str, encoding: str, ideographs: str | None) -> float:
    """What a character beyond ASCII costs that is no letter of an alphabet."""
    if character.isascii():
        return 0.0
    if character == "µ":
        return 10.0
    category = unicodedata.category(character)
    if category in {"Cc", "Cn", "Co"}:
        return _MANY
    if "\u2e80" <= character <= "\uffee":
        return _of_east_asia(character, encoding, ideographs) if ideographs else _MANY
    if category[0] == "L":
        return _MANY / 2 if ideographs else 0.0
    return _of_mark(character, category)


def _of_mark(character: str, category: str) -> float:
    if character == "\ufffd":
        return _WRONG
    if category == "Mn":  # of Thai they are in the tables; Hebrew and Arabic hardly write them
        return 0.0 if "\u0e30" <= character <= "\u0e4e" else 9.0 if "\u0590" <= character <= "\u06ff" else 4.0
    return 10.0 if character in _COMMON else 15.0


def _of_east_asia(character: str, encoding: str, language: str) -> float:
    if character in "、。「」，：（）！？；《》・ー":
        return 7.0
    if "\u3040" <= character <= "\u30ff":
        return 6.5 if language == "Japanese" else 16.0
    if character in IDEOGRAPHS[language]:
        return 8.5
    if "\u4e00" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3":
        lead = character.encode(encoding, "replace")[0]
        return 13.5 if lead < _FREQUENT_BELOW.get(encoding, 0) else 19.0
    return 14.0  # katakana of half width, of one byte, and others
