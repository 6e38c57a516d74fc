"""How files are cut into chunks."""

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.schemas.common import Json, RequestBody, by_type, tag

#: What `auto` means (contract, section 9).
_AUTO_TOKENS: Final = 800
_AUTO_OVERLAP: Final = 400


class AutoChunking(RequestBody):
    type: Literal["auto"]


class StaticChunkingOptions(RequestBody):
    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0, le=2048)]

    @field_validator("chunk_overlap_tokens")
    @classmethod
    def _is_at_most_half(cls, overlap: int, info: ValidationInfo) -> int:
        size = info.data.get("max_chunk_size_tokens")
        if size is not None and overlap > size // 2:
            raise PydanticCustomError(
                "too_much_overlap",
                "expected at most half of 'max_chunk_size_tokens' ({size}), but got {overlap} instead",
                {"size": size, "overlap": overlap},
            )
        return overlap


class StaticChunking(RequestBody):
    type: Literal["static"]
    static: StaticChunkingOptions


ChunkingStrategy = Annotated[
    Annotated[AutoChunking, tag("auto")] | Annotated[StaticChunking, tag("static")], by_type("auto", "static")
]


def stored_chunking(strategy: AutoChunking | StaticChunking | None) -> Json:
    """A chunking strategy as it is stored and answered: always static (contract, section 5)."""
    if isinstance(strategy, StaticChunking):
        return strategy.model_dump()
    return {
        "type": "static",
        "static": {"max_chunk_size_tokens": _AUTO_TOKENS, "chunk_overlap_tokens": _AUTO_OVERLAP},
    }
