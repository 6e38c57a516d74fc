"""What a confined process does to render one text, for `rendering`: the work of an `app.confinement.server`."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pygments.lexers

from app.playground.markdown import to_html


def prepare() -> None:
    """Loads what code of any language is coloured by."""
    for module in pkgutil.iter_modules(pygments.lexers.__path__, f"{pygments.lexers.__name__}."):
        importlib.import_module(module.name)
    # What languages there are is looked up when one is first not known.
    for language in ("python", "nothing"):
        to_html(f"```{language}\nx = 1\n```")


def work(_request: Mapping[str, Any], data: bytes) -> Iterator[bytes]:
    """Renders the text."""
    yield to_html(data.decode()).encode()
