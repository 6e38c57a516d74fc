"""Tool calls from the pieces of every server: what is told, what is told at once, and what is given back."""

from typing import Any

import pytest

from app.backends.base import Delta, ToolCallDelta
from app.backends.call_assembly import CallAssembler, NamelessCall
from app.backends.call_pieces import Piece

TOOLS = frozenset({"f", "g", "get_weather", "get_time"})
Given = dict[str, Any]


def piece(index: Any = None, call_id: Any = None, name: Any = None, arguments: Any = None, **more: Any) -> Given:
    """An entry of `tool_calls`; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    fields = {"index": index, "id": call_id, "function": function}
    return {key: value for key, value in fields.items() if value is not None} | more


def assembled(deltas: list[Delta]) -> list[tuple[str, str]]:
    """The calls that deltas add up to; the name must come first and once, numbers in order."""
    calls: list[tuple[str, str]] = []
    for delta in deltas:
        assert isinstance(delta, ToolCallDelta)
        if delta.name is not None:
            assert delta.index == len(calls)
            calls.append((delta.name, ""))
        name, arguments = calls[delta.index]
        calls[delta.index] = name, arguments + delta.arguments
    return calls


def take(*pieces: Given, tools: frozenset[str] = TOOLS) -> list[tuple[str, str]]:
    deltas: list[Delta] = []
    assembler = CallAssembler(tools)
    for given in pieces:
        assembler.add(Piece.of(given), deltas)
    assembler.end(deltas)
    return assembled(deltas)


A, B = '{"a": 1}', '{"b": 2}'


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        pytest.param([piece(0, "x", "f", ""), piece(0, None, None, A)], [("f", A)], id="as OpenAI"),
        pytest.param([piece(0, None, "f", A), piece(0, None, "g", B)], [("f", A), ("g", B)], id="index 0, no ids"),
        pytest.param([piece(0, None, "f", A), piece(0, None, "f", B)], [("f", A), ("f", B)], id="and the same name"),
        pytest.param([piece(0, "x", "f", ""), piece(0, "y", "g", "")], [("f", ""), ("g", "")], id="ids, one index"),
        pytest.param([piece(0, "x", "f"), piece(0, "y", "f")], [("f", ""), ("f", "")], id="ids, index and name"),
        pytest.param([piece(None, "x", "f", A), piece(None, "x", "g", B)], [("f", A), ("g", B)], id="one id, no index"),
        pytest.param([piece(0, "x", "f", A), piece(1, "x", "f", B)], [("f", A), ("f", B)], id="one id, two indexes"),
        pytest.param([piece(None, None, "f", A), piece(None, None, "g", B)], [("f", A), ("g", B)], id="nothing at all"),
        pytest.param(
            [piece(0, "x", "f", A[:3]), piece(0, "x", "f", A[3:]), piece(0, "x", "f", "")], [("f", A)], id="repeated"
        ),
        pytest.param(
            [piece(None, None, "f", A[:3]), piece(None, None, "f", A[3:])], [("f", A)], id="only the name repeated"
        ),
        pytest.param(
            [piece(0, "1", "f", A[:3]), piece(0, "2", None, A[3:]), piece(0, "3", "g", B)],
            [("f", A), ("g", B)],
            id="an id for each piece",
        ),
        pytest.param([piece(0, "x", "f", "{}"), piece(0, None, None, A)], [("f", A)], id="{} first"),
        pytest.param(
            [piece(0, "x", "f", "{}"), piece(0, None, None, A[:4]), piece(0, None, None, A[4:])],
            [("f", A)],
            id="{} first, then pieces",
        ),
        pytest.param([piece(0, "x", "f", "{}" + A)], [("f", A)], id="{} before it"),
        pytest.param([piece(0, "x", "f", "{}")], [("f", "{}")], id="{} alone"),
        pytest.param([piece(0, "x", "f", A), piece(0, "x", "f", A)], [("f", A)], id="whole arguments twice"),
        pytest.param(
            [piece(0, "x", "f", A[:4]), piece(0, None, None, A[4:]), piece(0, None, None, '{"a":1}')],
            [("f", A)],
            id="twice, spaced otherwise",
        ),
        pytest.param(
            [piece(0, "x", "f", A), piece(0, None, None, A[:4]), piece(0, None, None, A[4:])],
            [("f", A)],
            id="in pieces",
        ),
        pytest.param([piece(0, "x", "f", A), piece(0, None, None, A[:4])], [("f", A)], id="half again"),
        pytest.param([piece(0, "x", "f", A + B)], [("f", A), ("f", B)], id="two objects in one"),
        pytest.param(
            [piece(0, "x", "f", A[:2]), piece(0, "x", "f", A[:5]), piece(0, "x", "f", A)], [("f", A)], id="all so far"
        ),
        pytest.param([piece("0", "x", "f", A), piece("1", "y", "g", B)], [("f", A), ("g", B)], id="indexes in words"),
        pytest.param([piece(-1, "x", "f", A), piece(-2, "y", "g", B)], [("f", A), ("g", B)], id="negative"),
        pytest.param(
            [piece(1, "", "f", ""), piece(1, "", None, A), piece(2, "", "g", B)], [("f", A), ("g", B)], id="no real ids"
        ),
        pytest.param(
            [piece(0, "x", "f"), piece(1, "y", "g"), piece(1, None, None, B), piece(0, None, None, A)],
            [("f", A), ("g", B)],
            id="interleaved",
        ),
        pytest.param([piece(0, "x", None, A), piece(0, None, "f")], [("f", A)], id="the name at last"),
        pytest.param(
            [piece(0, "x", "get_", ""), piece(0, None, "time", ""), piece(0, None, None, A)],
            [("get_time", A)],
            id="half a name",
        ),
        pytest.param([piece(0, "x", "f", {"a": 1})], [("f", '{"a":1}')], id="an object"),
        pytest.param([piece(0, "x", "f", '"{\\"a\\": 1}"')], [("f", A)], id="JSON in JSON"),
        pytest.param([piece(0, "x", "f", "null")], [("f", "{}")], id="null in words"),
        pytest.param([piece(0, "x", "f", "nothing")], [("f", "nothing")], id="no JSON"),
        pytest.param([piece(0, "x", "f", A + "\n```"), piece(0, None, None, "<|call|>")], [("f", A)], id="garbage"),
        pytest.param(
            [piece(0, "x", "f", A), piece(0, None, None, "}"), piece(0, "y", "g", B)], [("f", A), ("g", B)], id="one }"
        ),
        pytest.param([piece(0, "x", "f", '{"a": ')], [("f", '{"a": ')], id="cut off"),
        pytest.param([piece(0, "x", "f", "print(1)"), piece(0, "x", "f", "\nx")], [("f", "print(1)\nx")], id="code"),
        pytest.param([piece(0), piece(0, "x", "f", A)], [("f", A)], id="a piece of nothing"),
        pytest.param([piece(0, "x"), piece(1, "y", "f", A)], [("f", A)], id="a call of nothing"),
    ],
)
def test_forms(pieces: list[Given], calls: list[tuple[str, str]]) -> None:
    assert take(*pieces) == calls


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("functions.get_weather", "get_weather"),
        ("default_api.get_weather", "get_weather"),
        ("functions.get_weather:0", "get_weather"),
        ("get_weather<|channel|>commentary", "get_weather"),
        ("get_weather<|constrain|>json", "get_weather"),
        (" get_weather() ", "get_weather"),
        ("`get_weather`", "get_weather"),
        ("weather", "weather"),
    ],
)
def test_names(said: str, meant: str) -> None:
    assert take(piece(0, "x", said, A)) == [(meant, A)]


def test_names_that_are_known_are_left_alone() -> None:
    tools = frozenset({"functions.f", "multi_tool_use.parallel", "f"})
    assert take(piece(0, "x", "functions.f", A), tools=tools) == [("functions.f", A)]
    assert take(piece(0, "x", "multi_tool_use.parallel", A), tools=tools) == [("multi_tool_use.parallel", A)]


@pytest.mark.parametrize(
    "name", ["multi_tool_use.parallel", "functions.multi_tool_use.parallel", "multi_tool_use_parallel"]
)
@pytest.mark.parametrize("cut", [4, 40])
def test_calls_that_wrap_others(name: str, cut: int) -> None:
    wrapped = (
        '{"tool_uses": [{"recipient_name": "functions.get_weather", "parameters": {"city": "Ulm"}},'
        ' {"recipient_name": "get_time", "parameters": {}}]}'
    )
    calls = take(piece(0, "x", name, wrapped[:cut]), piece(0, None, None, wrapped[cut:]), piece(1, "y", "f", A))
    assert calls == [("get_weather", '{"city":"Ulm"}'), ("get_time", "{}"), ("f", A)]
    assert take(piece(0, "x", name, "{}")) == [(name, "{}")]


def test_a_call_is_told_while_it_comes() -> None:
    assembler, deltas = CallAssembler(TOOLS), list[Delta]()
    for given in (piece(0, "x", "f", ""), piece(0, None, None, '{"a'), piece(0, None, None, '": 1}')):
        assembler.add(Piece.of(given), deltas)
    assert deltas == [ToolCallDelta(0, "f", ""), ToolCallDelta(0, None, '{"a'), ToolCallDelta(0, None, '": 1}')]


def test_a_call_that_may_be_a_repetition_waits() -> None:
    assembler, deltas = CallAssembler(TOOLS), list[Delta]()
    assembler.add(Piece.of(piece(None, None, "f", A)), deltas)
    assembler.add(Piece.of(piece(None, None, "g", B[:3])), deltas)
    assert deltas == [ToolCallDelta(0, "f", A)]
    assembler.add(Piece.of(piece(None, None, None, B[3:])), deltas)
    assert deltas[1:] == [ToolCallDelta(1, "g", B)]


def test_everything_once_more_at_the_end() -> None:
    assembler, deltas = CallAssembler(TOOLS), list[Delta]()
    for given in (piece(0, "x", "f", A), piece(1, "y", "g", B[:4])):
        assembler.add(Piece.of(given), deltas)
    whole = [piece(None, "x", "f", A), piece(None, "z", "g", B), piece(None, "v", "f", B)]
    assembler.add_whole([Piece.of(given) for given in whole], deltas)
    assembler.end(deltas)
    assert assembled(deltas)[:1] == [("f", A)]
    assert sorted(assembled(deltas)) == [("f", A), ("f", B), ("g", B)]


def test_no_name_at_all() -> None:
    with pytest.raises(NamelessCall):
        take(piece(0, "x", None, A))


def test_what_is_given_back() -> None:
    assembler, deltas = CallAssembler(TOOLS), list[Delta]()
    signed = {"google": {"thought_signature": "c2ln"}}
    assembler.add(Piece.of(piece(0, "D681PevKs", "f", A, extra_content=signed)), deltas)
    assembler.add(Piece.of(piece(1, "D681PevKs", "g", B)), deltas)
    assembler.add(Piece.of(piece(2, None, "get_time", "")), deltas)
    assembler.end(deltas)
    assert assembler.returned() == {0: {"id": "D681PevKs", "extra_content": signed}}
