"""Locum's server: the HTTP API, its services and models, and everything the workers share with it."""
