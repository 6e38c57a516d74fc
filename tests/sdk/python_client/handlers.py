"""Event handlers that note which of their methods the client calls."""

# ruff: noqa: ARG002 - what a handler is given is the client's to say

from typing import Any

from openai import AssistantEventHandler, AsyncAssistantEventHandler

from tests.sdk.python_client.bench import equal, text_of


class Notes:
    """What was called, in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: list[str] = []
        self.events: list[str] = []
        self.deltas: list[str] = []

    def delta(self, delta: Any, snapshot: Any) -> None:
        """Notes a piece of text; what the client has put together must end with it."""
        self.deltas.append(delta.value)
        self.hooks.append("text_delta")
        equal(snapshot.value, "".join(self.deltas))

    def call(self, what: str, call: Any) -> None:
        """Notes a tool call as far as it is known."""
        self.hooks.append(f"{what}: {call.function.name}({call.function.arguments or ''})")


class Recorder(Notes, AssistantEventHandler):
    def on_event(self, event: Any) -> None:
        self.events.append(event.event)

    def on_run_step_created(self, run_step: Any) -> None:
        self.hooks.append(f"run_step_created: {run_step.type}")

    def on_run_step_done(self, run_step: Any) -> None:
        self.hooks.append(f"run_step_done: {run_step.type}")

    def on_message_created(self, message: Any) -> None:
        equal(message.content, [])
        self.hooks.append("message_created")

    def on_message_done(self, message: Any) -> None:
        self.hooks.append(f"message_done: {text_of(message)}")

    def on_text_created(self, text: Any) -> None:
        self.hooks.append("text_created")

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.delta(delta, snapshot)

    def on_text_done(self, text: Any) -> None:
        self.hooks.append(f"text_done: {text.value}")

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.hooks.append(f"tool_call_created: {tool_call.function.name}")

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.hooks.append(f"tool_call_delta: {snapshot.function.name}")

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.call("tool_call_done", tool_call)

    def on_end(self) -> None:
        self.hooks.append("end")


class AsyncRecorder(Notes, AsyncAssistantEventHandler):
    async def on_run_step_created(self, run_step: Any) -> None:
        self.hooks.append(f"run_step_created: {run_step.type}")

    async def on_run_step_done(self, run_step: Any) -> None:
        self.hooks.append(f"run_step_done: {run_step.type}")

    async def on_message_created(self, message: Any) -> None:
        self.hooks.append("message_created")

    async def on_message_done(self, message: Any) -> None:
        self.hooks.append(f"message_done: {text_of(message)}")

    async def on_text_created(self, text: Any) -> None:
        self.hooks.append("text_created")

    async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.delta(delta, snapshot)

    async def on_text_done(self, text: Any) -> None:
        self.hooks.append(f"text_done: {text.value}")

    async def on_end(self) -> None:
        self.hooks.append("end")
