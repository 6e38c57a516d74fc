"""What form the model's answer is to have."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.schemas.common import Json, RequestBody, by_shape, by_type, tag


class TextFormat(RequestBody):
    type: Literal["text"]


class JsonObjectFormat(RequestBody):
    type: Literal["json_object"]


class JsonSchema(RequestBody):
    model_config = ConfigDict(serialize_by_alias=True)

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: str | None = None
    schema_: Json | None = Field(None, alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(RequestBody):
    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[
    Annotated[Literal["auto"], tag("auto")]
    | Annotated[
        Annotated[TextFormat, tag("text")]
        | Annotated[JsonObjectFormat, tag("json_object")]
        | Annotated[JsonSchemaFormat, tag("json_schema")],
        by_type("text", "json_object", "json_schema"),
        tag("format"),
    ],
    by_shape("one of a string or object", auto=str, format=dict),
]


def stored_option(option: RequestBody | str | None) -> Json | str | None:
    """An option that is a word or an object, as it is stored: as the client wrote it."""
    return option.model_dump(exclude_unset=True) if isinstance(option, RequestBody) else option
