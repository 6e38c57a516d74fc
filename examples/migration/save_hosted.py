"""Saves what a server that speaks the Assistants API still has, as `locum import` reads it.

    python save_hosted.py saved.jsonl < thread_ids.txt

No server lists threads: their ids come from your own database, one on each line. OPENAI_BASE_URL and OPENAI_API_KEY
say which server; with AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and OPENAI_API_VERSION it is one of Azure. An object
that is there no more, or contents that the server does not give back, are told and passed over.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from openai import APIStatusError, AzureOpenAI, OpenAI


class Saver:
    """Writes objects to `target` and the contents of files into the folder beside it."""

    def __init__(self, client: OpenAI, target: Path) -> None:
        self.client = client
        self.out = target.open("w", encoding="utf-8")
        self.contents = target.with_suffix(".files")
        self.contents.mkdir(exist_ok=True)

    def write(self, item: Any) -> None:
        self.out.write(item.to_json(indent=None) + "\n")

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
        try:
            yield from method(**options)
        except APIStatusError as error:
            tell(f"{options or 'list'}: {error.message}")

    def save_thread(self, thread_id: str) -> None:
        threads = self.client.beta.threads
        try:
            self.write(threads.retrieve(thread_id))
        except APIStatusError as error:
            tell(f"{thread_id}: {error.message}")
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
                tell(f"{file_id}: {error.message}")
                return
            try:
                (self.contents / f"{file_id}.txt").write_text(text(), encoding="utf-8")
            except APIStatusError as second:
                tell(f"{file_id}: {second.message}")

    def text(self, store_id: str, file_id: str) -> str:
        parts = self.client.vector_stores.files.content(file_id, vector_store_id=store_id)
        return "\n".join(part.text or "" for part in parts)


def tell(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    server = AzureOpenAI() if "AZURE_OPENAI_ENDPOINT" in os.environ else OpenAI()
    with server as opened:
        Saver(opened, Path(sys.argv[1])).save(line.strip() for line in sys.stdin if line.strip())
