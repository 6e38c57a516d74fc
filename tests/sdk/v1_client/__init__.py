"""What applications of version 1 do, with their clients: `openai` 1.3 to 1.20. Run with `python -m`."""
