"""Null in a request: absent where null means nothing, and kept where it does. Every schema, every optional field."""

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from openai.types import vector_store_update_params
from openai.types.beta import assistant_update_params, thread_update_params
from openai.types.beta.threads import message_update_params, run_update_params
from pydantic import ValidationError

import app.main  # noqa: F401 - all schemas are loaded
from app.schemas.assistants import AssistantModify
from app.schemas.common import JsonObject, RequestBody
from app.schemas.messages import MessageModify
from app.schemas.runs import RunModify
from app.schemas.threads import ThreadModify
from app.schemas.vector_stores import VectorStoreModify
from app.v1.schemas import AssistantChange

_FUNCTION = {"name": "f"}
_MESSAGE = {"role": "user", "content": "Hi"}
_COMPARISON = {"key": "k", "value": 1}

#: The least that each schema takes; those that are not named here take an empty object.
SAMPLES: dict[str, Any] = {
    "AdminKeyCreate": {"name": "n"},
    "AssistantCreate": {"model": "m"},
    "AssistantFileCreate": {"file_id": "file-1"},
    "Attachment": {"file_id": "file-1", "tools": [{"type": "file_search"}]},
    "AutoChunking": {"type": "auto"},
    "AutoTruncation": {"type": "auto"},
    "ChosenFunction": _FUNCTION,
    "CodeInterpreterTool": {"type": "code_interpreter"},
    "CompoundFilter": {"type": "and", "filters": [{"type": "eq", **_COMPARISON}]},
    "EmulatedCompletion": {"model": "m", "messages": [{"role": "user"}]},
    "Equality": {"type": "eq", **_COMPARISON},
    "ExpiresAfter": {"anchor": "last_active_at", "days": 1},
    "FileCreate": {"purpose": "assistants", "filename": "a.txt"},
    "FileExpiresAfter": {"anchor": "created_at", "seconds": 3600},
    "FileSearchTool": {"type": "file_search"},
    "FileSearchToolTypeOnly": {"type": "file_search"},
    "FunctionChoice": {"type": "function", "function": _FUNCTION},
    "FunctionDefinition": _FUNCTION,
    "FunctionTool": {"type": "function", "function": _FUNCTION},
    "HostedToolChoice": {"type": "file_search"},
    "ImageFile": {"file_id": "file-1"},
    "ImageFilePart": {"type": "image_file", "image_file": {"file_id": "file-1"}},
    "ImageUrl": {"url": "https://example.com/a.png"},
    "ImageUrlPart": {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    "JsonObjectFormat": {"type": "json_object"},
    "JsonSchema": {"name": "n"},
    "JsonSchemaFormat": {"type": "json_schema", "json_schema": {"name": "n"}},
    "KeyCreate": {"name": "n"},
    "LastMessagesTruncation": {"type": "last_messages", "last_messages": 1},
    "Markdown": {"text": "*"},
    "Membership": {"type": "in", "key": "k", "value": [1]},
    "MessageCreate": _MESSAGE,
    "Ordering": {"type": "gt", **_COMPARISON},
    "ProjectBody": {"name": "n"},
    "RankingOptions": {"score_threshold": 0},
    "RunCreate": {"assistant_id": "asst_1"},
    "RunOptions": {"assistant_id": "asst_1"},
    "StaticChunking": {
        "type": "static",
        "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0},
    },
    "StaticChunkingOptions": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0},
    "SubmitToolOutputs": {"tool_outputs": []},
    "TextFormat": {"type": "text"},
    "TextPart": {"type": "text", "text": "Hi"},
    "ThreadAndRunCreate": {"assistant_id": "asst_1"},
    "UploadComplete": {"part_ids": ["part_1"]},
    "UploadCreate": {"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"},
    "VectorStoreFileCreate": {"file_id": "file-1"},
    "VectorStoreFileModify": {"attributes": {}},
    "VectorStoreSearch": {"query": "q"},
    "_Call": {"id": "call_1", "function": {"name": "f", "arguments": "{}"}},
    "_ChosenFunction": {"type": "function", "function": _FUNCTION},
    "_Function": {"name": "f", "arguments": "{}"},
    "_Message": {"role": "user"},
    "_NamedFunction": _FUNCTION,
}

#: What changes an object, and the client's type for it: there, null may have a meaning of its own.
CHANGES: dict[type[JsonObject], Any] = {
    AssistantModify: assistant_update_params.AssistantUpdateParams,
    ThreadModify: thread_update_params.ThreadUpdateParams,
    VectorStoreModify: vector_store_update_params.VectorStoreUpdateParams,
    MessageModify: message_update_params.MessageUpdateParams,
    RunModify: run_update_params.RunUpdateParams,
}
#: Locum's own: `description` of a vector store is changed as the name is.
_CLEARED_HERE: dict[type[JsonObject], set[str]] = {VectorStoreModify: {"description"}}


def _schemas(base: type[JsonObject] = JsonObject) -> Iterator[type[JsonObject]]:
    for schema in base.__subclasses__():
        yield schema
        yield from _schemas(schema)


SCHEMAS = sorted(set(_schemas()) - {RequestBody}, key=lambda schema: schema.__name__)


def _names(schema: type[JsonObject], *, required: bool) -> list[str]:
    fields = schema.model_fields.items()
    return [field.alias or name for name, field in fields if field.is_required() == required]


def _sample(schema: type[JsonObject]) -> dict[str, Any]:
    sample: dict[str, Any] = SAMPLES.get(schema.__name__, {})
    return sample


OPTIONAL = [(schema, name) for schema in SCHEMAS for name in _names(schema, required=False)]
REQUIRED = [(schema, name) for schema in SCHEMAS for name in _names(schema, required=True)]


@pytest.mark.parametrize(("schema", "name"), OPTIONAL)
def test_null_for_an_optional_field_is_as_if_it_were_left_out(schema: type[JsonObject], name: str) -> None:
    sample = _sample(schema)
    assert name not in sample
    left_out = schema.model_validate(sample)
    null = schema.model_validate({**sample, name: None})
    assert dict(null) == dict(left_out)
    if (null.model_fields_set - left_out.model_fields_set) and issubclass(schema, tuple(CHANGES)):
        assert getattr(null, name) is None, "a change would write what the schema's default is"


@pytest.mark.parametrize(("schema", "name"), REQUIRED)
def test_null_for_a_required_field_is_refused(schema: type[JsonObject], name: str) -> None:
    if schema.__name__ == "VectorStoreFileModify":  # OpenAI's description: required, and null clears
        return
    schema.model_validate(_sample(schema))
    with pytest.raises(ValidationError):
        schema.model_validate({**_sample(schema), name: None})


def _is_optional(hint: Any) -> bool:
    while get_origin(hint) not in (Union, types.UnionType) and get_args(hint):
        hint = get_args(hint)[0]
    return type(None) in get_args(hint)


@pytest.mark.parametrize("schema", CHANGES)
def test_a_change_clears_what_the_clients_types_may_set_to_null(schema: type[JsonObject]) -> None:
    hints = get_type_hints(CHANGES[schema], include_extras=False)
    clearing = {name for name in schema.model_fields if _is_optional(hints.get(name))} | _CLEARED_HERE.get(
        schema, set()
    )
    given = schema.model_validate(dict.fromkeys(schema.model_fields))
    assert given.model_fields_set == clearing
    assert all(getattr(given, name) is None for name in clearing)


def test_all_changes_are_known() -> None:
    names = {schema for schema in SCHEMAS if schema.__name__.endswith(("Modify", "Change"))}
    assert {schema.__name__ for schema in names - set(CHANGES)} == {"AssistantChange", "VectorStoreFileModify"}
    assert AssistantChange.model_validate({"file_ids": None, "tools": None}).model_fields_set == set()
