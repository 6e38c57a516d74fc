"""The declarative base: constraint names, and the columns that every object of the API has."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: An object id. "C" collation: ids compare as ASCII, whatever the locale of the cluster.
IdText = Text(collation="C")

Json = dict[str, Any]


def now() -> datetime:
    """The clock that stamps rows (UTC). Leases use the database's own clock instead: see app.services.runs."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text,
        dict[str, Any]: JSONB(none_as_null=True),
        list[dict[str, Any]]: JSONB(none_as_null=True),
        str | dict[str, Any]: JSONB(none_as_null=True),
    }


class ApiObject:
    """What every object of the API has: an id, a project, and its place in the order of creation.

    Lists are ordered by `seq`, not by `created_at`: several objects share a second (contract, section 3). Objects that
    were imported have a negative one, made of their times (app.transfer): they come before all others.
    """

    id: Mapped[str] = mapped_column(IdText, primary_key=True)
    project_id: Mapped[str] = mapped_column(IdText, ForeignKey("projects.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=False))
    created_at: Mapped[datetime] = mapped_column(default=now)


class HasMetadata:
    """The caller's own key-value pairs. `metadata` is taken by SQLAlchemy on the class, hence the underscore."""

    metadata_: Mapped[Json] = mapped_column("metadata", default=dict)
