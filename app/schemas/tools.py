"""Tools, tool choice and tool resources."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from app.schemas.chunking import ChunkingStrategy
from app.schemas.common import Array, Json, Metadata, RequestBody, array_of, by_shape, by_type, tag

#: What OpenAI answers for a search whose ranking was left open (recorded traffic: contract, section 5).
_DEFAULT_RANKING: Final[Json] = {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}
_NO_PARAMETERS: Final[Json] = {"type": "object", "properties": {}}

FunctionName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
FileIds = Annotated[Array[str], array_of("strings")]


class FunctionDefinition(RequestBody):
    name: FunctionName
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class FunctionTool(RequestBody):
    type: Literal["function"]
    function: FunctionDefinition


class RankingOptions(RequestBody):
    ranker: Literal["auto", "default_2024_08_21"] = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1)]
    #: Answers have it: who changes an assistant sends back what they were told.
    hybrid_search: None = None


class FileSearchOptions(RequestBody):
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class CodeInterpreterTool(RequestBody):
    type: Literal["code_interpreter"]


class FileSearchToolTypeOnly(RequestBody):
    """The tool as an attachment names it, without options."""

    type: Literal["file_search"]


class FileSearchTool(FileSearchToolTypeOnly):
    file_search: FileSearchOptions | None = None


AssistantTool = Annotated[
    Annotated[CodeInterpreterTool, tag("code_interpreter")]
    | Annotated[FileSearchTool, tag("file_search")]
    | Annotated[FunctionTool, tag("function")],
    by_type("code_interpreter", "file_search", "function"),
]
AssistantTools = Annotated[Array[AssistantTool], Field(max_length=128), array_of("objects")]
RunTools = Annotated[Array[AssistantTool], Field(max_length=20), array_of("objects")]


def stored_tools(tools: Sequence[CodeInterpreterTool | FileSearchTool | FunctionTool]) -> list[Json]:
    """Tools as they are stored and answered: with OpenAI's defaults filled in (contract, section 5)."""
    return [_stored_tool(tool) for tool in tools]


def _stored_tool(tool: CodeInterpreterTool | FileSearchTool | FunctionTool) -> Json:
    if isinstance(tool, FunctionTool):
        return {"type": "function", "function": _stored_function(tool.function)}
    if isinstance(tool, FileSearchTool):
        return {"type": "file_search", "file_search": _stored_search(tool.file_search or FileSearchOptions())}
    return {"type": "code_interpreter"}


def _stored_function(function: FunctionDefinition) -> Json:
    described: Json = {"name": function.name}
    if function.description is not None:
        described["description"] = function.description
    described["parameters"] = _NO_PARAMETERS if function.parameters is None else function.parameters
    described["strict"] = bool(function.strict)
    return described


def _stored_search(options: FileSearchOptions) -> Json:
    ranking = dict(_DEFAULT_RANKING)
    if options.ranking_options is not None:
        ranking["score_threshold"] = options.ranking_options.score_threshold
    limit = {} if options.max_num_results is None else {"max_num_results": options.max_num_results}
    return {**limit, "ranking_options": ranking}


def stored_search(options: Json) -> Json:
    """The options of file_search as another server has answered them, with OpenAI's defaults for what it left out."""
    return {**options, "ranking_options": {**_DEFAULT_RANKING, **(options.get("ranking_options") or {})}}


class ChosenFunction(RequestBody):
    name: FunctionName


class FunctionChoice(RequestBody):
    type: Literal["function"]
    function: ChosenFunction


class HostedToolChoice(RequestBody):
    type: Literal["code_interpreter", "file_search"]


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], tag("mode")]
    | Annotated[
        Annotated[FunctionChoice, tag("function")]
        | Annotated[HostedToolChoice, tag("code_interpreter")]
        | Annotated[HostedToolChoice, tag("file_search")],
        by_type("function", "code_interpreter", "file_search"),
        tag("tool"),
    ],
    by_shape("one of a string or object", mode=str, tool=dict),
]


class CodeInterpreterResources(RequestBody):
    file_ids: Annotated[FileIds, Field(max_length=20)] = Field(default_factory=list)


class NewVectorStore(RequestBody):
    """A vector store to be made along with an assistant or a thread; never echoed (contract, section 5)."""

    file_ids: Annotated[FileIds, Field(max_length=10_000)] = Field(default_factory=list)
    chunking_strategy: ChunkingStrategy | None = None
    metadata: Metadata | None = None


class FileSearchStores(RequestBody):
    vector_store_ids: Annotated[FileIds, Field(max_length=1)] | None = None


class FileSearchResources(FileSearchStores):
    vector_stores: Annotated[Array[NewVectorStore], Field(max_length=1), array_of("objects")] | None = None


class ToolResources(RequestBody):
    """What is at the disposal of the tools, by ids alone."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchStores | None = None


class NewToolResources(RequestBody):
    """As ToolResources; a vector store may be made along the way."""

    code_interpreter: CodeInterpreterResources | None = None
    file_search: FileSearchResources | None = None


def stored_resources(resources: ToolResources | NewToolResources | None) -> Json:
    """Tool resources as they are stored and answered."""
    if resources is None:
        return {}
    stored: dict[str, Any] = resources.model_dump(exclude_none=True, exclude={"file_search": {"vector_stores"}})
    return stored


def _with_files_of_code(resources: Json, info: ValidationInfo) -> Json:
    """Where the code interpreter is a tool, its files are told, also if there are none (contract, section 5)."""
    if any(tool.get("type") == "code_interpreter" for tool in info.data.get("tools", ())):
        return {**resources, "code_interpreter": {"file_ids": [], **resources.get("code_interpreter", {})}}
    return resources


#: Of an answer that has `tools` before this field.
ShownResources = Annotated[Json, AfterValidator(_with_files_of_code)]
