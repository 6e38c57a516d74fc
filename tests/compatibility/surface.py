"""What the installed `openai` package offers of the API that Locum serves.

It is found by looking, so that a new release shows what is new in it.
"""

import collections.abc
import inspect
import types
import typing
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from openai import AsyncOpenAI, OpenAI
from typing_extensions import is_typeddict

Variant = Literal["plain", "with_raw_response", "with_streaming_response"]
AnyClient = OpenAI | AsyncOpenAI

#: The resources that Locum answers for; what is below them is found.
RESOURCES: Final = (
    "beta.assistants",
    "beta.threads",
    "files",
    "uploads",
    "vector_stores",
    "models",
    "chat.completions",
    "embeddings",
)
VARIANTS: Final[tuple[Variant, ...]] = ("plain", "with_raw_response", "with_streaming_response")

#: What every method has for its transport.
TRANSPORT: Final = ("extra_headers", "extra_query", "extra_body", "timeout")


class Method(NamedTuple):
    """A method by its path from the client, as `beta.threads.runs.create`, in one of its variants."""

    variant: Variant
    path: str


def methods(client: AnyClient) -> set[Method]:
    """Every public method of the resources, in every variant in which it is there."""
    return {
        Method(variant, f"{path}.{name}")
        for path in _below(client)
        for variant in VARIANTS
        for name in _names(client, path, variant)
    }


def find(client: AnyClient, method: Method) -> Any:
    """The method, bound."""
    path, _, name = method.path.rpartition(".")
    resource = _at(client, path)
    return getattr(resource if method.variant == "plain" else getattr(resource, method.variant), name)


def parameters(client: AnyClient, path: str) -> set[str]:
    """The parameters of the method at `path`: `name`, and with dots what is in them, as `tools.function.name`."""
    function = inspect.unwrap(find(client, Method("plain", path)).__func__)
    hints = typing.get_type_hints(function)
    names = [name for name in inspect.signature(function).parameters if name not in ("self", *TRANSPORT)]
    return {place for name in names for place in (name, *_inside(hints[name], name, ()))}


def _below(client: AnyClient) -> Iterator[str]:
    """The paths of all resources."""
    waiting = list(RESOURCES)
    while waiting:
        path = waiting.pop()
        yield path
        kind = type(_at(client, path))
        waiting += [
            f"{path}.{name}"
            for name, member in inspect.getmembers_static(kind)
            if isinstance(member, cached_property | property) and not name.startswith(("_", "with_"))
        ]


def _at(client: AnyClient, path: str) -> Any:
    found: Any = client
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _names(client: AnyClient, path: str, variant: Variant) -> list[str]:
    resource = _at(client, path)
    if variant == "plain":
        found = [name for name, _ in inspect.getmembers_static(type(resource), inspect.isfunction)]
    else:
        found = list(vars(getattr(resource, variant)))
    return [name for name in found if not name.startswith("_")]


def _inside(hint: Any, path: str, within: tuple[Any, ...]) -> Iterator[str]:
    """The fields of the objects that a value of this type may hold. What holds itself is not gone into again."""
    if is_typeddict(hint):
        if hint in within:
            return
        for name, field in typing.get_type_hints(hint).items():
            yield f"{path}.{name}"
            yield from _inside(field, f"{path}.{name}", (*within, hint))
    elif _is_transparent(hint):
        for part in typing.get_args(hint):
            yield from _inside(part, path, within)


def _is_transparent(hint: Any) -> bool:
    """Whether a type is its arguments, or a list of them."""
    origin = typing.get_origin(hint)
    wrappers = (typing.Union, types.UnionType, typing.Required, typing.NotRequired, typing.Annotated)
    return origin in wrappers or origin in (list, collections.abc.Iterable, collections.abc.Sequence)
