"""What the parts of benchmarks/retrieval.py are measured in."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import psycopg

from app.backends.embeddings import Embedder
from app.db.session import Sessions, transaction
from app.embedded import minilm
from app.models import EmbeddingModel
from app.services import embedding_models
from tests.running import Locum

#: For making the index of a whole collection at once.
_INDEXING_MEMORY = "1GB"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A running Locum and the same database from within."""

    locum: Locum
    http: aiohttp.ClientSession
    database: psycopg.Connection[Any]
    sessions: Sessions
    embedder: Embedder
    project: str

    async def new_model(self, name: str, *, indexed: bool) -> EmbeddingModel:
        """A model for vectors of the local one's length; without `indexed` its index is to be made later."""
        async with transaction(self.sessions) as session:
            if indexed:
                return await embedding_models.ensure_model(session, name, minilm.DIMENSIONS)
            model = EmbeddingModel(name=name, dimensions=minilm.DIMENSIONS)
            session.add(model)
            return model

    async def index(self, model: EmbeddingModel) -> None:
        """Makes the index of what is there, and has Postgres look at its tables."""
        async with transaction(self.sessions) as session:
            await (await session.connection()).exec_driver_sql(f"SET LOCAL maintenance_work_mem = '{_INDEXING_MEMORY}'")
            await embedding_models.create_index(session, model)
        self.database.execute("VACUUM ANALYZE chunks")
        self.database.execute("ANALYZE vector_store_files")
