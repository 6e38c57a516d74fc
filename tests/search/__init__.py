"""Search in vector stores, below the API."""
