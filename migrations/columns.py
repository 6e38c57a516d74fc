"""Columns that many tables have, for the migrations to make them of."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


def api_object() -> list[sa.Column[object]]:
    """The columns of every object of the API."""
    return [
        id_("id", primary_key=True),
        belongs_to("projects", "project_id"),
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False),
        time("created_at", nullable=False),
    ]


def id_(name: str, *, primary_key: bool = False, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=primary_key, nullable=nullable and not primary_key)


def belongs_to(table: str, name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(collation="C"), sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


def time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def json(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, JSONB(none_as_null=True), nullable=nullable)
