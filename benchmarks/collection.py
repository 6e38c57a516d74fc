"""A made-up collection of any size: chunks with clustered vectors and words as frequent as in prose.

Vectors of real texts lie in clusters of very different sizes, and near a space of fewer dimensions than they have.
Uniform noise, where all are equally far from each other, would tell nothing of how an index fares with texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from app import ids

Vectors = NDArray[np.float32]

DIMENSIONS: Final = 384
_REAL_DIMENSIONS: Final = 96
_SPREAD: Final = 0.7
_CHUNKS_PER_CLUSTER: Final = 50
_WORDS: Final = 80
_VOCABULARY: Final = 30_000
_SYLLABLES: Final = tuple(a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il"))
_BATCH: Final = 5_000


@dataclass(slots=True)
class Maker:
    """Makes vectors and texts, the same ones for the same seed."""

    random: np.random.Generator
    centres: Vectors
    shares: NDArray[np.float64]
    basis: Vectors
    vocabulary: list[str]

    @classmethod
    def of_size(cls, chunks: int, seed: int = 1) -> "Maker":
        """A maker for a collection of so many chunks."""
        random = np.random.default_rng(seed)
        clusters = max(10, chunks // _CHUNKS_PER_CLUSTER)
        sizes = random.pareto(1.2, clusters) + 0.2
        basis = random.standard_normal((_REAL_DIMENSIONS, DIMENSIONS), np.float32)
        centres = random.standard_normal((clusters, _REAL_DIMENSIONS), np.float32)
        vocabulary = ["".join(random.choice(_SYLLABLES, random.integers(2, 5))) for _ in range(_VOCABULARY)]
        return cls(random, centres, sizes / sizes.sum(), basis, vocabulary)

    def vectors(self, count: int) -> Vectors:
        """So many vectors of length 1, each near the centre of a cluster."""
        which = self.random.choice(len(self.centres), count, p=self.shares)
        inner = self.centres[which] + _SPREAD * self.random.standard_normal((count, _REAL_DIMENSIONS), np.float32)
        outer = inner @ self.basis / np.sqrt(_REAL_DIMENSIONS)
        outer += 0.2 * self.random.standard_normal((count, DIMENSIONS), np.float32)
        unit: Vectors = outer / np.linalg.norm(outer, axis=1, keepdims=True)
        return unit

    def text(self, words: int = _WORDS) -> str:
        """Words of which few are frequent and most are rare."""
        numbers = np.minimum(self.random.zipf(1.3, words), _VOCABULARY) - 1
        return " ".join(self.vocabulary[number] for number in numbers)


def load(
    database: psycopg.Connection[Any], project: str, model: int, maker: Maker, chunks: int, per_store: int
) -> list[str]:
    """Adds stores of `per_store` chunks each, in files of 100 at most; gives the ids of the stores."""
    register_vector(database)
    stores = [ids.new(ids.VECTOR_STORE) for _ in range(-(-chunks // per_store))]
    places = list(_places(database, project, model, stores, chunks, per_store))
    database.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS staging"
        " (store text, file text, position int, text text, embedding halfvec)"
    )
    for begin in range(0, chunks, _BATCH):
        batch = places[begin : begin + _BATCH]
        vectors = maker.vectors(len(batch))
        columns = "staging (store, file, position, text, embedding)"
        with database.cursor().copy(f"COPY {columns} FROM STDIN WITH (FORMAT BINARY)") as copy:
            copy.set_types(["text", "text", "int4", "text", "halfvec"])
            for place, vector in zip(batch, vectors, strict=True):
                copy.write_row((*place, maker.text(), HalfVector(vector)))
        database.execute(
            "INSERT INTO chunks"
            " (project_id, vector_store_id, file_id, position, text, embedding_model_id, embedding, words)"
            " SELECT %s, store, file, position, text, %s, embedding, to_tsvector('english', text) FROM staging",
            [project, model],
        )
        database.execute("TRUNCATE staging")
    return stores


def _places(
    database: psycopg.Connection[Any], project: str, model: int, stores: list[str], chunks: int, per_store: int
) -> Iterator[tuple[str, str, int]]:
    """Makes the stores and their files; gives store, file and position of each chunk."""
    left = chunks
    for store in stores:
        database.execute(
            "INSERT INTO vector_stores (id, project_id, created_at, metadata, last_active_at)"
            " VALUES (%s, %s, now(), '{}', now())",
            [store, project],
        )
        in_store = min(per_store, left)
        left -= in_store
        for begin in range(0, in_store, 100):
            file = ids.new(ids.FILE)
            number = begin // 100
            database.execute(
                "INSERT INTO files (id, project_id, created_at, filename, purpose, sha256, bytes, status)"
                " VALUES (%s, %s, now(), %s, 'assistants', '', 0, 'processed')",
                [file, project, f"{number}.txt"],
            )
            database.execute(
                "INSERT INTO vector_store_files (id, vector_store_id, project_id, created_at, status,"
                " chunking_strategy, attributes, usage_bytes, embedding_model_id, attempt, ready_at)"
                " VALUES (%s, %s, %s, now(), 'completed', '{}', jsonb_build_object('n', %s::int), 0, %s, 1, now())",
                [file, store, project, number, model],
            )
            for position in range(min(100, in_store - begin)):
                yield store, file, position
