"""Which model server a requested model name goes to, and under what name.

The first of the operator's routes (LOCUM_MODELS) whose `match` fits decides. A name without a route is looked for in
the default backend's own list; one that is not there either (applications ask for `gpt-4o` or `gpt-4-1106-preview`)
becomes LOCUM_DEFAULT_MODEL, or the first model of that list. Where there is no list, it goes out as it came.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from app.backends.adaptive import AdaptiveBackend
from app.backends.base import BackendFailure, CompletionRequest, Delta, Model
from app.backends.catalogue import Catalogue, CatalogueUnavailable, ListedModel, NoList, fetch_models
from app.backends.emulated import EmulatedBackend
from app.backends.openai import OnLesson, OpenAIBackend, RetryPolicy
from app.backends.server import Connections, ModelServer
from app.settings import DEFAULT_BACKEND, BackendSettings, ModelRoute, Settings

#: How the server of LOCUM_EMBEDDINGS_URL is called in the log.
_EMBEDDINGS = "embeddings"

#: Models whose dialect is remembered. Names come from clients, so there is no end to them.
_MAX_REMEMBERED = 1024

_NO_BACKEND = "No model server is configured: set LOCUM_BACKEND_URL."


class NoBackend(Exception):
    """There is no model server to ask; the message says which setting is missing."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A requested model, resolved: the server, and the name to ask it for. `route` is the operator's, if one fits."""

    server: ModelServer
    model: str
    route: ModelRoute | None = None


class Backends:
    """All model servers of the settings. One object for a process; `close` it in the loop that used it."""

    def __init__(self, settings: Settings, on_lesson: OnLesson | None = None) -> None:
        """`on_lesson` is told what is learnt of models from what their servers refuse."""
        self._settings = settings
        self._on_lesson = on_lesson
        self._connections = Connections(settings)
        self._retry = RetryPolicy(settings.backend_retries)
        described = dict(settings.backends)
        if settings.backend_url is not None:
            described[DEFAULT_BACKEND] = BackendSettings(url=settings.backend_url, api_key=settings.backend_api_key)
        self._servers = {name: ModelServer(name, it, self._connections) for name, it in described.items()}
        self._catalogues = {name: Catalogue(server) for name, server in self._servers.items()}
        self._models: OrderedDict[tuple[str, str, bool], AdaptiveBackend | EmulatedBackend] = OrderedDict()
        self._embeddings: ModelServer | None = None
        if settings.embeddings_url is not None:
            described_embeddings = BackendSettings(url=settings.embeddings_url, api_key=settings.embeddings_api_key)
            self._embeddings = ModelServer(_EMBEDDINGS, described_embeddings, self._connections)
            self._embeddings_catalogue = Catalogue(self._embeddings)

    async def close(self) -> None:
        """Closes every connection."""
        for catalogue in self._catalogues.values():
            await catalogue.close()
        if self._embeddings is not None:
            await self._embeddings_catalogue.close()
        await self._connections.close()

    async def resolve(self, model: str) -> Model:
        """The model that a run which asks for `model` gets.

        Does not fail: without a model server, the backend of the answer raises BackendFailure when it is asked.
        """
        settings = self._settings
        try:
            upstream = await self.upstream(model)
        except NoBackend as e:
            return Model(model, _Absent(str(e)), settings.context_window, settings.tools, vision=True, json_schema=True)
        route = upstream.route
        tools = (route and route.tools) or settings.tools
        backend = self._backend(upstream, emulated=tools == "emulated")
        if tools == "native" and isinstance(backend, AdaptiveBackend) and backend.lacks_tools:
            tools = "emulated"
        window = await self._context_window(upstream)
        return Model(
            name=upstream.model,
            backend=backend,
            context_window=min(window, backend.window.in_own_tokens) if backend.window is not None else window,
            tools=tools,
            vision=route.vision if route else True,
            json_schema=route.json_schema if route else True,
        )

    async def upstream(self, model: str) -> Upstream:
        """The server to ask for `model`, for requests that are passed through. Raises NoBackend."""
        if route := self._route(model):
            return self._by_route(route, model)
        default = self._default_name()
        if await self._catalogues[default].get(model):
            return Upstream(self._servers[default], model)
        if fallback := self._settings.default_model:
            route = self._route(fallback)
            return self._by_route(route, fallback) if route else Upstream(self._servers[default], fallback)
        first = next(iter(await self._catalogues[default].models()), model)
        return Upstream(self._servers[default], first)

    async def embeddings_upstream(self, model: str) -> Upstream:
        """The server to ask for embeddings by `model`, for requests that are passed through. Raises NoBackend.

        A name that LOCUM_EMBEDDINGS_URL's server does not list is asked of the default backend if that lists it, else
        it becomes LOCUM_EMBEDDINGS_MODEL, if that is listed.
        """
        if self._embeddings is None:
            return await self.upstream(model)
        route = self._route(model)
        name = (route and route.model) or model
        listed = await self._embeddings_catalogue.models()
        default = self._settings.embeddings_model
        if name in listed or default not in listed:
            return Upstream(self._embeddings, name, route)
        if self._servers and await self._catalogues[self._default_name()].get(name):
            return Upstream(self._servers[self._default_name()], name, route)
        return Upstream(self._embeddings, default, route)

    def exact_embeddings_upstream(self, model: str) -> Upstream:
        """The server to ask for embeddings by `model` and by no other in its place. Raises NoBackend."""
        if self._embeddings is not None:
            return Upstream(self._embeddings, model)
        if route := self._route(model):
            return self._by_route(route, model)
        return Upstream(self._server(DEFAULT_BACKEND), model)

    async def list_models(self) -> list[ListedModel]:
        """What `GET /v1/models` shows: the names of the routes (not the globs), then the default backend's own."""
        named = [route.match for route in self._settings.models if not _is_glob(route.match)]
        models = {name: ListedModel(name, created=0, owned_by="locum") for name in named}
        if self._servers:
            for name, model in (await self._catalogues[self._default_name()].models()).items():
                models.setdefault(name, model)
        return list(models.values())

    async def find_model(self, name: str) -> ListedModel | None:
        """What `GET /v1/models/{model}` shows: a model of the list, or a name that a route's glob fits."""
        listed = {model.id: model for model in await self.list_models()}
        if name in listed or not self._route(name):
            return listed.get(name)
        return ListedModel(name, created=0, owned_by="locum")

    async def probe(self, name: str = DEFAULT_BACKEND) -> str | None:
        """What is wrong with a backend, in words for the operator; None if it answers. Takes seconds at most."""
        try:
            await fetch_models(self._server(name))
        except (NoBackend, CatalogueUnavailable) as e:
            return str(e)
        return None

    async def probe_embeddings(self) -> str | None:
        """The same of the server that makes the vectors. Some of them have no list of models, and answer that."""
        try:
            server = self.exact_embeddings_upstream(self._settings.embeddings_model).server
            await fetch_models(server)
        except NoList:
            return None
        except (NoBackend, CatalogueUnavailable) as e:
            return str(e)
        return None

    def _default_name(self) -> str:
        """LOCUM_BACKEND_URL's, or without it the first of LOCUM_BACKENDS."""
        if DEFAULT_BACKEND in self._servers:
            return DEFAULT_BACKEND
        for name in self._servers:
            return name
        raise NoBackend(_NO_BACKEND)

    def _route(self, model: str) -> ModelRoute | None:
        return next((route for route in self._settings.models if fnmatchcase(model, route.match)), None)

    def _by_route(self, route: ModelRoute, model: str) -> Upstream:
        return Upstream(self._server(route.backend), route.model or model, route)

    def _server(self, name: str) -> ModelServer:
        name = self._default_name() if name == DEFAULT_BACKEND else name
        if name not in self._servers:
            raise NoBackend(f"LOCUM_BACKENDS has no backend '{name}'.")
        return self._servers[name]

    async def _context_window(self, upstream: Upstream) -> int:
        if upstream.route and upstream.route.context_window:
            return upstream.route.context_window
        listed = await self._catalogues[upstream.server.name].get(upstream.model)
        return (listed and listed.context_window) or self._settings.context_window

    def _backend(self, upstream: Upstream, *, emulated: bool) -> AdaptiveBackend | EmulatedBackend:
        key = (upstream.server.name, upstream.model, emulated)
        backend = self._models.get(key)
        if backend is None:
            native = OpenAIBackend(upstream.server, upstream.model, self._retry, self._on_lesson)
            backend = self._models[key] = EmulatedBackend(native) if emulated else AdaptiveBackend(native)
            if len(self._models) > _MAX_REMEMBERED:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return backend


def _is_glob(match: str) -> bool:
    return any(character in match for character in "*?[")


class _Absent:
    """The model server that nobody has configured."""

    def __init__(self, message: str) -> None:
        self._message = message

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[list[Delta], None]:  # noqa: ARG002
        """Fails, saying what is missing."""
        raise BackendFailure("server_error", self._message)
        yield []
