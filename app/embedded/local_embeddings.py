"""The small embedding model that Locum brings along, served as OpenAI serves embeddings.

    python -m app.embedded.local_embeddings PORT

Texts of any length are taken: those beyond the model's window go through it in windows, whose vectors are averaged.
"""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.embedded import minilm
from app.embedded.inference import Inference
from app.embedded.minilm import NAME, MiniLM

_MOST_INPUTS: Final = 2048
_MAX_BODY_BYTES: Final = 32 * 2**20
#: The API and the workers beside it come first.
_NICENESS: Final = 5
_CLIENT_GONE: Final = 499


class Refusal(Exception):
    """A request that is wrong; in OpenAI's words where it has some."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """What is asked for."""

    texts: list[str]
    base64: bool

    @classmethod
    def parse(cls, data: bytes) -> "EmbeddingsRequest":
        """Reads a request's body. Raises Refusal."""
        try:
            body = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Refusal("We could not parse the JSON body of your request.") from None
        if not isinstance(body, dict):
            raise Refusal("The JSON body of your request must be an object.")
        if (model := body.get("model")) != NAME:
            message = f"The model '{model}' does not exist: there is {NAME}."
            raise Refusal(message, "model", "model_not_found", status=404)
        if body.get("dimensions") not in (None, minilm.DIMENSIONS):
            raise Refusal(f"This model has {minilm.DIMENSIONS} dimensions and no other number.", "dimensions")
        encoding = body.get("encoding_format") or "float"
        if encoding not in ("float", "base64"):
            raise Refusal("Invalid value for 'encoding_format': expected 'float' or 'base64'.", "encoding_format")
        return cls(_texts(body.get("input")), encoding == "base64")


def _texts(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise Refusal("'input' must be a string or a list of strings, not an empty one.", "input")
    if len(texts) > _MOST_INPUTS:
        raise Refusal(f"'input' has {len(texts)} strings: {_MOST_INPUTS} are the most.", "input")
    if not all(isinstance(text, str) for text in texts):
        raise Refusal("'input' must be text: this model does not take tokens of other models.", "input")
    return texts


class Embeddings:
    """The model behind HTTP."""

    def __init__(self, model: MiniLM) -> None:
        self._model = model
        self._inference = Inference(model.vectors)

    def application(self) -> Starlette:
        """The ASGI application."""

        @asynccontextmanager
        async def closing(_: Starlette) -> AsyncIterator[None]:
            yield
            self._inference.close()

        routes = [
            Route("/healthz", self._alive),
            Route("/v1/models", self._list_models),
            Route("/v1/embeddings", self._create_embeddings, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={Refusal: _refused}, lifespan=closing)

    async def _alive(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _list_models(self, _: Request) -> Response:
        model = {"id": NAME, "object": "model", "created": 0, "owned_by": "locum"}
        return _json({"object": "list", "data": [model]})

    async def _create_embeddings(self, request: Request) -> Response:
        asked = EmbeddingsRequest.parse(await _body(request))
        answering = asyncio.create_task(self._answer(asked))
        gone = asyncio.create_task(_disconnected(request))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            return answering.result() if answering.done() else Response(status_code=_CLIENT_GONE)
        finally:
            answering.cancel()
            gone.cancel()

    async def _answer(self, asked: EmbeddingsRequest) -> Response:
        windows = await asyncio.to_thread(self._model.windows, asked.texts)
        rows = iter(await self._inference.rows([window for of_text in windows for window in of_text]))
        data = []
        for index, of_text in enumerate(windows):
            vector = minilm.average([next(rows) for _ in of_text])
            shown = base64.b64encode(vector.tobytes()).decode() if asked.base64 else vector
            data.append({"object": "embedding", "index": index, "embedding": shown})
        tokens = sum(len(window) for of_text in windows for window in of_text)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return _json({"object": "list", "data": data, "model": NAME, "usage": usage})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for data in request.stream():
        body += data
        if len(body) > _MAX_BODY_BYTES:
            raise Refusal(f"The request is larger than {_MAX_BODY_BYTES} bytes.", status=413)
    return bytes(body)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - for the type checker: it is registered for no other
    error = {
        "message": str(refusal),
        "type": "invalid_request_error",
        "param": refusal.param,
        "code": refusal.code,
    }
    return _json({"error": error}, refusal.status)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json")


def serve(host: str, port: int) -> None:
    """Serves until a signal ends it. Raises `CannotStart` if the model is not installed."""
    os.nice(_NICENESS)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    application = Embeddings(MiniLM(minilm.find_files())).application()
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    # Not by uvicorn alone, which listens from a little later on, and raises the signal that stopped it once more when
    # all is done: to have been stopped is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    server.run()
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    serve("127.0.0.1", int(sys.argv[1]))
