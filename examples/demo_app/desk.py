"""The assistant of the help desk and its manuals: made at the first start, found again at later ones."""

import hashlib
import json
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from . import orders

DATA = Path(__file__).parent / "data"
_MANUALS = sorted(DATA.glob("*.md"))
_APPLICATION = "larch-help-desk"
_INSTRUCTIONS = """\
You are the help desk of Larch Cycles, a shop for bicycles. Be friendly and brief.
Questions about bicycles, warranty, returns, service and delivery: search the manuals, answer from them alone, and cite
them. If they do not tell, say so.
Questions about an order: look it up. You need its number and the postcode of the delivery; ask for what is missing.
Tables that the customer attaches: compute with Python. Where a chart helps, draw one, with a title and labelled axes.
"""
#: In tokens. Small pieces make short quotations.
_PIECES: Any = {"type": "static", "static": {"max_chunk_size_tokens": 250, "chunk_overlap_tokens": 60}}
_TOOLS: Any = [
    {"type": "file_search", "file_search": {"max_num_results": 6}},
    {"type": "code_interpreter"},
    orders.TOOL,
]


async def set_up(client: AsyncOpenAI, model: str) -> str:
    """The id of the assistant. It is made anew, with its manuals, if any of what makes it up has changed."""
    version = _version(model)
    async for assistant in client.beta.assistants.list(limit=100):
        made_for = assistant.metadata or {}
        if made_for.get("application") != _APPLICATION:
            continue
        if made_for.get("version") == version:
            return assistant.id
        await _remove(client, assistant)
    store = await client.vector_stores.create(name="Manuals of Larch Cycles")
    for manual in _MANUALS:
        file = await client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=manual, chunking_strategy=_PIECES
        )
        if file.status != "completed":
            raise RuntimeError(f"{manual.name}: {file.last_error}")
    assistant = await client.beta.assistants.create(
        name="Larch Cycles help desk",
        model=model,
        instructions=_INSTRUCTIONS,
        tools=_TOOLS,
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        metadata={"application": _APPLICATION, "version": version},
    )
    return assistant.id


def _version(model: str) -> str:
    parts = [model, _INSTRUCTIONS, json.dumps(_TOOLS), *(manual.name + manual.read_text() for manual in _MANUALS)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


async def _remove(client: AsyncOpenAI, assistant: Any) -> None:
    """Deletes an assistant with its stores and their files. Threads stay: the next assistant goes on with them."""
    search = assistant.tool_resources.file_search if assistant.tool_resources else None
    for store_id in (search and search.vector_store_ids) or []:
        async for file in client.vector_stores.files.list(store_id):
            await client.files.delete(file.id)
        await client.vector_stores.delete(store_id)
    await client.beta.assistants.delete(assistant.id)
