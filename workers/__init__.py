"""The workers: Celery processes that execute runs."""
