"""What clients do while things break: one case is one run, or one batch of files, with what must have come of it.

The scripted models answer by what they are shown alone, so that a turn that is taken again is the same turn.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import orjson
from openai.types.beta.threads import Run

from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.faults.clients import Followed, Persistent

ROUNDS = 3
FILES = 3
WORDS = 20
_SLOWLY = 0.15
_POLL: Any = {"poll_interval_ms": 100}
_CODE = "with open('/mnt/data/log', 'a') as log:\n    log.write('x')\nprint('ran', open('/mnt/data/log').read())"
_SEARCH = {"queries": ["What does Ada like?"]}
FACT = "Ada likes pizza with pineapple."


#: What a models' server may have: it fails, takes the request and never answers, takes its time, or falls silent (or
#: breaks the connection) in the middle of an answer.
Trouble = Literal["failing", "silent", "slow", "cutting off"]


class Weather:
    """Whether the models' server behaves: while it has a trouble, some of its answers break."""

    def __init__(self, seed: int) -> None:
        self.trouble: Trouble | None = None
        #: The tokens of what was cut off in the middle of an answer: those runs may have failed.
        self.cut_off: set[str] = set()
        self._random = random.Random(seed)

    def over(self, turn: Turn, body: Any) -> Turn:
        """The turn, or what becomes of it."""
        match self.trouble:
            case "failing":
                return self._random.choice([turn, Turn(status=503), Turn(status=0)])
            case "silent":
                return self._random.choice([turn, Turn(status=0, hang_after=0)])
            case "slow":
                return replace(turn, delay=_SLOWLY)
            case "cutting off":
                self.cut_off.add(_token(body))
                cut_off = replace(turn, drop_after=2), replace(turn, hang_after=2)
                return self._random.choice(cut_off)
        return turn


def install(backend: CompletionBackend, weather: Weather) -> None:
    """Teaches the models of all cases to `backend`."""

    def teach(name: str, answer: Callable[[Any], Turn]) -> None:
        backend.script(_model(name), lambda body: weather.over(answer(body), body), repeat=True)

    teach("text", _say)
    teach("functions", _count)
    teach("search", _look_up)
    teach("code", _compute)


def _model(name: str) -> str:
    return f"scripted-faults-{name}"


def _texts(body: Any, role: str) -> list[str]:
    return [str(message.get("content")) for message in body["messages"] if message["role"] == role]


def _token(body: Any) -> str:
    found = re.search(r"token-\w+", _texts(body, "user")[-1])
    assert found is not None
    return found.group()


def expected_text(token: str) -> str:
    """What the model says to a token."""
    return "".join(f"{token} {number}. " for number in range(WORDS))


def _say(body: Any) -> Turn:
    return Turn(text=[f"{_token(body)} {number}. " for number in range(WORDS)], delay=0.02)


def _count(body: Any) -> Turn:
    known = _texts(body, "tool")
    if len(known) < ROUNDS:
        return Turn(tool_calls=[Call("next_number", {"after": len(known)})], delay=0.02)
    return Turn(text=[f"{_token(body)}: ", *(f"{output} " for output in known)], delay=0.02)


def _look_up(body: Any) -> Turn:
    if not _texts(body, "tool"):
        return Turn(tool_calls=[Call("file_search", _SEARCH)], delay=0.02)
    return Turn(text=[f"{_token(body)} Ada likes pizza", "【0:0†", "facts.txt】", "."], delay=0.02)


def _compute(body: Any) -> Turn:
    if not _texts(body, "tool"):
        return Turn(tool_calls=[Call("code_interpreter", {"code": _CODE})], delay=0.02)
    return Turn(text=f"{_token(body)} has run.")


@dataclass
class Prepared:
    """What the cases share, made before anything breaks: assistants by kind."""

    assistants: dict[str, str]

    @classmethod
    def on(cls, clients: Persistent, *, has_sandbox: bool) -> "Prepared":
        """Makes them."""
        function = {"type": "function", "function": {"name": "next_number", "parameters": {"type": "object"}}}

        def make(kind: str, model: str, **options: Any) -> str:
            assistants = clients.call(
                lambda client, headers: client.beta.assistants.create(
                    model=_model(model), extra_headers=headers, **options
                )
            )
            return assistants.id

        store = clients.call(
            lambda client, headers: client.vector_stores.create(name="facts", extra_headers=headers)
        ).id
        clients.call(
            lambda client, _: client.vector_stores.files.upload_and_poll(
                vector_store_id=store, file=("facts.txt", FACT.encode()), **_POLL
            )
        )
        searched: Any = {"file_search": {"vector_store_ids": [store]}}
        made = {
            "text": make("text", "text"),
            "stream": make("stream", "text"),
            "functions": make("functions", "functions", tools=[function]),
            "search": make("search", "search", tools=[{"type": "file_search"}], tool_resources=searched),
        }
        if has_sandbox:
            made["code"] = make("code", "code", tools=[{"type": "code_interpreter"}])
        return cls(made)

    @property
    def kinds(self) -> list[str]:
        """What can be played."""
        return [*self.assistants, "files"]


class News(NamedTuple):
    """An event, and when it happened and was heard of, by the clock of this machine (in the API in whole seconds)."""

    name: str
    happened: float
    heard: float


@dataclass
class Case:
    """One of them, and what was seen of it."""

    kind: str
    token: str
    thread_id: str = ""
    run_id: str = ""
    store_id: str = ""
    status: str = "never begun"
    #: Whether the models' server has cut an answer off: then the run may fail.
    may_fail: bool = False
    #: What a reader of the stream has seen wrong.
    complaint: str | None = None
    #: What a reader of the stream has heard: what it was, when it happened, and when the reader heard of it.
    news: list["News"] = field(default_factory=list)


def play(case: Case, clients: Persistent, prepared: Prepared) -> None:
    """Does what a client does, to the end of the run or the batch."""
    if case.kind == "files":
        _ingest(case, clients)
        return
    thread: Any = {"messages": [{"role": "user", "content": f"Please: {case.token}"}]}
    run = clients.call(
        lambda client, headers: client.beta.threads.create_and_run(
            assistant_id=prepared.assistants[case.kind], thread=thread, extra_headers=headers
        )
    )
    case.thread_id, case.run_id = run.thread_id, run.id
    if case.kind == "stream":
        _read_along(case, clients)
    case.status = _to_its_end(run, clients).status


def _to_its_end(run: Run, clients: Persistent) -> Run:
    while True:
        run = _polled(run, clients)
        if run.status != "requires_action":
            return run
        run = _submitted(run, clients)


def _polled(run: Run, clients: Persistent) -> Run:
    return clients.call(lambda client, _: client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, **_POLL))


def _submitted(run: Run, clients: Persistent) -> Run:
    assert run.required_action is not None
    outputs: Any = [
        {"tool_call_id": call.id, "output": str(orjson.loads(call.function.arguments)["after"] + 1)}
        for call in run.required_action.submit_tool_outputs.tool_calls
    ]
    return clients.call(
        lambda client, headers: client.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=outputs, extra_headers=headers
        )
    )


def _read_along(case: Case, clients: Persistent) -> None:
    began = time.time()
    followed = clients.follow(case.thread_id, case.run_id)
    case.news = list(_news(followed, began))
    if followed.places != sorted(set(followed.places)):
        case.complaint = f"events came twice or out of order: {followed.ids}"
    pieces: dict[str, str] = {}
    told: list[str] = []
    for name, data in zip(followed.names, followed.data, strict=True):
        if name == "thread.message.delta":
            delta = orjson.loads(data)
            text = "".join(part["text"]["value"] for part in delta["delta"]["content"])
            pieces[delta["id"]] = pieces.get(delta["id"], "") + text
        elif name == "thread.message.completed":
            told.append(orjson.loads(data)["content"][0]["text"]["value"])
    text = expected_text(case.token)
    if "thread.run.completed" in followed.names and told != [text]:
        case.complaint = f"the text came as {told}"
    # Where the log was lost with Redis, pieces may be missing at the end, and come whole with the message.
    if wrong := [piece for piece in pieces.values() if not text.startswith(piece)]:
        case.complaint = f"the text came in pieces as {wrong}"


def _news(followed: Followed, began: float) -> Iterator[News]:
    """What was told that has a time of its own; of what happened before the reader came, it is the reader's."""
    for name, data, heard in zip(followed.names, followed.data, followed.times, strict=True):
        state = name.rpartition(".")[2]
        happened = orjson.loads(data).get({"in_progress": "started_at"}.get(state, f"{state}_at"))
        if happened is not None:
            yield News(name, max(happened, began), heard)


def _ingest(case: Case, clients: Persistent) -> None:
    files = [_uploaded(f"{case.token}-{number}", clients) for number in range(FILES)]
    store = clients.call(
        lambda client, headers: client.vector_stores.create(name=case.token, file_ids=files, extra_headers=headers)
    )
    case.store_id = store.id
    while store.file_counts.in_progress:
        store = clients.call(lambda client, _: client.vector_stores.retrieve(case.store_id))
    case.status = "completed" if store.file_counts.completed == FILES else str(store.file_counts)


def _uploaded(name: str, clients: Persistent) -> str:
    content = f"{name} ".encode() * 400
    file = clients.call(lambda client, _: client.files.create(file=(f"{name}.txt", content), purpose="assistants"))
    return file.id
