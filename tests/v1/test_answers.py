"""Translations that need no server."""

from typing import Any

from app.v1.answers import translate
from app.v1.events import EventTranslator


def test_a_citation_has_a_quote() -> None:
    citation: Any = {"type": "file_citation", "text": "【4:0†a.txt】", "start_index": 0, "end_index": 9}
    message = {
        "object": "thread.message",
        "attachments": [],
        "content": [
            {
                "type": "text",
                "text": {
                    "value": "【4:0†a.txt】",
                    "annotations": [{**citation, "file_citation": {"file_id": "file-1"}}],
                },
            }
        ],
    }
    (annotation,) = translate(message, {})["content"][0]["text"]["annotations"]
    assert annotation == {**citation, "file_citation": {"file_id": "file-1", "quote": ""}}


def test_a_step_of_retrieval() -> None:
    call = {"id": "call_1", "type": "file_search", "file_search": {"results": [], "ranking_options": {}}}
    step = {
        "object": "thread.run.step",
        "usage": None,
        "expires_at": None,
        "step_details": {"type": "tool_calls", "tool_calls": [call]},
    }
    assert translate(step, {}) == {
        "object": "thread.run.step",
        "usage": None,
        "step_details": {
            "type": "tool_calls",
            "tool_calls": [{"id": "call_1", "type": "retrieval", "retrieval": {}}],
        },
    }
    delta = {"object": "thread.run.step.delta", "delta": {"step_details": {"tool_calls": [{"index": 0, **call}]}}}
    (told,) = translate(delta, {})["delta"]["step_details"]["tool_calls"]
    assert told == {"index": 0, "id": "call_1", "type": "retrieval", "retrieval": {}}


async def test_lines_are_translated_wherever_the_stream_is_cut() -> None:
    async def same(value: Any) -> Any:
        return {**value, "seen": True}

    stream = (
        b': keep-alive\nevent: thread.run.incomplete\nid: 0-1\ndata: {"a":"\xc3\xa9"}\n\nevent: done\ndata: [DONE]\n\n'
    )
    for size in (1, 7, len(stream)):
        events = EventTranslator(same)
        pieces = [await events.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
        assert b"".join(pieces) + events.rest() == (
            b': keep-alive\nevent: thread.run.completed\nid: 0-1\ndata: {"a":"\xc3\xa9","seen":true}\n\n'
            b"event: done\ndata: [DONE]\n\n"
        )
