"""Files for tests of vector stores, and waiting for what becomes of them."""

from typing import Any

from openai import OpenAI
from openai.types.vector_stores import VectorStoreFile

from tests.running import wait_for


def upload(client: OpenAI, text: str | bytes, name: str = "notes.txt") -> str:
    """The id of a new file with this text."""
    data = text.encode() if isinstance(text, str) else text
    return client.files.create(file=(name, data), purpose="assistants").id


def new_store(client: OpenAI, **options: Any) -> str:
    """The id of a new vector store."""
    return client.vector_stores.create(**{"name": "test", **options}).id


def ended(client: OpenAI, store_id: str, file_id: str, seconds: float = 30) -> VectorStoreFile:
    """The file of the store, when its ingestion has ended."""

    def look() -> VectorStoreFile | None:
        file = client.vector_stores.files.retrieve(file_id, vector_store_id=store_id)
        return None if file.status == "in_progress" else file

    found: VectorStoreFile = wait_for(look, f"the ingestion of {file_id}", seconds)
    return found


def words(count: int, seed: str = "word") -> str:
    """A text of so many different words, in lines; a word has a few tokens."""
    return "\n".join(
        " ".join(f"{seed}{at}" for at in range(line, min(line + 10, count))) for line in range(0, count, 10)
    )
