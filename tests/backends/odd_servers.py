"""Answers of model servers at random, in every form that servers are known to use, with what each of them means.

A `Case` is made of a number alone. Forms that could mean two things are left out (`_Form.fits`): two calls that nothing
tells apart and that say the same, for example.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

#: The tools of every request.
TOOLS = ("get_weather", "get_time", "add", "search_files", "noop")

Ids = Literal["own", "none", "empty", "null", "one for all", "in the first piece", "new in each piece"]
Places = Literal["right", "none", "zero", "from one", "negative", "words", "null"]
Names = Literal["first", "every", "last", "halves"]
Pieces = Literal["cut", "whole", "object", "so far", "empty first", "twice", "twice in pieces", "within JSON"]

_WORDS = (
    "Ulm",
    "Köln",
    "São Paulo",
    "東京",
    '"',
    "\\",
    "{",
    "}",
    "a\nb",
    "🌍",
    "",
    "it's",
    "[1, 2",
    "</think>",
    "null",
)
_DECORATIONS = ("functions.{}", "{}<|channel|>commentary", "default_api.{}", "functions.{}:0", "{}()")
_GARBAGE = ("\n", " ", "\n```", "<|call|>", "</tool_call>")

_TOLD_APART: tuple[Ids, ...] = ("own", "in the first piece")
_PLACED: tuple[Places, ...] = ("right", "from one", "negative", "words")


@dataclass(frozen=True)
class Meant:
    """What an answer means: its text, and its calls by name and arguments."""

    text: str
    calls: list[tuple[str, Any]]
    finish_reason: str


@dataclass
class _Form:
    """How one server writes."""

    ids: Ids
    places: Places
    names: Names
    pieces: Pieces
    is_interleaved: bool
    is_decorated: bool
    has_garbage: bool
    repeats_all: bool
    has_empty_pieces: bool

    @classmethod
    def of(cls, rng: random.Random) -> "_Form":
        return cls(
            ids=rng.choice(
                ("own", "own", "none", "empty", "null", "one for all", "in the first piece", "new in each piece")
            ),
            places=rng.choice(("right", "right", "none", "zero", "from one", "negative", "words", "null")),
            names=rng.choice(("first", "first", "first", "every", "last", "halves")),
            pieces=rng.choice(
                (
                    "cut",
                    "cut",
                    "cut",
                    "whole",
                    "object",
                    "so far",
                    "empty first",
                    "twice",
                    "twice in pieces",
                    "within JSON",
                )
            ),
            is_interleaved=rng.random() < 0.2,
            is_decorated=rng.random() < 0.1,
            has_garbage=rng.random() < 0.1,
            repeats_all=rng.random() < 0.1,
            has_empty_pieces=rng.random() < 0.2,
        )

    @property
    def tells_apart(self) -> bool:
        """Whether each call has an index or an id of its own, with its first piece."""
        return self.places in _PLACED or self.ids in _TOLD_APART

    @property
    def marks_every_piece(self) -> bool:
        """Whether each piece says by itself which call it belongs to."""
        return self.places in _PLACED or self.ids == "own"

    def fits(self, calls: list[tuple[str, Any]]) -> bool:
        """Whether an answer with these calls means one thing in this form."""
        return self._is_possible() and (self.tells_apart or self._says_all_apart(calls))

    def _is_possible(self) -> bool:
        is_sure = self.names != "last" or (self.marks_every_piece and self.ids != "new in each piece")
        if self.is_interleaved:
            is_sure = is_sure and self.marks_every_piece and (self.names != "last" or self.places in _PLACED)
        if self.ids == "new in each piece":
            is_sure = is_sure and self.names == "first" and not self.has_garbage
        return is_sure and not (self.is_decorated and self.names in ("halves", "every"))

    def _says_all_apart(self, calls: list[tuple[str, Any]]) -> bool:
        names = [name for name, _ in calls]
        if self.pieces == "within JSON" and len(set(names)) < len(names):
            return False
        said = {(name, _dumped(arguments)) for name, arguments in calls}
        without = {name for name, arguments in calls if not arguments}
        return len(said) == len(calls) and all(names.count(name) == 1 for name in without)


@dataclass
class Case:
    """The bytes that a server sends, cut as they arrive, and what they mean."""

    number: int
    writes: list[bytes]
    meant: Meant
    form: str = field(repr=False, default="")


def case(number: int) -> Case:
    """The case of this number, always the same."""
    rng = random.Random(number)
    calls = _calls(rng)
    form = _Form.of(rng)
    while not form.fits(calls):
        form = _Form.of(rng)
    text, content = _text(rng)
    deltas = [*content, *_call_deltas(rng, calls, form)]
    meant = Meant(text, calls, "tool_calls" if calls else "stop")
    chunks = _chunks(rng, deltas, calls, form, text)
    return Case(number, _cut(rng, _framed(rng, chunks)), meant, f"{form} {len(calls)} calls")


def _calls(rng: random.Random) -> list[tuple[str, Any]]:
    return [(rng.choice(TOOLS), _arguments(rng)) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5)))]


def _arguments(rng: random.Random) -> dict[str, Any]:
    return {rng.choice(("city", "a", "b", "q")): _value(rng, 0) for _ in range(rng.choice((0, 1, 1, 2, 3)))}


def _value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(8 if depth < 2 else 5)
    match kind:
        case 0 | 1:
            return "".join(rng.choice(_WORDS) for _ in range(rng.randrange(4)))
        case 2:
            return rng.randrange(-999, 999)
        case 3:
            return rng.choice((True, False, None, 1.5, -0.25, 1e-7))
        case 4:
            return rng.choice(_WORDS)
        case 5:
            return [_value(rng, depth + 1) for _ in range(rng.randrange(3))]
        case _:
            return {rng.choice(("x", "y", "a")): _value(rng, depth + 1) for _ in range(rng.randrange(3))}


def _text(rng: random.Random) -> tuple[str, list[dict[str, Any]]]:
    """A text, and the deltas that say it, with or without thoughts before it."""
    text = "".join(rng.choice((*_WORDS[:4], "Hello ", "world ")) for _ in range(rng.choice((0, 0, 1, 5))))
    deltas: list[dict[str, Any]] = []
    match rng.randrange(6):
        case 0:
            deltas += [{"reasoning_content": piece} for piece in _sliced(rng, "Hm, let me think.")]
        case 1:
            deltas += [{"reasoning": "Hm.", "content": rng.choice(("", None))}]
        case 2:
            thought = rng.choice(("<think></think>", "<think>\n\n</think>\n\n", "\n<think>Hm: 1 < 2.</think>\n"))
            return text.lstrip(), [{"content": piece} for piece in _sliced(rng, thought + text)]
    if text and rng.random() < 0.1:
        return text, [*deltas, {"content": [{"type": "text", "text": text}]}]
    return text, [*deltas, *({"content": piece} for piece in _sliced(rng, text))]


def _sliced(rng: random.Random, text: str) -> list[str]:
    """`text` in pieces."""
    pieces = []
    while text:
        size = rng.choice((1, 2, 3, 5, 8, 13, 100))
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def _call_deltas(rng: random.Random, calls: list[tuple[str, Any]], form: _Form) -> list[dict[str, Any]]:
    if len(calls) == 1 and rng.random() < 0.05:
        name, arguments = calls[0]
        pieces = _sliced(rng, orjson.dumps(arguments).decode())
        return [
            {"function_call": {"name": name, "arguments": ""}},
            *({"function_call": {"arguments": p}} for p in pieces),
        ]
    if len(calls) > 1 and rng.random() < 0.05:
        uses = [{"recipient_name": f"functions.{name}", "parameters": arguments} for name, arguments in calls]
        calls = [("multi_tool_use.parallel", {"tool_uses": uses})]
        form.repeats_all = False
        return [
            _delta(piece)
            for piece in _pieces_of(rng, 0, *calls[0], _Form("own", "right", "first", "cut", *[False] * 5))
        ]
    by_call = [list(_pieces_of(rng, number, name, arguments, form)) for number, (name, arguments) in enumerate(calls)]
    if form.is_interleaved and by_call:
        # The first pieces come in order, as the calls' order is that of their beginnings.
        mixed = [rest.pop(0) for rest in by_call]
        while any(by_call):
            mixed.append(rng.choice([rest for rest in by_call if rest]).pop(0))
        return [_delta(piece) for piece in mixed]
    if form.pieces in ("whole", "object") and rng.random() < 0.3:
        return [{"tool_calls": [piece for pieces in by_call for piece in pieces]}]
    return [_delta(piece) for pieces in by_call for piece in pieces]


def _delta(piece: dict[str, Any]) -> dict[str, Any]:
    return {"tool_calls": [piece]}


def _pieces_of(rng: random.Random, number: int, name: str, arguments: Any, form: _Form) -> Iterator[dict[str, Any]]:
    """The entries of `tool_calls` that say one call."""
    said = rng.choice(_DECORATIONS).format(name) if form.is_decorated else name
    parts = _argument_parts(rng, arguments, form)
    functions: list[dict[str, Any]] = [{"arguments": part} for part in parts]
    match form.names:
        case "every":
            functions = [{"name": said, **function} for function in functions]
        case "last":
            functions.append({"name": said, "arguments": ""})
        case "halves" if len(said) > 4 and form.marks_every_piece:
            functions[:0] = [{"name": said[:4], "arguments": ""}, {"name": said[4:], "arguments": ""}]
        case _ if form.pieces == "cut" and rng.random() < 0.7:
            functions.insert(0, {"name": said, "arguments": rng.choice(("", None))})
        case _:
            functions[0] = {"name": said, **functions[0]}
    if form.has_empty_pieces:
        functions.append({"arguments": ""})
    if form.has_garbage and form.names != "every":
        functions.append({"arguments": rng.choice(_GARBAGE)})
    for position, function in enumerate(functions):
        yield _entry(rng, number, position, function, form)


def _dumped(arguments: Any, option: int = 0) -> str:
    return orjson.dumps(arguments, option=option).decode()


def _argument_parts(rng: random.Random, arguments: Any, form: _Form) -> list[Any]:
    dumped = _dumped(arguments, rng.choice((0, orjson.OPT_INDENT_2)))
    once = _sliced(rng, dumped) if rng.random() < 0.5 else [dumped]
    parts: dict[Pieces, list[Any]] = {
        "cut": _sliced(rng, dumped),
        "whole": [dumped],
        "object": [arguments],
        "so far": _so_far(rng, dumped),
        "empty first": ["{}", *once],
        "twice": [*once, dumped],
        "twice in pieces": [dumped, *_sliced(rng, _dumped(arguments))],
        "within JSON": _sliced(rng, _dumped(dumped)),
    }
    if not arguments and form.pieces not in ("object", "twice", "twice in pieces"):
        # Before garbage, or a name that comes last, there must be something.
        return [rng.choice(("{}",) if form.has_garbage or form.names == "last" else ("{}", "", None, "null"))]
    return parts[form.pieces]


def _so_far(rng: random.Random, dumped: str) -> list[str]:
    """Pieces that each have all from the beginning.

    None ends where a value is to come: there a value that begins in the same way cannot be told from all so far.
    """
    cuts = [cut for cut in range(2, len(dumped)) if not dumped[:cut].rstrip().endswith((":", "[", ","))]
    return [dumped[:cut] for cut in sorted(rng.sample(cuts, min(3, len(cuts))))] + [dumped]


def _entry(rng: random.Random, number: int, position: int, function: dict[str, Any], form: _Form) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    place: Any = {
        "right": number,
        "zero": 0,
        "from one": number + 1,
        "negative": -1 - number,
        "words": str(number),
        "null": None,
    }.get(form.places)
    if form.places != "none":
        entry["index"] = place
    call_id = {
        "own": f"call_{number}",
        "empty": "",
        "null": None,
        "one for all": "call_x",
        "in the first piece": f"call_{number}" if position == 0 else None,
        "new in each piece": f"call_{rng.randrange(10**9)}",
    }.get(form.ids)
    if form.ids != "none" and (call_id is not None or form.ids == "null" or rng.random() < 0.3):
        entry["id"] = call_id
    if position == 0 or rng.random() < 0.3:
        entry["type"] = "function"
    return {**entry, "function": function}


def _chunks(
    rng: random.Random, deltas: list[dict[str, Any]], calls: list[tuple[str, Any]], form: _Form, text: str
) -> list[dict[str, Any]]:
    reason = rng.choice(("tool_calls", "stop", "function_call", "tool_use") if calls else ("stop", "eos", "tool_calls"))
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
    for delta in deltas:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": None}
        chunks.append({"choices": [choice]} if rng.random() < 0.9 else {"choices": [choice], "usage": usage})
        if rng.random() < 0.05:
            chunks.append(rng.choice(({"choices": []}, {"choices": [{"index": 0, "delta": None}]}, {"choices": None})))
    last: dict[str, Any] = {"index": 0, "delta": rng.choice(({}, None, {"content": ""})), "finish_reason": reason}
    if form.repeats_all and form.tells_apart:
        last["message"] = _message(calls, text, has_ids=form.ids == "own")
    if rng.random() < 0.2:
        chunks.append({"choices": [last], "usage": usage})
    else:
        chunks += [{"choices": [last]}, {"choices": [], "usage": usage}]
    return chunks


def _message(calls: list[tuple[str, Any]], text: str, *, has_ids: bool) -> dict[str, Any]:
    """The whole message, as some servers say it once more at the end."""
    told = [
        {
            **({"id": f"call_{number}"} if has_ids else {}),
            "type": "function",
            "function": {"name": name, "arguments": orjson.dumps(arguments).decode()},
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": text, "tool_calls": told}


def _framed(rng: random.Random, chunks: list[dict[str, Any]]) -> bytes:
    end = rng.choice((b"\n", b"\n", b"\r\n", b"\r"))
    space = rng.choice((b" ", b" ", b""))
    lines: list[bytes] = []
    for chunk in chunks:
        if rng.random() < 0.05:
            lines += [rng.choice((b": keep-alive", b": OPENROUTER PROCESSING", b"event: message", b"id: 1")), b""]
        lines += [b"data:" + space + orjson.dumps(chunk), b""]
    if rng.random() < 0.8:
        lines += [b"data:" + space + b"[DONE]", b""]
    return end.join(lines) + end


def _cut(rng: random.Random, data: bytes) -> list[bytes]:
    writes = []
    size = rng.choice((7, 40, 400, 10**6, 10**6))
    while data:
        cut = rng.randint(1, 2 * size)
        writes.append(data[:cut])
        data = data[cut:]
    return writes
