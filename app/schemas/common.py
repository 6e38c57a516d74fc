"""What all schemas share: metadata, times, list pages, and how unions tell one clear error instead of several.

Bodies of requests are strict: nothing is coerced, and no unknown field is passed over. The errors that Pydantic raises
here, and the custom ones (`wrong_type`, `wrong_kind`, `unknown_parameter`, `bad_id`), are turned into
OpenAI's messages by app.validation. The message of a custom error is for app.validation alone.
"""

from collections.abc import Sequence
from datetime import datetime
from types import NoneType
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

Json = dict[str, Any]
Item = TypeVar("Item")

#: An array of a request. One error is told, the first, so Pydantic stops there: gathering those of an array that is
#: wrong a hundred thousand times takes seconds and gigabytes.
Array = Annotated[list[Item], Field(fail_fast=True)]

#: The largest number that an INTEGER column holds.
MAX_INT: Final = 2**31 - 1
MAX_TEXT: Final = 256_000

MetadataKey = Annotated[str, Field(max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]
#: In requests. Stored and answered as {} where it is null (contract, section 4).
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)]

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ModelName = Annotated[str, Field(min_length=1, max_length=256)]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]


class JsonObject(BaseModel):
    """A JSON object that a client sends. Null for an optional field is as if the field were left out.

    Clients write null for what they were not told. Where the type of a field has null among its values, null has a
    meaning of its own and stays: in a change it clears (contract, section 4). A field that is required may not be null.
    """

    _absent_if_null: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls._absent_if_null = frozenset(
            field.alias or name
            for name, field in cls.model_fields.items()
            if not field.is_required() and not _may_be_null(field.annotation)
        )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not cls._absent_if_null:
            return value
        left_out = [name for name in cls._absent_if_null if name in value and value[name] is None]
        return {name: item for name, item in value.items() if name not in left_out} if left_out else value


def _may_be_null(annotation: Any) -> bool:
    return annotation is None or annotation is NoneType or NoneType in get_args(annotation)


class RequestBody(JsonObject):
    """A JSON object of a request, all of whose fields are known."""

    model_config = ConfigDict(extra="forbid", strict=True)

    _names: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **others: Any) -> None:
        super().__pydantic_init_subclass__(**others)
        cls._names = tuple(field.alias or name for name, field in cls.model_fields.items())

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_is_no_such_object(cls, value: Any) -> Any:
        """Comes before `extra="forbid"` would, because it knows the names that may have been meant.

        What is no object must go here: FastAPI would read the fields of anything from its attributes.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError("wrong_type", "an object")
        for name in value:
            if name not in cls._names:
                raise PydanticCustomError("unknown_parameter", "unknown", {"name": name, "known": cls._names})
        return value


class Answer(BaseModel):
    """An object of the API, built from a row by its attributes."""

    model_config = ConfigDict(from_attributes=True)


def _seconds(value: Any) -> Any:
    return int(value.timestamp()) if isinstance(value, datetime) else value


#: Whole Unix seconds (contract, section 2).
Timestamp = Annotated[int, BeforeValidator(_seconds)]

#: The caller's key-value pairs as an answer shows them, from the attribute that SQLAlchemy leaves free for them.
StoredMetadata = Annotated[dict[str, str], Field(validation_alias="metadata_")]


def shown_as(default: Any) -> BeforeValidator:
    """Null in the row is shown as OpenAI's default (contract, section 5)."""
    return BeforeValidator(lambda value: default if value is None else value)


class ListPage(BaseModel, Generic[Item]):
    """A page of a list; the ids are null where it is empty (contract, section 3)."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, rows: Sequence[Any], *, has_more: bool) -> Self:
        """The page that shows `rows`, which have an `id`."""
        ends = {"first_id": rows[0].id, "last_id": rows[-1].id} if rows else {"first_id": None, "last_id": None}
        return cls.model_validate({"data": rows, "has_more": has_more, **ends}, from_attributes=True)


def id_of(prefix: str, *others: str) -> AfterValidator:
    """An id that begins as `prefix` or one of `others` says. Whether there is such an object is for the service to
    find out."""

    def check(value: str) -> str:
        if not value.startswith((prefix, *others)) or "\0" in value:
            raise PydanticCustomError("bad_id", "bad id", {"prefix": prefix})
        return value

    return AfterValidator(check)


# Unions. A tag shows up in the place that Pydantic names for an error; it begins with a character that no body may
# hold (app.json_body), so that app.validation can take it out again without a doubt.
TAG: Final = "\0"


def tag(name: str) -> Tag:
    """Marks the member `name` of a union that `by_type` or `by_shape` decides on."""
    return Tag(TAG + name)


def by_type(*types: str) -> Discriminator:
    """Decides by the field `type` of an object."""

    def kind(value: Any) -> str | None:
        found = value.get("type") if isinstance(value, dict) else None
        return TAG + found if isinstance(found, str) and found in types else None

    return Discriminator(kind, custom_error_type="wrong_kind", custom_error_message=",".join(types))


def by_shape(expected: str, **shapes: type) -> Discriminator:
    """Decides by the JSON type; `shapes` gives the Python type of each tag, `expected` the words for an error."""

    def shape(value: Any) -> str | None:
        return next((TAG + name for name, kind in shapes.items() if isinstance(value, kind)), None)

    return Discriminator(shape, custom_error_type="wrong_type", custom_error_message=expected)


def array_of(items: str) -> BeforeValidator:
    """Says what an array should hold where there is no array."""

    def check(value: Any) -> Any:
        if not isinstance(value, list):
            raise PydanticCustomError("wrong_type", f"an array of {items}")
        return value

    return BeforeValidator(check)


class ErrorDetails(BaseModel):
    """What went wrong; `param` names the parameter at fault, if one is."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(BaseModel):
    """The envelope of every answer that is not 2xx."""

    error: ErrorDetails
