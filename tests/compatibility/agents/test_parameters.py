"""Every parameter of Azure's client for agents: what it does is shown here or for OpenAI's client, or it is refused."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from azure.ai.agents import AgentsClient, models
from azure.core.exceptions import HttpResponseError

from app.schemas.foreign_tools import FOREIGN_TOOLS
from tests.compatibility import effects
from tests.compatibility.agents.calling import PROJECT, sync_client
from tests.compatibility.agents.operations import CLIENT_PARAMETERS, EFFECTS, OPERATIONS, REFUSED, RENAMED
from tests.compatibility.agents.surface import parameters, tool_types
from tests.running import Locum

_CLIENT = sync_client("http://127.0.0.1", "none")
_SOURCE: Any = models.VectorStoreDataSource(asset_identifier="azureml://a", asset_type="uri_asset")
_OLD_PROJECT = "/agents/v1.0/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"


@pytest.fixture(scope="module")
def agents(locum: Locum) -> Iterator[AgentsClient]:
    with sync_client(locum.origin + PROJECT, locum.api_key) as opened:
        yield opened


@pytest.mark.usefixtures("all_effects")
@pytest.mark.parametrize("method", OPERATIONS)
def test_no_parameter_is_left_out(method: str) -> None:
    """One that is left out is new in the client: show what it does, or that it is refused, and say so."""
    known = set(CLIENT_PARAMETERS)
    for where in OPERATIONS[method]:
        for said in (effects.EFFECTS, effects.WITHOUT_EFFECT, EFFECTS):
            known |= said.get(where, {}).keys()
        known |= set(re.findall(r"{(\w+)}", where))
    asked = {_renamed(name) for name in parameters(_CLIENT, method)}
    assert {name for name in asked - known if not _is_refused(name) and not _is_below(name, EFFECTS, method)} == set()


def _renamed(path: str) -> str:
    first, dot, rest = path.partition(".")
    return f"{RENAMED.get(first, first)}{dot}{rest}"


def _is_refused(path: str) -> bool:
    """Whether a parameter is of a tool that is refused, or in a place that is."""
    if any(f".{kind}." in f"{path}." for kind in FOREIGN_TOOLS):
        return True
    return any(re.search(rf"(^|\.){re.escape(ending)}(\.|$)", path) for ending in REFUSED)


def _is_below(path: str, said: dict[str, dict[str, str]], method: str) -> bool:
    return any(path.startswith(f"{name}.") for where in OPERATIONS[method] for name in said.get(where, ()))


@pytest.mark.parametrize("kind", sorted(tool_types() - {"code_interpreter", "file_search", "function"}))
def test_a_tool_of_azures_is_refused_by_its_name(agents: AgentsClient, kind: str) -> None:
    with pytest.raises(HttpResponseError, match=f"does not have the tool '{kind}' \\({re.escape(FOREIGN_TOOLS[kind])}"):
        agents.create_agent(model="m", tools=[{"type": kind, kind: {}}])


_REFUSALS: list[tuple[str, Callable[[AgentsClient], Any]]] = [
    (
        "tool_resources.azure_ai_search",
        lambda agents: agents.create_agent(
            model="m", tool_resources=models.AzureAISearchTool("connection", "index").resources
        ),
    ),
    (
        "tool_resources.code_interpreter.data_sources",
        lambda agents: agents.threads.create(
            tool_resources=models.ToolResources(
                code_interpreter=models.CodeInterpreterToolResource(data_sources=[_SOURCE])
            )
        ),
    ),
    (
        "tool_resources.file_search.vector_stores[0].name",
        lambda agents: agents.threads.create(
            tool_resources=models.ToolResources(
                file_search=models.FileSearchToolResource(
                    vector_stores=[
                        models.VectorStoreConfigurations(store_name="s", store_configuration=_configuration())
                    ]
                )
            )
        ),
    ),
    (
        "attachments[0].data_source",
        lambda agents: agents.threads.create(
            messages=[
                models.ThreadMessageOptions(
                    role="user", content="Hi", attachments=[models.MessageAttachment(tools=[], data_source=_SOURCE)]
                )
            ]
        ),
    ),
    ("configuration", lambda agents: agents.vector_stores.create(store_configuration=_configuration())),
    ("configuration", lambda agents: agents.vector_stores.create_and_poll(data_sources=[_SOURCE])),
    ("data_source", lambda agents: agents.vector_store_files.create(_store(agents), data_source=_SOURCE)),
    (
        "data_sources",
        lambda agents: agents.vector_store_file_batches.create(_store(agents), data_sources=[_SOURCE]),
    ),
]


def _store(agents: AgentsClient) -> str:
    return agents.vector_stores.create().id


def _configuration() -> models.VectorStoreConfiguration:
    return models.VectorStoreConfiguration(data_sources=[_SOURCE])


@pytest.mark.parametrize(("param", "ask"), _REFUSALS, ids=[param for param, _ in _REFUSALS])
def test_what_is_in_azure_alone_is_refused_by_its_name(
    agents: AgentsClient, param: str, ask: Callable[[AgentsClient], Any]
) -> None:
    with pytest.raises(HttpResponseError) as caught:
        ask(agents)
    assert caught.value.status_code == 400
    response: Any = caught.value.response
    assert response.json()["error"]["param"].endswith(param)


def test_the_list_of_threads(agents: AgentsClient) -> None:
    oldest, older, newest = (agents.threads.create().id for _ in range(3))
    found = agents.threads.list(order="desc", limit=2).by_page()
    assert [thread.id for thread in next(found)] == [newest, older]
    assert oldest in [thread.id for thread in next(found)]
    (before, *_) = agents.threads.list(order="desc", before=older)
    assert before.id == newest


def test_resources_of_a_run(agents: AgentsClient) -> None:
    ours, theirs = (agents.vector_stores.create(name=name) for name in ("ours", "theirs"))
    tool = models.FileSearchTool([theirs.id])
    agent = agents.create_agent(model="m", tools=tool.definitions, tool_resources=tool.resources)
    thread = agents.threads.create(messages=[{"role": "user", "content": "Hi"}])  # type: ignore[list-item]
    resources = models.FileSearchTool([ours.id]).resources
    made = agents.runs.create(thread.id, agent_id=agent.id, tool_resources=resources)
    assert made.tool_resources == resources
    agents.runs.cancel(thread.id, made.id)
    other = agents.threads.create(messages=[{"role": "user", "content": "Hi"}])  # type: ignore[list-item]
    missing = models.FileSearchTool(["vs_none"]).resources
    with pytest.raises(HttpResponseError, match="vs_none"):
        agents.runs.create(other.id, agent_id=agent.id, tool_resources=missing)


@pytest.mark.parametrize("place", ["", "/v1", PROJECT, f"{PROJECT}/openai/v1", f"{PROJECT}/openai", _OLD_PROJECT])
def test_places_of_a_project(locum: Locum, place: str) -> None:
    with sync_client(locum.origin + place, locum.api_key) as agents:
        made = agents.create_agent(model="m", name="Ada")
        assert agents.get_agent(made.id).name == "Ada"
        agents.threads.delete(agents.threads.create().id)
        assert agents.files.list().data is not None
        agents.vector_stores.delete(agents.vector_stores.create().id)
        with pytest.raises(HttpResponseError, match="No assistant found with id 'asst_none'"):
            agents.get_agent("asst_none")


def test_errors_and_ids_of_requests(locum: Locum) -> None:
    headers = {"x-ms-client-request-id": "27d9ff8d-8bd1-4e08-bba2-1f2b2f9d3ad1", "api-key": locum.api_key}
    with httpx2.Client(base_url=locum.origin + PROJECT, headers=headers) as http:
        for path, status in (("/assistants", 200), ("/assistants/asst_none", 404), ("/nothing", 404)):
            answer = http.get(path)
            assert answer.status_code == status
            assert answer.headers["x-ms-client-request-id"] == headers["x-ms-client-request-id"]
        assert "x-ms-client-request-id" not in http.get("/assistants", headers={"x-ms-client-request-id": ""}).headers
    with sync_client(locum.origin, "sk-locum-no") as agents, pytest.raises(HttpResponseError) as caught:
        agents.get_agent("asst_none")
    assert (caught.value.status_code, caught.value.error and caught.value.error.code) == (401, "invalid_api_key")
