"""What the browser is shown of a conversation: plain JSON, made of messages and run steps."""

import asyncio
from typing import Any

from openai import AsyncOpenAI
from openai.types.beta.threads import Message, Text
from openai.types.beta.threads.runs import RunStep

Json = dict[str, Any]

#: Around the number of a note in a text. The browser puts a citation or a link there; no other text may hold them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_PASSAGES: Any = ["step_details.tool_calls[*].file_search.results[*].content"]
_ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")


async def conversation(client: AsyncOpenAI, thread_id: str) -> Json:
    """All that was said, and whether an answer is under way."""
    messages = [message async for message in client.beta.threads.messages.list(thread_id, order="asc", limit=100)]
    run_ids = list(dict.fromkeys(message.run_id for message in messages if message.run_id))
    steps = await asyncio.gather(*(_steps(client, thread_id, run_id) for run_id in run_ids))
    done = dict(zip(run_ids, map(_activities, steps), strict=True))
    newest = (await client.beta.threads.runs.list(thread_id, limit=1)).data
    return {
        # What a run has done stands with its first message.
        "messages": [_message(message, done.pop(message.run_id or "", [])) for message in messages],
        "running": bool(newest) and newest[0].status in _ACTIVE,
    }


async def answer(client: AsyncOpenAI, thread_id: str, run_id: str) -> list[Json]:
    """The messages of one run."""
    messages = [message async for message in client.beta.threads.messages.list(thread_id, run_id=run_id, order="asc")]
    done = _activities(await _steps(client, thread_id, run_id))
    return [_message(message, [] if number else done) for number, message in enumerate(messages)]


async def has_file(client: AsyncOpenAI, thread_id: str, file_id: str) -> bool:
    """Whether an answer of this conversation shows or links a file. Others are nobody's business here."""
    async for message in client.beta.threads.messages.list(thread_id, limit=100):
        for part in message.content:
            if part.type == "image_file" and part.image_file.file_id == file_id:
                return True
            if part.type == "text" and any(
                note.type == "file_path" and note.file_path.file_id == file_id for note in part.text.annotations
            ):
                return True
    return False


async def _steps(client: AsyncOpenAI, thread_id: str, run_id: str) -> list[RunStep]:
    steps = client.beta.threads.runs.steps.list(run_id, thread_id=thread_id, order="asc", limit=100, include=_PASSAGES)
    return [step async for step in steps]


def _message(message: Message, activities: list[Json]) -> Json:
    return {
        "role": message.role,
        "attached": (message.metadata or {}).get("attached"),
        "parts": [part for part in map(_part, message.content) if part],
        "activities": activities,
    }


def _part(part: Any) -> Json | None:
    if part.type == "image_file":
        return {"type": "image", "url": _url(part.image_file.file_id)}
    if part.type == "text":
        return {"type": "text", **_text(part.text)}
    return None


def _text(text: Text) -> Json:
    """The text with its annotations cut out, a numbered mark in the place of each, and the notes for the marks."""
    pieces: list[str] = []
    notes: list[Json] = []
    position = 0
    for annotation in sorted(text.annotations, key=lambda annotation: annotation.start_index):
        if annotation.start_index < position:
            continue
        pieces += [_plain(text.value[position : annotation.start_index]), f"{_OPEN}{len(notes)}{_CLOSE}"]
        notes.append(_note(annotation))
        position = annotation.end_index
    return {"text": "".join([*pieces, _plain(text.value[position:])]), "notes": notes}


def _plain(text: str) -> str:
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def _note(annotation: Any) -> Json:
    if annotation.type == "file_path":
        return {"type": "file", "name": annotation.text.rpartition("/")[2], "url": _url(annotation.file_path.file_id)}
    # Locum tells the passage that is cited; with other servers there is the file alone.
    quote = (annotation.file_citation.model_extra or {}).get("quote")
    return {"type": "citation", "name": annotation.text.strip("【】").rpartition("†")[2], "quote": quote}


def _url(file_id: str) -> str:
    return f"api/files/{file_id}"


def _activities(steps: list[RunStep]) -> list[Json]:
    """What a run has done before it answered."""
    calls = [call for step in steps if step.step_details.type == "tool_calls" for call in step.step_details.tool_calls]
    return [_activity(call) for call in calls]


def _activity(call: Any) -> Json:
    if call.type == "code_interpreter":
        printed = "".join(output.logs for output in call.code_interpreter.outputs if output.type == "logs")
        return {"type": "code", "code": call.code_interpreter.input, "output": printed}
    if call.type == "file_search":
        results = call.file_search.results or []
        return {"type": "search", "found": [{"name": result.file_name, "score": result.score} for result in results]}
    return {"type": "function", "arguments": call.function.arguments, "output": call.function.output or ""}
