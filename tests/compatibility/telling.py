"""A client for tests of what parameters do, with what such tests need beside it."""

import itertools
from typing import Any, Final

from openai import DefaultHttpxClient, OpenAI
from openai.types.beta.threads import Run

from tests.compatibility.effects import Sent
from tests.fakes.completion_backend import CompletionBackend, ScriptedTurn
from tests.running import Locum

#: The operations that settings of a run can come by.
ASSISTANT: Final = "POST /assistants"
CHANGED_ASSISTANT: Final = "POST /assistants/{assistant_id}"
RUN: Final = "POST /threads/{thread_id}/runs"
THREAD_AND_RUN: Final = "POST /threads/runs"
HELLO: Final[Any] = [{"role": "user", "content": "Hi"}]
FAST: Final[Any] = {"poll_interval_ms": 10}


class Told:
    """A client that notes the parameters it sends; scripted models; and what they were told."""

    _numbers = itertools.count(1)

    def __init__(self, locum: Locum, backend: CompletionBackend, api_key: str) -> None:
        self.sent = Sent()
        self._backend = backend
        self._models: list[str] = []
        self._options: Any = {"base_url": locum.base_url, "api_key": api_key, "max_retries": 0, "timeout": 30}
        self.client = self._client(strict=True)
        #: For batches and embeddings, whose types are not what OpenAI sends.
        self.lenient = self._client(strict=False)

    def _client(self, *, strict: bool) -> OpenAI:
        transport = DefaultHttpxClient(event_hooks={"request": [self.sent.note]})
        return OpenAI(**self._options, http_client=transport, _strict_response_validation=strict)

    def close(self) -> None:
        """The backend must have found nothing wrong with its requests."""
        self.client.close()
        self.lenient.close()
        found = [request.violation for model in self._models for request in self._backend.received(model)]
        for model in self._models:
            self._backend.forget(model)
        assert [violation for violation in found if violation is not None] == []

    def model(self, *turns: ScriptedTurn) -> str:
        """The name of a new model that answers with `turns`."""
        name = f"scripted-parameters-{next(self._numbers)}"
        self._backend.script(name, *turns)
        self._models.append(name)
        return name

    def requests(self, model: str) -> list[dict[str, Any]]:
        """The bodies of the requests that the model server has had for `model`."""
        return self._backend.requests(model)

    def run(self, place: str, model: str, assistant: Any = None, **settings: Any) -> Run:
        """A run, at its end or its pause, whose `settings` come by the operation `place`.

        `assistant` are settings that the assistant has in any case.
        """
        assistants, threads = self.client.beta.assistants, self.client.beta.threads
        mine: Any = {"model": model, **settings}
        made = assistants.create(**{"model": "echo", **(assistant or {}), **(mine if place == ASSISTANT else {})})
        if place == CHANGED_ASSISTANT:
            assistants.update(made.id, **mine)
        if place == THREAD_AND_RUN:
            return threads.create_and_run_poll(assistant_id=made.id, thread={"messages": HELLO}, **mine, **FAST)
        thread = threads.create(messages=HELLO)
        given = mine if place == RUN else {}
        return threads.runs.create_and_poll(thread_id=thread.id, assistant_id=made.id, **given, **FAST)

    def file(self, text: str, name: str = "notes.txt", purpose: Any = "assistants") -> str:
        """The id of a new file."""
        return self.client.files.create(file=(name, text.encode()), purpose=purpose).id

    def store(self, *texts: str) -> str:
        """The id of a new vector store that holds these texts, ready to be searched."""
        store = self.client.vector_stores.create(name="facts").id
        for number, text in enumerate(texts):
            file: Any = (f"fact{number}.txt", text.encode())
            done = self.client.vector_stores.files.upload_and_poll(vector_store_id=store, file=file, **FAST)
            assert done.status == "completed"
        return store

    def results(self, run: Run) -> list[Any]:
        """What the run's only search has found."""
        assert run.status == "completed", run.last_error
        steps = self.client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
        details: Any = steps[0].step_details
        return list(details.tool_calls[0].file_search.results)


def system_text(request: dict[str, Any]) -> str:
    """The instructions that a model was told."""
    return "\n".join(message["content"] for message in request["messages"] if message["role"] == "system")
