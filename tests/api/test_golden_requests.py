"""Clients of other languages, replayed: what they send is taken, and the answers are of the types that they declare."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.api.golden_requests import GOLDEN, Golden, Wire, filled
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum

_NONE: Final = type(None)
_FLOAT: Final = (float,)
#: What Go's and PHP's clients declare: a field of another type, or in PHP one that is missing, is an error.
DECLARED: Final[dict[str, dict[str, tuple[type, ...]]]] = {
    "assistant": {
        **dict.fromkeys(("id", "object", "model"), (str,)),
        **dict.fromkeys(("name", "description", "instructions"), (str, _NONE)),
        "created_at": (int,),
        "tools": (list,),
        **dict.fromkeys(("metadata", "tool_resources"), (dict,)),
        **dict.fromkeys(("temperature", "top_p"), _FLOAT),
        "response_format": (str, dict),
    },
    "thread": {
        **dict.fromkeys(("id", "object"), (str,)),
        "created_at": (int,),
        **dict.fromkeys(("metadata", "tool_resources"), (dict,)),
    },
    "thread.message": {
        **dict.fromkeys(("id", "object", "thread_id", "role"), (str,)),
        **dict.fromkeys(("assistant_id", "run_id"), (str, _NONE)),
        "created_at": (int,),
        **dict.fromkeys(("content", "attachments"), (list,)),
        "metadata": (dict,),
    },
    "thread.run": {
        **dict.fromkeys(("id", "object", "thread_id", "assistant_id", "status", "model"), (str,)),
        "created_at": (int,),
        "instructions": (str, _NONE),
        "tools": (list,),
        "metadata": (dict,),
        **dict.fromkeys(("temperature", "top_p"), _FLOAT),
        "truncation_strategy": (dict,),
        "tool_choice": (str, dict),
        "response_format": (str, dict),
    },
    "file": {
        **dict.fromkeys(("id", "object", "filename", "purpose", "status"), (str,)),
        **dict.fromkeys(("bytes", "created_at"), (int,)),
    },
    "vector_store": {
        **dict.fromkeys(("id", "object", "status"), (str,)),
        "name": (str, _NONE),
        **dict.fromkeys(("created_at", "usage_bytes", "last_active_at"), (int,)),
        **dict.fromkeys(("expires_at",), (int, _NONE)),
        "expires_after": (dict, _NONE),
        **dict.fromkeys(("file_counts", "metadata"), (dict,)),
    },
}


def _declared(answer: dict[str, Any]) -> dict[str, Any]:
    types = DECLARED[answer["object"]]
    wrong = {name: answer.get(name, "missing") for name, kinds in types.items() if type(answer.get(name)) not in kinds}
    assert wrong == {}
    assert types.keys() <= answer.keys()
    return answer


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_a_story(
    locum: Locum, backend: CompletionBackend, model: str, script: Callable[..., None], golden: Golden
) -> None:
    script(Turn(text=("Good ", "day."), hang_after=2))
    wire = Wire(locum.base_url, locum.api_key, golden)
    assistant = _declared(wire.post("/assistants", filled(golden.assistant, model=model)))
    assert (assistant["name"], assistant["tools"][0]["function"]["name"]) == ("A", "look")
    thread = _declared(wire.post("/threads", golden.thread))
    place = f"/threads/{thread['id']}"
    _declared(wire.post(f"{place}/messages", b'{"role":"user","content":"Hello."}'))
    run = _declared(wire.post(f"{place}/runs", filled(golden.run, assistant=assistant["id"])))
    assert run["status"] == "queued"
    backend.wait_until_hanging(model)
    cancelled = _declared(wire.post(f"{place}/runs/{run['id']}/cancel", golden.cancel))
    assert cancelled["status"] == "cancelling"
    for path in ("/assistants", f"{place}/messages", f"{place}/runs", "/files", "/vector_stores"):
        listed = wire.get(f"{path}{golden.empty_query}")
        assert type(listed["has_more"]) is bool
        assert [_declared(one) for one in listed["data"]] == listed["data"]
    store = _declared(wire.post("/vector_stores", b'{"name":"S"}'))
    file = _declared(wire.upload())
    assert (file["filename"], file["bytes"], file["purpose"]) == (golden.filename, 5, "assistants")
    batch = wire.post(f"/vector_stores/{store['id']}/file_batches", b'{"file_ids":["%s"]}' % file["id"].encode())
    assert all(type(count) is int for count in batch["file_counts"].values())
