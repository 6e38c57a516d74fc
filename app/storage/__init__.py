"""Where the bytes of files are kept: a folder, or a bucket that speaks S3."""

from app.settings import Settings
from app.storage.base import BytesMissing, Storage, StorageAway, StoredObject, Written
from app.storage.local import LocalStorage
from app.storage.s3 import S3Storage

__all__ = ["BytesMissing", "Storage", "StorageAway", "StoredObject", "Written", "create_storage"]


def create_storage(settings: Settings) -> Storage:
    """The storage that the settings name. Nothing is opened yet. Raises ValueError for a URL that is none of S3."""
    if settings.storage_url is None:
        return LocalStorage(settings.data_dir / "files")
    return S3Storage(settings)
