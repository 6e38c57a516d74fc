"""Chat completions that Locum answers itself: those with functions, for models whose calls are emulated.

All others are passed through as they are, and nothing of them is known here.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.errors import InvalidRequest
from app.schemas.common import Json, JsonObject, RequestBody, Temperature, TopP, array_of
from app.schemas.tools import FunctionName, FunctionTool

#: What goes to the model server as it is.
PASSED_ON: Final = frozenset(
    {
        "frequency_penalty",
        "metadata",
        "presence_penalty",
        "prompt_cache_key",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "user",
    }
)


class _Function(JsonObject):
    name: str
    arguments: str


class _Call(JsonObject):
    model_config = ConfigDict(extra="allow")

    id: str
    function: _Function


class _Message(JsonObject):
    """A message; what else it has is the model server's to judge."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[Json] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _answers_a_call(self) -> Self:
        if self.role == "tool" and self.tool_call_id is None:
            raise InvalidRequest("A message with the role 'tool' must have a 'tool_call_id'.", param="messages")
        return self


class _StreamOptions(JsonObject):
    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class _NamedFunction(RequestBody):
    name: FunctionName


class _ChosenFunction(RequestBody):
    type: Literal["function"]
    function: _NamedFunction


class EmulatedCompletion(JsonObject):
    """A request for a completion with functions."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    messages: Annotated[list[_Message], Field(min_length=1), array_of("objects")]
    tools: Annotated[list[FunctionTool], Field(max_length=128), array_of("objects")] = Field(default_factory=list)
    tool_choice: Literal["none", "auto", "required"] | _ChosenFunction | None = None
    parallel_tool_calls: bool | None = None
    response_format: Json | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    reasoning_effort: str | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


def needs_tools(body: Json) -> bool:
    """Whether a request has to do with calls of functions: it offers some, or tells of some."""
    messages = body.get("messages")
    told = messages if isinstance(messages, list) else []
    return bool(body.get("tools")) or any(
        isinstance(message, dict) and (message.get("role") == "tool" or message.get("tool_calls")) for message in told
    )


def without_passed_on(body: Json) -> tuple[Json, Json]:
    """The parameters that Locum has to understand, and those that go on as they are. Raises InvalidRequest for
    parameters that are neither: nothing is passed over in silence."""
    given = {name: value for name, value in body.items() if value is not None}
    for name in given:
        if name not in EmulatedCompletion.model_fields and name not in PASSED_ON:
            message = (
                f"'{name[:64]}' cannot be used together with functions on the model '{str(body['model'])[:100]}':"
                " it calls none by itself, Locum emulates that."
            )
            raise InvalidRequest(message, param=name[:64], code="unsupported_parameter")
    passed_on = {name: value for name, value in given.items() if name in PASSED_ON}
    return {name: value for name, value in given.items() if name not in PASSED_ON}, passed_on


def as_sent(message: BaseModel) -> dict[str, Any]:
    """A message as the client wrote it."""
    return message.model_dump(exclude_unset=True)
