"""The models that a server says it has, remembered for a while."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from app.backends.server import ModelServer

#: Seconds for which a list, or the failure to get one, is believed; and seconds to wait for it (/readyz waits 2).
FRESH_SECONDS = 30.0
FAILURE_SECONDS = 5.0
FETCH_SECONDS = 1.8

#: Where servers tell a model's context window: vLLM; OpenRouter, LiteLLM, Together; Groq; Mistral; LM Studio.
_WINDOW_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as `GET /v1/models` shows it; `context_window` as far as the server tells."""

    id: str
    created: int
    owned_by: str
    context_window: int | None = None

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "ListedModel":
        """Reads an entry of a server's list. Raises TypeError and the like where it is none."""
        created = entry.get("created")
        return cls(
            id=str(entry["id"]),
            created=created if isinstance(created, int) and not isinstance(created, bool) else 0,
            owned_by=str(entry.get("owned_by") or "unknown"),
            context_window=_context_window(entry),
        )


def _context_window(entry: dict[str, Any]) -> int | None:
    meta = entry.get("meta")  # llama.cpp; its n_ctx_train is not what the server was started with, n_ctx is
    candidates = [entry.get(key) for key in _WINDOW_KEYS]
    if isinstance(meta, dict):
        candidates += [meta.get("n_ctx"), meta.get("n_ctx_train")]
    return next((int(value) for value in candidates if isinstance(value, int) and value > 0), None)


class Catalogue:
    """The model list of one server. However many ask at once, one request goes out."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._models: dict[str, ListedModel] = {}
        self._believed_until = 0.0
        self._fetch: asyncio.Task[None] | None = None

    async def models(self) -> dict[str, ListedModel]:
        """The models by name, in the server's order. Does not fail: without an answer, the last list, or none."""
        if time.monotonic() >= self._believed_until:
            await self._refreshed()
        return self._models

    async def get(self, name: str) -> ListedModel | None:
        """The model of that name. A list that has it is believed for longer; meanwhile a new one is fetched."""
        if time.monotonic() >= self._believed_until and name in self._models:
            self._start_fetch()
            return self._models[name]
        return (await self.models()).get(name)

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.wait([self._fetch])

    def _start_fetch(self) -> asyncio.Task[None]:
        if self._fetch is None or self._fetch.done():
            self._fetch = asyncio.create_task(self._fetch_models())
        return self._fetch

    async def _refreshed(self) -> None:
        # wait, unlike await: whoever asked may be cancelled without taking the others' request down
        await asyncio.wait([self._start_fetch()])

    async def _fetch_models(self) -> None:
        try:
            self._models = {model.id: model for model in await fetch_models(self._server)}
            self._believed_until = time.monotonic() + FRESH_SECONDS
        except CatalogueUnavailable as e:
            self._believed_until = time.monotonic() + FAILURE_SECONDS
            _log.warning("no model list", server=self._server.name, why=str(e))


class CatalogueUnavailable(Exception):
    """A server that does not tell its models; the message says why."""


class NoList(CatalogueUnavailable):
    """A server that answers, and has no list of models."""


async def fetch_models(server: ModelServer) -> list[ListedModel]:
    """Asks the server. Raises CatalogueUnavailable, NoList where it has none to tell."""
    try:
        answer = await server.get_json("/models", FETCH_SECONDS)
        return [ListedModel.from_json(entry) for entry in answer["data"]]
    except TimeoutError:
        raise CatalogueUnavailable(f"{server.url} did not answer in {FETCH_SECONDS:g} s") from None
    except aiohttp.ClientResponseError as e:
        kind = NoList if e.status in (404, 405, 501) else CatalogueUnavailable
        raise kind(f"{server.url}/models answered {e.status}") from None
    except (aiohttp.ClientError, OSError) as e:
        raise CatalogueUnavailable(server.redacted(f"{server.url} cannot be reached: {e}")) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise CatalogueUnavailable(f"{server.url}/models is not a list of models as OpenAI's API has it") from None
