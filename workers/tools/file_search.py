"""file_search: the model asks, Locum searches the stores of assistant and thread, the model cites what it used."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from app import tokens
from app.backends.base import BackendFailure, Model
from app.db.base import Json, now
from app.db.session import transaction
from app.errors import InvalidRequest
from app.services import tool_resources, vector_search
from app.services.vector_search import Hit
from app.text import to_json
from workers.tools.arguments import as_object
from workers.tools.base import ToolContext
from workers.tools.material import marker, without_forged

#: As many as OpenAI gives a model with a large window (contract, section 9).
_MAX_RESULTS: Final = 20
#: Of what is found, in tokens; never more than a quarter of the model's window.
_RESULT_TOKENS: Final = 16_000
_MAX_QUERIES: Final = 8
_POLL_SECONDS: Final = 0.2

_DESCRIPTION: Final = (
    "Searches the files that the user or the developer of this assistant has provided, and returns the passages that "
    "fit best. Use it whenever these files may hold the answer. Each passage begins with a marker such as "
    "【0:3†report.pdf】. Right after every statement that rests on a passage, repeat its marker exactly as it is given."
)
_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {
        "queries": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What to look for: a query for each thing to be found, in the words that a file would use.",
        }
    },
    "required": ["queries"],
}


@dataclass(slots=True)
class FileSearchDraft:
    """A search while the model asks for it. It is told once: what is asked for is no part of the contract."""

    id: str
    ranking: Json
    _arguments: list[str] = field(default_factory=list)

    def add(self, arguments: str) -> Json | None:
        is_first = not self._arguments
        self._arguments.append(arguments)
        return _shown(self.id, self.ranking) if is_first else None

    def call(self) -> Json:
        return {**_shown(self.id, self.ranking), "arguments": "".join(self._arguments).strip() or "{}"}


def _shown(call_id: str, ranking: Json) -> Json:
    return {"id": call_id, "type": "file_search", "file_search": {"ranking_options": ranking, "results": []}}


class FileSearchTool:
    """The tool of a run: `options` as the run's tools have them."""

    type = "file_search"
    in_order = False
    is_repeatable = True

    def __init__(self, name: str, options: Json) -> None:
        self.name = name
        self._limit = options.get("max_num_results") or _MAX_RESULTS
        ranking = options["ranking_options"]
        self._ranking = {"ranker": ranking["ranker"], "score_threshold": ranking["score_threshold"]}

    def definition(self) -> Json:
        function = {"name": self.name, "description": _DESCRIPTION, "parameters": _PARAMETERS}
        return {"type": "function", "function": function}

    def draft(self, call_id: str) -> FileSearchDraft:
        return FileSearchDraft(call_id, self._ranking)

    def complaint(self, call: Json) -> str | None:
        if _queries(call["arguments"]):
            return None
        return f'The arguments of {self.name!r} must be {{"queries": ["..."]}}, with at least one query.'

    def arguments(self, call: Json) -> str:
        return str(call["arguments"])

    def ask(self, call_id: str, question: str) -> Json:
        """A search for `question` that the model has not asked for, because it cannot."""
        arguments = to_json({"queries": [question]}).decode()
        return {**_shown(call_id, self._ranking), "arguments": arguments, "unasked": True}

    async def prepare(self, context: ToolContext) -> str | None:
        """Waits, within limits, until the files that the run is to search are searchable (contract, section 9)."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _patience(context)
        while loop.time() < deadline:
            async with transaction(context.sessions) as session:
                if not await tool_resources.files_pending(session, context.run):
                    break
            await asyncio.sleep(_POLL_SECONDS)
        return None

    async def execute(self, call: Json, context: ToolContext) -> Json:
        """The call with what was found: the best passages, as many as the model can be told."""
        hits = await self._search(_queries(call["arguments"]), context)
        results = [_result(hit) for hit in _that_fit(hits, context.model)]
        return {**call, "file_search": {**call["file_search"], "results": results}}

    async def _search(self, queries: list[str], context: ToolContext) -> list[Hit]:
        try:
            async with transaction(context.sessions) as session:
                store_ids = await tool_resources.stores_to_search(session, context.run)
        except InvalidRequest as error:
            raise BackendFailure("server_error", error.message) from None
        if not store_ids:
            return []
        return await vector_search.search(
            context.sessions,
            context.embedder,
            context.run.project_id,
            store_ids,
            queries,
            limit=self._limit,
            score_threshold=self._ranking["score_threshold"],
            text_search_config=context.settings.text_search_config,
        )

    def result_delta(self, call: Json) -> Json | None:  # noqa: ARG002 - the same for all tools
        """None: results are told with the completed step (contract, section 7)."""
        return None

    def output(self, call: Json, number: int, first: int) -> str:
        passages = [
            f"{marker(number, first + position, result['file_name'])}\n{without_forged(_text(result))}"
            for position, result in enumerate(call["file_search"]["results"])
        ]
        return "\n\n".join(passages) or "Nothing was found."


def _patience(context: ToolContext) -> float:
    """How many seconds a run waits for its files. Taken up again it has waited before, so that there are fewer."""
    limit = context.settings.file_search_wait_seconds
    if context.run.attempt == 1:
        return limit
    return limit - (now() - context.run.created_at).total_seconds()


def _queries(arguments: str) -> list[str]:
    given: Any = (as_object(arguments) or {}).get("queries")
    if isinstance(given, str):
        given = [given]
    queries = given if isinstance(given, list) else []
    return [query for query in queries if isinstance(query, str) and query.strip()][:_MAX_QUERIES]


def _result(hit: Hit) -> Json:
    return {
        "file_id": hit.file_id,
        "file_name": hit.filename,
        "score": hit.score,
        "attributes": hit.attributes,
        "content": [{"type": "text", "text": hit.text}],
    }


def _text(result: Json) -> str:
    return "".join(part["text"] for part in result["content"])


def _that_fit(hits: list[Hit], model: Model) -> Iterator[Hit]:
    left = min(_RESULT_TOKENS, model.context_window // 4)
    for hit in hits:
        left -= tokens.count(hit.text)
        if left < 0:
            return
        yield hit
