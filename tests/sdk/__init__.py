"""Locum as applications see it: scenarios told through the official clients, old and new, in Python and Node."""
