"""What models write, as HTML that is safe to show: CommonMark with tables, code in colours, and nothing that acts."""

from typing import Final

import nh3
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

#: Of all code in one text. More is shown as it is: to colour it would take seconds.
_MOST_COLOURED: Final = 50_000

_TAGS: Final = frozenset(
    {
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
    }
    | {"span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "code": {"class"},
    "ol": {"start"},
    "span": {"class"},
    "td": {"align"},
    "th": {"align"},
}
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_FORMATTER: Final = HtmlFormatter(nowrap=True)


class _Colours:
    """Colours the code of one text, as long as there is not too much of it."""

    def __init__(self) -> None:
        self._left = _MOST_COLOURED

    def colour(self, code: str, language: str, _attributes: str) -> str:
        """The inside of a code block; empty where it is not to be coloured, and markdown-it shows it plain."""
        self._left -= len(code)
        return _coloured(code, language) if language and self._left >= 0 else ""


def _coloured(code: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return ""
    return str(highlight(code, lexer, _FORMATTER))


def _parser() -> MarkdownIt:
    # HTML in the text is shown, not obeyed. An image would be a request to wherever a model says: it is made a link.
    parser = MarkdownIt("commonmark", {"html": False, "highlight": _Colours().colour})
    return parser.enable(["table", "strikethrough"]).disable("image")


def to_html(text: str) -> str:
    """`text` as HTML without scripts, styles, images or addresses that are not of the web.

    Whatever the parser lets through is cleaned once more by an HTML parser of its own.
    """
    return nh3.clean(
        _parser().render(text),
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        url_schemes=set(_SCHEMES),
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
