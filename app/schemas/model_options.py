"""What an assistant or a run tells its model besides the conversation: the options, once for requests and answers.

Their columns: app.models.model_options. What of them reaches the model server: app.backends.base.Sampling.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from app.schemas.common import (
    MAX_TEXT,
    Answer,
    Json,
    ReasoningEffort,
    RequestBody,
    StoredMetadata,
    Temperature,
    Timestamp,
    TopP,
    shown_as,
)
from app.schemas.response_format import ResponseFormat, stored_option
from app.schemas.tools import ShownResources

Instructions = Annotated[str, Field(max_length=MAX_TEXT)]


class ModelOptions(RequestBody):
    """As requests have them. Null leaves an option to whoever is asked next: the assistant, or the model server."""

    instructions: Instructions | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None


class ReasoningOptions(RequestBody):
    """Those that a run which is created with its thread cannot be told (CreateThreadAndRunRequest)."""

    reasoning_effort: ReasoningEffort | None = None


#: The names of all of them.
MODEL_OPTIONS: Final = (*ModelOptions.model_fields, *ReasoningOptions.model_fields)


def stored_model_options(body: ModelOptions) -> Json:
    """Returns the options of a request as they are stored, by name; those that it cannot have are None."""
    return {name: stored_option(getattr(body, name, None)) for name in MODEL_OPTIONS}


class Configured(Answer):
    """The beginning of an answer that has model options. Its id comes first, for the readers of events."""

    id: str
    object: str
    created_at: Timestamp
    model: str
    #: Null where neither the run nor its assistant has any, as OpenAI sends it; its description of runs has a string.
    instructions: str | None
    tools: list[Json]
    tool_resources: ShownResources
    metadata: StoredMetadata
    temperature: Annotated[float, shown_as(1.0)]
    top_p: Annotated[float, shown_as(1.0)]
    reasoning_effort: str | None
    response_format: Annotated[Any, shown_as("auto")]
