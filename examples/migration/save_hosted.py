"""Saves what a server that speaks the Assistants API still has, as `locum import` reads it.

    python save_hosted.py saved.jsonl < thread_ids.txt

The ids of threads come from your own database, one on each line. OPENAI_BASE_URL and OPENAI_API_KEY say which server;
with AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and OPENAI_API_VERSION it is one of Azure OpenAI; with
PROJECT_ENDPOINT, and a token in OPENAI_API_KEY, a project of Azure's agents (Foundry). Such a project lists its threads
itself if no ids are given. An object that is there no more, or contents that the server does not give back, are told
and passed over.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from openai import APIStatusError, AzureOpenAI, OpenAI
from openai.pagination import SyncCursorPage
from openai.types.beta import Thread


class Saver:
    """Writes objects to `target` and the contents of files into the folder beside it."""

    def __init__(self, client: OpenAI, target: Path) -> None:
        self.client = client
        self.out = target.open("w", encoding="utf-8")
        self.contents = target.with_suffix(".files")
        self.contents.mkdir(exist_ok=True)

    def write(self, item: Any) -> None:
        # What the client has no types for, tools of Azure's for example, is kept, and is no reason to warn.
        self.out.write(item.to_json(indent=None, warnings=False) + "\n")

    def save(self, thread_ids: Iterable[str]) -> None:
        files = {file.id: file for file in self.listed(self.client.files.list)}
        texts: dict[str, Callable[[], str]] = {}
        for store in self.listed(self.client.vector_stores.list, limit=100):
            self.write(store)
            for entry in self.listed(self.client.vector_stores.files.list, vector_store_id=store.id, limit=100):
                self.write(entry)
                texts[entry.id] = lambda entry=entry, store=store: self.text(store.id, entry.id)  # type: ignore[misc]
        for assistant in self.listed(self.client.beta.assistants.list, limit=100):
            self.write(assistant)
        for thread_id in thread_ids:
            self.save_thread(thread_id)
        for file in files.values():
            self.write(file)
            self.save_contents(file.id, texts.get(file.id))
        self.out.close()

    def listed(self, method: Callable[..., Iterable[Any]], **options: Any) -> Iterator[Any]:
        """All objects of a list, or those before the server refuses."""
        seen = set()
        try:
            for item in method(**options):
                # Azure's list of files does not say that it has ended: asked for more, it begins again.
                if item.id in seen:
                    return
                seen.add(item.id)
                yield item
        except APIStatusError as error:
            tell(f"{options or 'list'}: {error.message}", error)

    def threads(self, **options: Any) -> Iterable[Thread]:
        """The threads of a project of Azure's agents; other servers do not list them."""
        page = SyncCursorPage[Thread]
        return self.client.get_api_list("/threads", page=page, model=Thread, options={"params": options})

    def save_thread(self, thread_id: str) -> None:
        threads = self.client.beta.threads
        try:
            self.write(threads.retrieve(thread_id))
        except APIStatusError as error:
            tell(f"{thread_id}: {error.message}", error)
            return
        # The oldest first: several messages may have the same second.
        for message in self.listed(threads.messages.list, thread_id=thread_id, order="asc", limit=100):
            self.write(message)
        for run in self.listed(threads.runs.list, thread_id=thread_id, order="asc", limit=100):
            self.write(run)
            steps = self.listed(threads.runs.steps.list, run_id=run.id, thread_id=thread_id, order="asc", limit=100)
            for step in steps:
                self.write(step)

    def save_contents(self, file_id: str, text: Callable[[], str] | None) -> None:
        """The contents of a file; OpenAI gives those for assistants back as the text of a vector store alone."""
        if any((self.contents / name).exists() for name in (file_id, f"{file_id}.txt")):
            return
        try:
            (self.contents / file_id).write_bytes(self.client.files.content(file_id).read())
        except APIStatusError as error:
            if text is None:
                tell(f"{file_id}: {error.message}", error)
                return
            try:
                (self.contents / f"{file_id}.txt").write_text(text(), encoding="utf-8")
            except APIStatusError as second:
                tell(f"{file_id}: {second.message}", second)

    def text(self, store_id: str, file_id: str) -> str:
        parts = self.client.vector_stores.files.content(file_id, vector_store_id=store_id)
        return "\n".join(part.text or "" for part in parts)


def tell(line: str, error: APIStatusError) -> None:
    print(line, file=sys.stderr)
    if error.status_code == 401:
        # A token that has run out in the middle would leave a dump with holes.
        sys.exit("The server does not take the key. What was saved is not all.")


def server() -> OpenAI:
    """A client of the server that the environment names."""
    if "PROJECT_ENDPOINT" in os.environ:
        version = {"api-version": os.environ.get("OPENAI_API_VERSION", "v1")}
        return OpenAI(base_url=os.environ["PROJECT_ENDPOINT"], default_query=version)
    return AzureOpenAI() if "AZURE_OPENAI_ENDPOINT" in os.environ else OpenAI()


if __name__ == "__main__":
    with server() as opened:
        saver = Saver(opened, Path(sys.argv[1]))
        thread_ids = [line.strip() for line in sys.stdin if line.strip()]
        if not thread_ids and "PROJECT_ENDPOINT" in os.environ:
            thread_ids = [thread.id for thread in saver.listed(saver.threads, limit=100)]
        saver.save(thread_ids)
