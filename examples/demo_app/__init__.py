"""A help desk: a small web application on the Assistants API, written against the official client alone."""
