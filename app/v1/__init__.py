"""Version 1 of the Assistants API, for clients of the past. Nothing outside knows of it: see
docs/decisions/0011-v1-at-the-edge.md."""
