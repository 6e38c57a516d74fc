"""A project of Azure's agents, as its server answers for it: a shop whose agents use services of Azure's."""

import json
import re
import uuid
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs

from tests.fakes.http_server import Exchange, HTTPServer
from tests.transfer.dumps import T0, Json

PROJECT: Final = "/api/projects/shop"
TOKEN: Final = "eyJ0.a.token"
#: Tools that are services of Azure's, in the shapes in which its client sends them.
FOREIGN: Final[list[Json]] = [
    {"type": "bing_grounding", "bing_grounding": {"search_configurations": [{"connection_id": "/connections/bing"}]}},
    {"type": "azure_ai_search"},
    {
        "type": "openapi",
        "openapi": {"name": "weather", "spec": {}, "auth": {"type": "anonymous", "security_scheme": {}}},
    },
    {"type": "connected_agent", "connected_agent": {"id": "asst_other", "name": "stocks", "description": "Knows."}},
    {"type": "azure_function", "azure_function": {"function": {"name": "f", "parameters": {}}}},
    {"type": "mcp", "server_label": "github", "server_url": "https://example.com/mcp", "allowed_tools": []},
    {"type": "a_service_of_tomorrow", "a_service_of_tomorrow": {}},
]
_SAID: Final = "The lamp blinks【3:0†source】."


class Foundry:
    """Serves the project between `with` and its end; refuses what comes without the token or a version."""

    def __init__(self, model: str) -> None:
        tail = uuid.uuid4().hex[:20]
        self.agent, self.other, self.thread, self.run = f"asst_{tail}", f"asst_o{tail}", f"thread_{tail}", f"run_{tail}"
        self.store, self.manual, self.chart = f"vs_{tail}", f"assistant-{tail}", f"assistant-c{tail}"
        self.messages = [f"msg_{number}{tail}" for number in (1, 2)]
        self.steps = [f"step_{number}{tail}" for number in (1, 2, 3, 4)]
        self.model = model
        self.contents = {self.manual: b"The lamp of the kettle blinks.", self.chart: b"\x89PNG\r\n\x1a\n"}
        self._server = HTTPServer(self._answer)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._server.close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.port}{PROJECT}"

    def _answer(self, exchange: Exchange) -> None:
        asked = exchange.request
        path = asked.path.removeprefix(PROJECT)
        given = parse_qs(asked.query)
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json(exchange, 401, {"error": {"code": "401", "message": "Access token is missing or invalid"}})
        if not asked.path.startswith(PROJECT) or given.get("api-version") != ["v1"]:
            return _json(exchange, 400, {"error": {"code": "BadRequest", "message": "API version not supported"}})
        if (content := re.fullmatch("/files/(.+)/content", path)) is not None:
            return exchange.respond(200, self.contents[content[1]], {"content-type": "application/octet-stream"})
        items = self._lists().get(path)
        if items is None:
            found = [item for some in self._lists().values() for item in some if path.endswith(f"/{item['id']}")]
            missing = {"error": {"code": None, "message": f"No object found at {path}."}}
            return _json(exchange, 200 if found else 404, found[0] if found else missing)
        if path == "/files":
            # All of them, whatever `after` says, and no word of whether there are more.
            return _json(exchange, 200, {"object": "list", "data": items})
        return _json(exchange, 200, _page(items, given))

    def _lists(self) -> dict[str, list[Json]]:
        thread = f"/threads/{self.thread}"
        return {
            "/assistants": self._agents(),
            "/threads": [self._thread()],
            "/files": [
                self._file(self.manual, "manual.txt", "assistants"),
                self._file(self.chart, "chart.png", "assistants_output"),
            ],
            "/vector_stores": [self._store()],
            f"/vector_stores/{self.store}/files": [self._entry()],
            f"{thread}/messages": self._messages(),
            f"{thread}/runs": [self._run()],
            f"{thread}/runs/{self.run}/steps": self._steps(),
        }

    def _file(self, file_id: str, name: str, purpose: str) -> Json:
        size = len(self.contents[file_id])
        return {
            "object": "file", "id": file_id, "purpose": purpose, "filename": name, "bytes": size, "created_at": T0,
            "status": "processed", "status_details": None,
        }  # fmt: skip

    def _store(self) -> Json:
        counts = {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1}
        return {
            "id": self.store, "object": "vector_store", "created_at": T0, "name": "manuals", "usage_bytes": 10,
            "file_counts": counts, "status": "completed", "expires_after": None, "expires_at": None,
            "last_active_at": T0, "metadata": {}, "configuration": None,
        }  # fmt: skip

    def _entry(self) -> Json:
        static = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
        return {
            "id": self.manual, "object": "vector_store.file", "created_at": T0, "usage_bytes": 10,
            "vector_store_id": self.store, "status": "completed", "last_error": None,
            "chunking_strategy": {"type": "static", "static": static},
        }  # fmt: skip

    def _settings(self) -> Json:
        function = {"name": "order", "description": "Looks up.", "parameters": {"type": "object"}, "strict": False}
        ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
        tools = [
            {"type": "code_interpreter"},
            *FOREIGN,
            {"type": "file_search", "file_search": {"ranking_options": ranking}},
            {"type": "function", "function": function},
        ]
        source = {"type": "uri_asset", "uri": "azureml://a"}
        return {
            "model": self.model, "instructions": "Be brief.", "tools": tools, "temperature": 1.0, "top_p": 1.0,
            "response_format": "auto", "metadata": {},
            "tool_resources": {
                "code_interpreter": {"file_ids": [self.manual], "data_sources": [source]},
                "file_search": {"vector_store_ids": [self.store]},
                "azure_ai_search": {"indexes": [{"index_connection_id": "c", "index_name": "i"}]},
            },
        }  # fmt: skip

    def _agents(self) -> list[Json]:
        made = {"object": "assistant", "created_at": T0, "name": "Desk", "description": None}
        plain = {**self._settings(), "tools": [{"type": "code_interpreter"}], "tool_resources": {}}
        return [{**made, **self._settings(), "id": self.agent}, {**made, **plain, "id": self.other}]

    def _thread(self) -> Json:
        return {"id": self.thread, "object": "thread", "created_at": T0, "metadata": {}, "tool_resources": {}}

    def _message(self, message_id: str, role: str, text: Json, **more: Any) -> Json:
        return {
            "id": message_id, "object": "thread.message", "created_at": T0 + 1, "assistant_id": None,
            "thread_id": self.thread, "run_id": None, "role": role, "content": [{"type": "text", "text": text}],
            "attachments": [], "metadata": {}, **more,
        }  # fmt: skip

    def _messages(self) -> list[Json]:
        asset = {"file_id": None, "data_source": {"type": "uri_asset", "uri": "azureml://a"}}
        tools = [{"type": "code_interpreter"}]
        web = {"url": "https://example.com", "title": "A page"}
        cited = {"type": "url_citation", "text": "【3:0†source】", "url_citation": web}
        return [
            self._message(
                self.messages[0], "user", {"value": "Why?", "annotations": []},
                attachments=[{**asset, "tools": tools}, {"file_id": self.manual, "tools": tools}],
            ),
            self._message(
                self.messages[1], "assistant", {"value": _SAID, "annotations": [cited]},
                assistant_id=self.agent, run_id=self.run,
            ),
        ]  # fmt: skip

    def _run(self) -> Json:
        return {
            "id": self.run, "object": "thread.run", "created_at": T0 + 1, "thread_id": self.thread,
            "assistant_id": self.agent, "status": "completed", "started_at": T0 + 1, "expires_at": None,
            "cancelled_at": None, "failed_at": None, "completed_at": T0 + 2, "required_action": None,
            "last_error": None, **self._settings(), "tool_choice": {"type": "bing_grounding"},
            "max_prompt_tokens": None, "max_completion_tokens": None, "incomplete_details": None,
            "truncation_strategy": {"type": "auto", "last_messages": None}, "parallel_tool_calls": True,
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }  # fmt: skip

    def _steps(self) -> list[Json]:
        code = {"id": "call_1", "type": "code_interpreter", "code_interpreter": {"input": "1", "outputs": []}}
        bing = {"id": "call_2", "type": "bing_grounding", "bing_grounding": {"requesturl": "https://example.com"}}
        weather = {"id": "call_3", "type": "openapi", "function": {"name": "weather", "arguments": "{}", "output": ""}}
        details: list[Json] = [
            {"type": "tool_calls", "tool_calls": [code, bing]},
            {"type": "tool_calls", "tool_calls": [bing, weather]},
            {"type": "activities", "activities": [{"type": "mcp_list_tools", "tools": {}}]},
            {"type": "message_creation", "message_creation": {"message_id": self.messages[1]}},
        ]
        return [
            {
                "id": step_id, "object": "thread.run.step", "created_at": T0 + 1, "run_id": self.run,
                "assistant_id": self.agent, "thread_id": self.thread, "type": done["type"], "status": "completed",
                "step_details": done, "last_error": None, "expired_at": None, "cancelled_at": None, "failed_at": None,
                "completed_at": T0 + 2, "usage": None, "metadata": {},
            }
            for step_id, done in zip(self.steps, details, strict=True)
        ]  # fmt: skip


def _page(items: list[Json], given: dict[str, list[str]]) -> Json:
    """One object a page, so that a list is read to its end by whoever asks on."""
    after = given.get("after", [None])[0]
    ids = [item["id"] for item in items]
    first = ids.index(after) + 1 if after is not None else 0
    page = items[first : first + 1]
    edges = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return {"object": "list", "data": page, "has_more": first + 1 < len(items), **edges}


def _json(exchange: Exchange, status: int, body: Json) -> None:
    exchange.respond(status, json.dumps(body).encode(), {"content-type": "application/json"})
