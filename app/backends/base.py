"""What the run engine asks of a model server, and what it hears back.

A completion is heard as batches of deltas: everything that one read of the connection brought. Order is the order of
the model's output. A stream ends with a `Finish`; whatever goes wrong is a `BackendFailure`.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, Protocol

FailureCode = Literal["rate_limit_exceeded", "server_error", "invalid_prompt"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The options that go to the model server as they are, under the same names as on assistants and runs."""

    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None


SAMPLING: Final = tuple(option.name for option in fields(Sampling))


def sampling_of(options: Any) -> dict[str, Any]:
    """Returns the sampling options among the attributes of a run, or of a request's body."""
    return {name: getattr(options, name) for name in SAMPLING}


@dataclass(frozen=True, slots=True)
class CompletionRequest(Sampling):
    """One model call, in the terms of chat completions. None (or empty tools) means: leave it out of the request."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    max_completion_tokens: int | None = None
    #: Further parameters, sent as they are.
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index` of this completion. `name` comes once, in the call's first delta."""

    index: int
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a completion. `usage` is None where the backend did not tell it.

    `message` and `calls` (by the calls' numbers) are fields which the server is to be given back when it is told of
    this turn again: its own ids of the calls, its reasoning, signatures.
    """

    reason: FinishReason
    usage: Usage | None
    message: dict[str, Any] = field(default_factory=dict)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)


Delta = TextDelta | RefusalDelta | ToolCallDelta | Finish


class BackendFailure(Exception):
    """A model call that will bring no (more) answer. The message holds the backend's own words.

    `code` is what becomes of the run's `last_error` (contract, section 6).
    """

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        #: What the server said (app.backends.failures.ServerError), where it said something in a stream.
        self.told: Any = None


class CompletionBackend(Protocol):
    """A model behind some server, ready to be asked."""

    def stream(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:
        """Streams one completion. Raises `BackendFailure`; tries again by itself only before the first delta.

        Closing the generator (`aclose`, or cancelling the task that iterates) closes the connection at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A requested model name, resolved: whom to ask, and what it can do."""

    name: str
    backend: CompletionBackend
    context_window: int
    tools: Literal["native", "emulated", "none"]
    vision: bool
    json_schema: bool
