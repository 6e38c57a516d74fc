"""The run engine: from a claimed run to its ending. Begin with `execute`."""
