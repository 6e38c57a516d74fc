"""Which server a model name goes to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from app.backends import catalogue
from app.backends.adaptive import AdaptiveBackend
from app.backends.emulated import EmulatedBackend
from app.backends.routing import Backends, NoBackend
from app.settings import Settings
from tests.backends.conftest import hear
from tests.fakes.completion_backend import CompletionBackend

Make = Callable[..., Backends]


@pytest.fixture(scope="module")
def other() -> Iterator[CompletionBackend]:
    """A second server."""
    with CompletionBackend() as running:
        yield running


@pytest.fixture
def default() -> Iterator[CompletionBackend]:
    """The default server, with models of its own."""
    with CompletionBackend() as running:
        running.models = {"first": {}, "second": {"max_model_len": 9000}, "org/third": {"created": 5, "owned_by": "us"}}
        yield running


@pytest.fixture
async def make(default: CompletionBackend) -> AsyncIterator[Make]:
    """Makes Backends of settings: `make(default_model=...)`."""
    made: list[Backends] = []

    def of(**settings: Any) -> Backends:
        made.append(Backends(Settings(**{"backend_url": default.url, "backend_retries": 0, **settings})))
        return made[-1]

    yield of
    for backends in made:
        await backends.close()


async def _asked(backends: Backends, model: str, *servers: CompletionBackend) -> tuple[int, str]:
    """Runs a completion; gives the number of the server that was asked, and by which name."""
    resolved = await backends.resolve(model)
    heard = await hear(resolved.backend)
    assert heard.failure is None
    asked = [number for number, server in enumerate(servers) if server.requests(resolved.name)]
    assert len(asked) == 1
    return asked[0], resolved.name


async def test_the_first_route_that_fits(make: Make, default: CompletionBackend, other: CompletionBackend) -> None:
    routes = [
        {"match": "gpt-4o", "backend": "other", "model": "big"},
        {"match": "gpt-*", "model": "small"},
        {"match": "gpt-4o-mini", "model": "never"},
        {"match": "kept-*", "backend": "other"},
    ]
    backends = make(models=routes, backends={"other": {"url": other.url}})
    servers = default, other
    assert await _asked(backends, "gpt-4o", *servers) == (1, "big")
    assert await _asked(backends, "gpt-4o-mini", *servers) == (0, "small")
    assert await _asked(backends, "kept-name", *servers) == (1, "kept-name")


async def test_names_the_backend_knows(make: Make) -> None:
    backends = make(default_model="first")
    assert (await backends.resolve("second")).name == "second"
    assert (await backends.resolve("org/third")).name == "org/third"


async def test_unknown_names(make: Make, default: CompletionBackend) -> None:
    assert (await make(default_model="chosen").resolve("gpt-4o")).name == "chosen"
    assert (await make().resolve("gpt-4o")).name == "first"
    default.models = {}
    assert (await make().resolve("gpt-4o")).name == "gpt-4o"


async def test_the_default_model_may_have_a_route(make: Make, other: CompletionBackend) -> None:
    routes = [{"match": "chosen", "backend": "other", "model": "real", "tools": "none"}]
    backends = make(default_model="chosen", models=routes, backends={"other": {"url": other.url}})
    model = await backends.resolve("gpt-4o")
    assert (model.name, model.tools) == ("real", "none")


async def test_abilities(make: Make) -> None:
    routes = [
        {"match": "a", "tools": "emulated", "vision": False, "json_schema": False, "context_window": 512},
        {"match": "b", "tools": "native"},
    ]
    backends = make(models=routes, tools="none", context_window=1024)
    a, b, unrouted = [await backends.resolve(name) for name in ("a", "b", "first")]
    assert (a.tools, a.vision, a.json_schema, a.context_window) == ("emulated", False, False, 512)
    assert (b.tools, b.vision, b.json_schema, b.context_window) == ("native", True, True, 1024)
    assert unrouted.tools == "none"
    assert isinstance(a.backend, EmulatedBackend)
    assert isinstance(b.backend, AdaptiveBackend)


@pytest.mark.parametrize(
    ("told", "window"),
    [
        ({"max_model_len": 9000}, 9000),
        ({"context_length": 8000}, 8000),
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 131072}}, 4096),
        ({"meta": {"n_ctx_train": 2048}}, 2048),
        ({"meta": None}, 1024),
        ({"max_model_len": "many"}, 1024),
        ({"max_model_len": -1}, 1024),
        ({}, 1024),
    ],
)
async def test_context_windows(make: Make, default: CompletionBackend, told: dict[str, Any], window: int) -> None:
    default.models = {"m": told}
    assert (await make(context_window=1024).resolve("m")).context_window == window


async def test_what_a_model_has_taught_is_kept(make: Make) -> None:
    backends = make()
    assert (await backends.resolve("second")).backend is (await backends.resolve("second")).backend
    assert (await backends.resolve("second")).backend is not (await backends.resolve("first")).backend


async def test_one_list_request_for_all(make: Make, default: CompletionBackend) -> None:
    backends = make()
    assert {model.name for model in await asyncio.gather(*(backends.resolve("x") for _ in range(100)))} == {"first"}
    assert default.list_requests == 1
    await backends.resolve("second")
    assert default.list_requests == 1


async def test_a_list_is_believed_for_a_while(
    make: Make, default: CompletionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    believing = make()
    assert (await believing.resolve("new")).name == "first"
    monkeypatch.setattr(catalogue, "FRESH_SECONDS", 0)
    doubting = make()
    assert (await doubting.resolve("new")).name == "first"
    default.models = {"new": {}}
    assert (await believing.resolve("new")).name == "first"
    assert (await doubting.resolve("new")).name == "new"


async def test_the_last_list_holds_while_the_server_is_away(
    make: Make, default: CompletionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "FRESH_SECONDS", 0)
    backends = make()
    assert (await backends.resolve("second")).context_window == 9000
    default.close()
    assert (await backends.resolve("second")).context_window == 9000


async def test_a_cancelled_caller_takes_no_other_with_it(make: Make) -> None:
    backends = make()
    callers = [asyncio.create_task(backends.resolve("x")) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [getattr(result, "name", None) for result in results[1:]] == ["first", "first"]


async def test_without_a_list(make: Make) -> None:
    backends = make(backend_url="http://127.0.0.1:1/v1", context_window=777)
    model = await backends.resolve("gpt-4o")
    assert (model.name, model.context_window) == ("gpt-4o", 777)
    assert await backends.list_models() == []
    wrong = await backends.probe()
    assert wrong is not None
    assert "127.0.0.1:1" in wrong


@pytest.mark.parametrize("models", ["nonsense", 7, None, [], {"data": 3}, {"data": [{"name": "x"}]}])
async def test_lists_that_are_none(make: Make, models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*_: Any) -> Any:
        return models

    monkeypatch.setattr("app.backends.server.ModelServer.get_json", answer)
    backends = make()
    assert (await backends.resolve("gpt-4o")).name == "gpt-4o"
    assert "list of models" in str(await backends.probe())


async def test_no_backend_at_all(make: Make) -> None:
    backends = make(backend_url=None)
    heard = await hear((await backends.resolve("gpt-4o")).backend)
    assert heard.failure is not None
    assert "LOCUM_BACKEND_URL" in heard.failure.message
    assert "LOCUM_BACKEND_URL" in str(await backends.probe())
    assert await backends.list_models() == []
    with pytest.raises(NoBackend):
        await backends.upstream("gpt-4o")


async def test_a_route_to_nowhere(make: Make) -> None:
    backends = make(models=[{"match": "lost", "backend": "elsewhere"}])
    heard = await hear((await backends.resolve("lost")).backend)
    assert heard.failure is not None
    assert "elsewhere" in heard.failure.message


async def test_named_backends_alone(make: Make, other: CompletionBackend) -> None:
    backends = make(backend_url=None, backends={"only": {"url": other.url}})
    assert (await backends.resolve("gpt-4o")).name == "echo"
    assert await backends.probe() is None
    assert await backends.probe("only") is None
    assert "nobody" in str(await backends.probe("nobody"))


async def test_the_list_shown(make: Make) -> None:
    backends = make(models=[{"match": "mine", "model": "first"}, {"match": "gpt-4*"}])
    listed = {model.id: model for model in await backends.list_models()}
    assert list(listed) == ["mine", "first", "second", "org/third"]
    assert (listed["org/third"].created, listed["org/third"].owned_by) == (5, "us")
    assert listed["mine"].owned_by == "locum"
    assert await backends.find_model("gpt-4o") is not None
    assert await backends.find_model("gpt-3.5") is None


async def test_embeddings_have_a_server_of_their_own(make: Make, other: CompletionBackend) -> None:
    backends = make(embeddings_url=other.url, models=[{"match": "ada", "model": "minilm"}])
    upstream = await backends.embeddings_upstream("ada")
    assert (upstream.server.url, upstream.model) == (other.url, "minilm")
    assert (await backends.embeddings_upstream("x")).model == "x"


async def test_names_that_the_embeddings_server_does_not_list(make: Make, default: CompletionBackend) -> None:
    with CompletionBackend() as small:
        small.models = {"minilm": {}, "other": {}}
        backends = make(embeddings_url=small.url, embeddings_model="minilm", models=[{"match": "ada", "model": "x"}])
        found = {name: await backends.embeddings_upstream(name) for name in ("other", "second", "x", "ada")}
        assert {name: (upstream.server.name, upstream.model) for name, upstream in found.items()} == {
            "other": ("embeddings", "other"),
            "second": ("default", "second"),
            "x": ("embeddings", "minilm"),
            "ada": ("embeddings", "minilm"),
        }
        assert backends.exact_embeddings_upstream("x").model == "x"
