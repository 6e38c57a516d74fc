"""Finds the servers of a running `locum up`, so that the other commands work beside it without any setting."""

from typing import Any

from app.embedded import local_model, minilm
from app.embedded.errors import CannotStart
from app.embedded.folder import DataFolder
from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey
from app.settings import Settings


def with_running_stack(settings: Settings) -> Settings:
    """`settings`; where they name no servers, with those of the `locum up` that runs on their data folder."""
    folder = DataFolder(settings.data_dir)
    found: dict[str, Any] = {}
    try:
        postgres, valkey = Postgres(folder), Valkey(folder)
    except CannotStart:  # not installed: it cannot run
        return settings
    if settings.database_url is None and postgres.socket.exists():
        found["database_url"] = postgres.url
    if settings.redis_url is None and valkey.socket.exists():
        found["redis_url"] = valkey.url
    if settings.backend_url is None and not settings.backends and folder.model_url.exists():
        found["backend_url"] = folder.model_url.read_text()
        found["default_model"] = local_model.NAME
    if settings.embeddings_url is None and folder.embeddings_url.exists():
        found["embeddings_url"] = folder.embeddings_url.read_text()
        found["embeddings_model"] = minilm.NAME
    return settings.model_copy(update=found)
