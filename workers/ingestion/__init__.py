"""Ingestion: from the bytes of a file to the chunks that searches find. Begin with `parsing` and `chunking`."""
