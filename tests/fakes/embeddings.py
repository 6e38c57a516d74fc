"""Embeddings of the scripted model server: texts that share words are near each other."""

import base64
import hashlib
import math
import re
import struct
from functools import lru_cache
from typing import Any

import orjson

from tests.fakes.checks import Violation

EMBEDDING_DIMENSIONS = 64

_MOST_INPUTS = 2048


def check_embedding_request(body: Any) -> None:
    """Raises `Violation` for what OpenAI refuses."""
    if not isinstance(body, dict) or not body.get("input"):
        raise Violation("'input' is required", "input")
    inputs = _inputs(body)
    if len(inputs) > _MOST_INPUTS:
        raise Violation(f"Invalid 'input': array too long. Expected at most {_MOST_INPUTS}.", "input")
    if not all(inputs) or not all(isinstance(item, str | list) for item in inputs):
        raise Violation("'$.input' is invalid.", "input")
    if body.get("encoding_format", "float") not in ("float", "base64"):
        raise Violation("Invalid 'encoding_format'.", "encoding_format")


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request for embeddings."""
    inputs = _inputs(body)
    size = body.get("dimensions") or EMBEDDING_DIMENSIONS
    data = []
    for index, item in enumerate(inputs):
        vector: list[float] | str = embedding(item, size)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(len(item.split()) if isinstance(item, str) else len(item) for item in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.get("model"), "usage": usage}


def embedding(item: str | list[int], size: int = EMBEDDING_DIMENSIONS) -> list[float]:
    """The vector of an input: deterministic, of length 1, the sum of those of its words."""
    words = re.findall(r"\w+", item.lower()) if isinstance(item, str) else []
    vectors = [_of_word(word, size) for word in words] or [_of_word(orjson.dumps(item).decode(), size)]
    raw = [sum(numbers) for numbers in zip(*vectors, strict=True)]
    length = math.hypot(*raw)
    return [number / length for number in raw]


def _inputs(body: dict[str, Any]) -> list[Any]:
    given = body["input"]
    return given if isinstance(given, list) and not isinstance(given[0], int) else [given]


@lru_cache(maxsize=10_000)
def _of_word(word: str, size: int) -> list[float]:
    return [byte - 127.5 for byte in hashlib.shake_256(word.encode()).digest(size)]
