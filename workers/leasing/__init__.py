"""How workers come by their work and keep it, whether it is runs or files.

`Dispatcher` claims what waits and works on it, `Leases` keeps what was claimed renewed and hears what stops it. What
differs by kind stands in `workers.engine.source` and `workers.ingestion.source`; the statements stand in app.services.
"""
