"""What clients of other languages need in answers about runs: the fields that must be there, and their types.

Each table is what one client declares. Go's decoder takes null for every type, and passes over what it does not know,
but refuses another type. PHP's client reads its fields without asking whether they are there.
"""

from collections.abc import Callable
from typing import Any, Final

import httpx2
import pytest

from tests.api.test_functions import TIME
from tests.fakes.turns import Call, Turn

Types = dict[str, tuple[type, ...]]
_NONE: Final = type(None)
_MAYBE_INT: Final = (int, _NONE)

#: `Run` and `RunStep` of sashabaranov/go-openai.
GO_RUN: Final[Types] = {
    **dict.fromkeys(("id", "object", "thread_id", "assistant_id", "status", "model", "instructions"), (str, _NONE)),
    **dict.fromkeys(
        ("created_at", "expires_at", "started_at", "cancelled_at", "failed_at", "completed_at"), _MAYBE_INT
    ),
    **dict.fromkeys(("required_action", "last_error", "metadata", "usage"), (dict, _NONE)),
    "tools": (list, _NONE),
}
GO_STEP: Final[Types] = {
    **dict.fromkeys(("id", "object", "assistant_id", "thread_id", "run_id", "type", "status"), (str, _NONE)),
    **dict.fromkeys(("created_at", "expired_at", "cancelled_at", "failed_at", "completed_at"), _MAYBE_INT),
    **dict.fromkeys(("step_details", "last_error", "metadata"), (dict, _NONE)),
}
#: `ThreadRunResponse` of openai-php/client.
PHP_RUN: Final[Types] = {
    **dict.fromkeys(("id", "object", "thread_id", "assistant_id", "status", "model"), (str,)),
    "created_at": (int,),
    **dict.fromkeys(("expires_at", "started_at", "cancelled_at", "failed_at", "completed_at"), _MAYBE_INT),
    "instructions": (str, _NONE),
    "tools": (list,),
    "metadata": (dict,),
}


def wrong(answer: dict[str, Any], types: Types) -> list[str]:
    """The fields of `answer` that are missing or of another type."""
    return [
        f"{name}: {answer.get(name, 'missing')!r}"
        for name, allowed in types.items()
        if name not in answer or type(answer[name]) not in allowed
    ]


@pytest.mark.parametrize(
    ("turn", "status"),
    [
        (Turn(text="Hello."), "completed"),
        (Turn(tool_calls=[Call("get_time")]), "requires_action"),
        (Turn(status=400, body={"error": {"message": "no"}}), "failed"),
    ],
)
def test_a_run_as_go_and_php_read_it(
    http: httpx2.Client, model: str, script: Callable[..., None], turn: Any, status: str
) -> None:
    script(turn)
    assistant = http.post("/assistants", json={"model": model, "tools": [TIME]}).json()
    asked = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "Hi"}]}}
    queued = http.post("/threads/runs", json=asked).json()
    place = f"/threads/{queued['thread_id']}/runs/{queued['id']}"
    with http.stream("GET", f"{place}/events") as events:
        events.read()
    ended = http.get(place).json()
    assert (queued["status"], ended["status"]) == ("queued", status)
    for run in (queued, ended):
        assert wrong(run, GO_RUN) + wrong(run, PHP_RUN) == []
        assert all(isinstance(tool["type"], str) for tool in run["tools"])
    if action := ended["required_action"]:
        (call,) = action["submit_tool_outputs"]["tool_calls"]
        assert [type(call["function"][name]) for name in ("name", "arguments")] == [str, str]
    if error := ended["last_error"]:
        assert [type(error[name]) for name in ("code", "message")] == [str, str]
    for step in http.get(f"{place}/steps", params={"limit": "20", "order": "desc"}).json()["data"]:
        assert wrong(step, GO_STEP) == []
