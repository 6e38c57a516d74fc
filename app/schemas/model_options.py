"""What an assistant or a run tells its model besides the conversation: the options, once for all requests.

Their columns: app.models.model_options. What of them reaches the model server: app.backends.base.Sampling.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from app.schemas.common import MAX_TEXT, Json, ReasoningEffort, RequestBody, Temperature, TopP, shown_as
from app.schemas.response_format import ResponseFormat, stored_option

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


#: As answers have them. Each answer has them in an order of its own, which clients have always seen.
ShownTemperature = Annotated[float, shown_as(1.0)]
ShownTopP = Annotated[float, shown_as(1.0)]
ShownResponseFormat = Annotated[Any, shown_as("auto")]
