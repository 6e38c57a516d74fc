"""What `locum up` says when it is ready."""

from dataclasses import dataclass

from app.embedded import local_model, minilm
from app.embedded.first_key import FirstKey
from app.settings import Settings


@dataclass(frozen=True)
class Welcome:
    """The text: where Locum is, its key, its backend and its data, and code to try it with.

    The key itself is shown once, when it has just been made, and to a terminal alone: what is printed elsewhere ends in
    logs. Later the text says where the key lies.
    """

    settings: Settings
    key: FirstKey
    to_terminal: bool

    def __str__(self) -> str:
        return f"""\
Locum is ready.  Ctrl-C stops it.

  Base URL    {self.base_url}
  Playground  {self.base_url.removesuffix("/v1")}/playground
  API key     {self._key()}
  Backend     {self._backend()}
  Embeddings  {self._embeddings()}
  Data        {self.settings.data_dir}

Try it:

  from openai import OpenAI
  client = OpenAI(base_url="{self.base_url}", api_key={self._key_in_code()})
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

    @property
    def _shows_key(self) -> bool:
        return self.key.is_new and self.to_terminal

    def _key(self) -> str:
        if self.key.file is None:
            return "as given"
        return f"{self.key.value}   (kept in {self.key.file})" if self._shows_key else f"in {self.key.file}"

    def _key_in_code(self) -> str:
        if self.key.file is None:
            return 'os.environ["OPENAI_API_KEY"]'
        return f'"{self.key.value}"' if self._shows_key else f'open("{self.key.file}").read().strip()'

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
