"""The database: declarative base and sessions."""
