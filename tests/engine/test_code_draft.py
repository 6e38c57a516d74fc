"""The code of a call is told while it is written, however the model's tokens are cut and whatever form it comes in."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.test_annotations import split
from workers.tools.code_draft import CodeDraft


def told(pieces: list[str]) -> tuple[str, str, bool]:
    """The code that the deltas add up to, the code of the call, and whether it is yet to be told."""
    draft = CodeDraft("call_1")
    deltas = [delta for piece in pieces if (delta := draft.add(piece)) is not None]
    assert [delta.get("id") for delta in deltas] == ["call_1", *[None] * (len(deltas) - 1)]
    call = draft.call()
    return (
        "".join(delta["code_interpreter"]["input"] for delta in deltas),
        call["code_interpreter"]["input"],
        call.get("untold", False),
    )


@given(st.text(), st.lists(st.integers(0, 200), max_size=8), st.sampled_from([0, orjson.OPT_INDENT_2]))
def test_code_in_json(code: str, cuts: list[int], option: int) -> None:
    arguments = orjson.dumps({"code": code}, option=option).decode()
    assert told(split(arguments, cuts)) == (code, code, False)


@given(st.text(min_size=1).filter(lambda code: not code.lstrip().startswith("{") and code.strip()))
def test_bare_code(code: str) -> None:
    assert told([code]) == (code, code, False)


@pytest.mark.parametrize("arguments", ['{"language": "python", "code": "1 + 1"}', '{"lang":"py","code":"1 + 1"}'])
def test_code_behind_something_else_is_told_later(arguments: str) -> None:
    assert told(list(arguments)) == ("", "1 + 1", True)


@pytest.mark.parametrize("arguments", ["", "{}", '{"code": 1}', '{"cod'])
def test_no_code(arguments: str) -> None:
    assert told([arguments]) == ("", "", False)
