"""Answers of a parser that a file has taken over: whatever they are, they are an answer or none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.ingestion.parsed import ParsedFile, Unparsable
from workers.ingestion.parser_answer import NoAnswer, understand

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["code", "message", "page_starts", "x"]), inner),
)


def test_a_text_and_its_pages() -> None:
    assert understand(b'{"page_starts": [0, 4]}\nOwl\nMaus \xc3\xa4') == ParsedFile("Owl\nMaus ä", [0, 4])
    assert understand(b'{"page_starts": []}\n') == ParsedFile("", [])


def test_a_fault() -> None:
    with pytest.raises(Unparsable, match="The file is damaged.") as caught:
        understand(b'{"code": "invalid_file", "message": "The file is damaged."}\n')
    assert caught.value.code == "invalid_file"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}\n",
        b"[" * 1_000_000,
        b'{"page_starts": [' + b"9" * 5000 + b"]}\n",
        b'{"page_starts": [-1]}\ntext',
        b'{"page_starts": [5]}\ntext',
        b'{"page_starts": [3, 1]}\ntext',
        b'{"page_starts": [true]}\ntext',
        b'{"page_starts": [1.0]}\ntext',
        b'{"page_starts": {}}\ntext',
        b'{"page_starts": [], "code": "x"}\ntext',
        b'{"page_starts": []}\na\0b',
        b'{"page_starts": []}\n\xff',
        b'{"code": "server_error", "message": "No."}\n',
        b'{"code": [], "message": "No."}\n',
        b'{"code": "invalid_file", "message": 1}\n',
        b'{"code": "invalid_file", "message": "a\\nb"}\n',
        json.dumps({"code": "invalid_file", "message": "x" * 501}).encode(),
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    with pytest.raises(NoAnswer):
        understand(answer)


@given(_JSON.map(json.dumps).map(str.encode) | st.binary(), st.binary())
def test_whatever_is_answered(beginning: bytes, text: bytes) -> None:
    try:
        parsed = understand(beginning + b"\n" + text)
    except (NoAnswer, Unparsable):
        return
    assert all(0 <= start <= len(parsed.text) for start in parsed.page_starts)
