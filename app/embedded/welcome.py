"""What `locum up` says when it is ready."""

from dataclasses import dataclass
from pathlib import Path

from app.embedded import local_model, minilm
from app.settings import Settings


@dataclass(frozen=True)
class Welcome:
    """The text: where Locum is, its key, its backend and its data, and code to try it with."""

    settings: Settings
    api_key: str
    #: None if the user brought the key.
    key_file: Path | None

    def __str__(self) -> str:
        kept = f"   (kept in {self.key_file})" if self.key_file else ""
        return f"""\
Locum is ready.  Ctrl-C stops it.

  Base URL    {self.base_url}
  Playground  {self.base_url.removesuffix("/v1")}/playground
  API key     {self.api_key}{kept}
  Backend     {self._backend()}
  Embeddings  {self._embeddings()}
  Data        {self.settings.data_dir}

Try it:

  from openai import OpenAI
  client = OpenAI(base_url="{self.base_url}", api_key="{self.api_key}")
  assistant = client.beta.assistants.create(model="gpt-4o", instructions="Answer in one sentence.")
  with client.beta.threads.create_and_run_stream(
      assistant_id=assistant.id, thread={{"messages": [{{"role": "user", "content": "What is a locum?"}}]}}
  ) as stream:
      print(*stream.text_deltas, sep="")
"""

    @property
    def base_url(self) -> str:
        """As a client on this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.settings.host, self.settings.host)  # noqa: S104 - asked
        return f"http://{host}:{self.settings.port}/v1"

    def _backend(self) -> str:
        settings = self.settings
        if settings.default_model == local_model.NAME:
            return f"{local_model.NAME}, here on this machine, to try things out: set LOCUM_BACKEND_URL for a real one"
        urls = [settings.backend_url, *(backend.url for backend in settings.backends.values())]
        return ", ".join(url for url in urls if url)

    def _embeddings(self) -> str:
        settings = self.settings
        if settings.embeddings_model == minilm.NAME:
            return f"{minilm.NAME}, here on this machine: set LOCUM_EMBEDDINGS_URL for another"
        return f"{settings.embeddings_model} of {settings.embeddings_url or 'the backend'}"
