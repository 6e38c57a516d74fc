"""One question and its answer: the run is followed as it happens, and the shop's functions are called for it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from openai import AsyncOpenAI, OpenAIError
from openai.types.beta.threads import RequiredActionFunctionToolCall

from . import orders, shown

Json = dict[str, Any]

_log = logging.getLogger(__name__)
_FAILED = "The help desk could not answer. Please try again."


async def events(client: AsyncOpenAI, assistant_id: str, thread_id: str) -> AsyncIterator[Json]:
    """What the browser is told of a run: what is being done, the text as it comes, and in the end the whole answer.

    Nothing is raised: a failure is told as an event too, and in full in the log.
    """
    try:
        runs = client.beta.threads.runs
        following: Any = runs.stream(thread_id=thread_id, assistant_id=assistant_id)
        while following is not None:
            async with following as stream:
                async for event in stream:
                    for told in _told(event):
                        yield told
                run = await stream.get_final_run()
            following = None
            if run.required_action:
                outputs = await _outputs(run.required_action.submit_tool_outputs.tool_calls)
                following = runs.submit_tool_outputs_stream(run_id=run.id, thread_id=thread_id, tool_outputs=outputs)
        yield {"type": "answer", "messages": await shown.answer(client, thread_id, run.id)}
        if run.status not in ("completed", "cancelled"):
            _log.error("run %s: %s (%s)", run.id, run.status, run.last_error or run.incomplete_details)
            yield {"type": "error", "message": _FAILED}
    except OpenAIError:
        _log.exception("thread %s", thread_id)
        yield {"type": "error", "message": _FAILED}


def _told(event: Any) -> list[Json]:
    """What an event of the run's stream is to the browser."""
    if event.event == "thread.message.delta":
        parts = event.data.delta.content or []
        return [{"type": "text", "text": part.text.value} for part in parts if part.type == "text" and part.text.value]
    if event.event == "thread.run.step.delta" and event.data.delta.step_details.type == "tool_calls":
        # The first piece of a call tells its id, the others do not.
        calls = event.data.delta.step_details.tool_calls or []
        return [{"type": "doing", "what": call.type} for call in calls if call.id]
    return []


async def _outputs(calls: list[RequiredActionFunctionToolCall]) -> Any:
    """The outputs of all functions that a run waits for: they must be submitted together."""
    found = await asyncio.gather(
        *(asyncio.to_thread(orders.call, call.function.name, call.function.arguments) for call in calls)
    )
    return [{"tool_call_id": call.id, "output": output} for call, output in zip(calls, found, strict=True)]


class Answering:
    """The answers that are under way. They are finished also when the browser that asked has gone."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, events: AsyncIterator[Json]) -> AsyncIterator[Json]:
        """Runs `events` in the background, and gives them to whoever reads along."""
        queue: asyncio.Queue[Json | None] = asyncio.Queue()

        async def run() -> None:
            try:
                async for event in events:
                    queue.put_nowait(event)
            finally:
                queue.put_nowait(None)

        async def read() -> AsyncIterator[Json]:
            while (event := await queue.get()) is not None:
                yield event

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return read()

    async def close(self) -> None:
        """Ends them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
